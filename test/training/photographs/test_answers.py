"""Asking, scoring and the page, with stand-in answers."""

import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from lisa_model.cli import main
from training.data.errors import DataError
from training.photographs import command
from training.photographs.answers import Answer, ask_all, summarise
from training.photographs.page import Page, draw, head, table
from training.photographs.photograph import Intent, Photograph

HEIGHT, WIDTH = 60, 80


def box(left, right):
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[10:50, left:right] = True
    return mask


class Fixed:
    """Marks columns 0 to 20; nothing when asked for the piano."""

    def segment(self, image, prompt, *, max_new_tokens=None):
        masks = box(0, 20)[None]
        masks = masks[:0] if "piano" in prompt else masks
        return SimpleNamespace(
            text="<b>It</b> is [SEG].", masks=masks, scores=np.full(len(masks), 0.5, np.float32)
        )


NOTHING = np.zeros((HEIGHT, WIDTH), bool)
INTENTS = {
    "exactly": (Intent(text="exactly", truth=box(0, 20)), "good"),
    "a third": (Intent(text="a third", truth=box(10, 30)), "found, poor mask"),
    "elsewhere": (Intent(text="elsewhere", truth=box(40, 60)), "not found"),
    "kettle": (Intent(text="the kettle", truth=NOTHING), "wrong: nothing fits"),
    "piano": (Intent(text="the piano", truth=NOTHING), "right: marks nothing"),
    "unknown": (Intent(text="a | <thing>"), "not judged"),
}


@pytest.fixture
def answered():
    image = np.full((HEIGHT, WIDTH, 3), 50, np.uint8)
    intents = tuple(intent for intent, _ in INTENTS.values())
    photograph = Photograph(name="desk.jpg", image=image, intents=intents, credit="by <Ann>")
    (one,) = ask_all(Fixed(), [photograph], max_new_tokens=8, progress=lambda _: None)
    return one


def test_verdicts(answered):
    said = {one.intent.text: one.verdict for one in answered.answers}
    assert said == {intent.text: verdict for intent, verdict in INTENTS.values()}
    ious = [one.iou for one in answered.answers]
    assert ious[:3] == pytest.approx([1.0, 1 / 3, 0.0], abs=1e-4)
    assert ious[3:] == [None] * 3


def test_summary(answered):
    summary = summarise([answered.as_dict()])
    assert summary["with_mask"]["giou"] == pytest.approx(4 / 9, abs=1e-4)
    assert summary["with_mask"] | {"giou": 0} == {"n": 3, "giou": 0, "found": 2, "good": 1}
    assert summary["nothing_fits"] == {"n": 2, "marked_nothing": 1}
    assert (summary["photographs"], summary["intents"], summary["not_judged"]) == (1, 6, 1)


def test_a_picture_shows_the_answer_and_what_is_meant(answered):
    picture = draw(answered.photograph.image, answered.answers[2])
    assert abs(picture[30, 10].astype(int) - 50).max() > 30  # the answer's colour
    assert picture[30, 40].min() > 200  # the outline
    assert (picture[30, 50] == 50).all()
    none = np.zeros((0, 1500, 2000), bool)
    plain = Answer(intent=Intent(text="x"), text="", masks=none, scores=(), seconds=0.0)
    assert draw(np.zeros((1500, 2000, 3), np.uint8), plain).shape == (540, 720, 3)


def test_the_page(answered, tmp_path):
    page = Page(tmp_path)
    page.add(answered)
    report = {"model": "m", "machine": "here", "summary": summarise(page.photographs)}
    page.write(report)
    text = (tmp_path / "index.html").read_text()
    assert "<b>It</b>" not in text
    assert "by &lt;Ann&gt;" in text
    pictures = [one["picture"] for one in page.photographs[0]["answers"]]
    assert len(set(pictures)) == 6
    for name in pictures:
        assert f'src="{name}"' in text
        assert cv2.imread(str(tmp_path / name)).shape == (HEIGHT, WIDTH, 3)
    saved = json.loads((tmp_path / "photographs.json").read_text())
    assert saved["photographs"] == page.photographs
    assert "| desk.jpg | a / <thing> | 0.50 | - | not judged |" in table(page.photographs)
    assert "with a true mask: 3, gIoU 0.44, IoU > 0.1 for 2" in head(report)


def test_sizes_and_empty_intents_are_refused():
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    small = Intent(text="b", truth=np.ones((10, 20), bool))
    with pytest.raises(DataError, match="mask of 'b' is 20 x 10, the picture 80 x 60"):
        Photograph(name="a", image=image, intents=(small,))
    with pytest.raises(DataError, match="an intent is empty"):
        Photograph(name="a", image=image, intents=(Intent(text=" "),))


def test_the_command_names_a_missing_list(tmp_path, capsys):
    assert main(["eval", "photographs", str(tmp_path)]) == 1
    assert "intents.tsv is missing" in capsys.readouterr().err


def test_the_command_writes_the_page(tmp_path, monkeypatch, capsys):
    cv2.imwrite(str(tmp_path / "desk.png"), np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    (tmp_path / "intents.tsv").write_text("desk.png\tthe mug\ndesk.png\tthe piano\t-\n")
    opened = []

    def from_pretrained(model, **options):
        opened.append((model, options["device"]))
        fixed = Fixed()
        fixed.name, fixed.dtype = "stand-in", "torch.float32"
        return fixed

    monkeypatch.setattr(command.ReasoningSegmenter, "from_pretrained", from_pretrained)
    assert main(["eval", "photographs", str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    assert opened == [("lisa-tiny", "cpu")]
    assert "| desk.png | the piano | - | - | right: marks nothing |" in capsys.readouterr().out
    saved = json.loads((tmp_path / "out" / "photographs.json").read_text())
    assert (saved["model"], saved["dtype"]) == ("stand-in", "float32")
    assert str(tmp_path) not in json.dumps(saved)
