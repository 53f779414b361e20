"""From hand-made frames on disk to questions, figures and counts."""

import json
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from training.homereason import build, stats
from training.homereason.evaluate import evaluate, load_questions, report, run, spread, table
from training.homereason.files import read_questions
from training.homereason.scoring import expected_calibration_error, match

BLOCKS = {1: ("mug", "KL28", 20), 2: ("radio", "BY52", 120), 3: ("hammer", "SC264", 220)}


def write_frame(folder, name, shift=0, models=None):
    """A table seen from 1 m with three blocks of 60 x 60 pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    ids = np.zeros((240, 320), np.uint8)
    color = np.full((240, 320, 3), 120, np.uint8)
    instances = []
    for number, (category, model, x) in BLOCKS.items():
        x += shift
        ids[90:150, x : x + 60] = number
        color[90:150, x : x + 60] = (40, 40, 200)  # BGR: red
        point = [(x + 30 - 159.5) / 300, 0.0, 1.0]
        instances.append({
            "id": number, "category": category, "model": (models or {}).get(number, model),
            "support": "counter", "box_xyxy": [x, 90, x + 60, 150], "area": 3600,
            "point_m": point,
        })  # fmt: skip
    camera = {"fx": 300.0, "fy": 300.0, "cx": 159.5, "cy": 119.5,
              "world_from_optical": np.eye(4).tolist()}  # fmt: skip
    meta = {"name": name, "width": 320, "height": 240, "camera": camera, "instances": instances,
            "models": [item["model"] for item in instances]}  # fmt: skip
    cv2.imwrite(str(folder / f"{name}.jpg"), color)
    cv2.imwrite(str(folder / f"{name}.ids.png"), ids)
    cv2.imwrite(str(folder / f"{name}.depth.png"), np.full(ids.shape, 1000, np.uint16))
    (folder / f"{name}.json").write_text(json.dumps(meta))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("homereason") / "frames"
    for split in ("train", "val", "test"):
        for number in range(2):
            write_frame(root / split, f"{split}_{number}", shift=5 * number)
    write_frame(root / "test_models", "models_0", models={2: "NEW"})
    assert build.main(["--frames", str(root)]) == 0
    return root


class Fake:
    """Marks the truth, everything, or nothing."""

    def __init__(self, how, questions, data):
        self.how = how
        self.truth = {}
        for path, asked in questions.items():
            ids = cv2.imread(str(path.with_suffix(".ids.png")), cv2.IMREAD_UNCHANGED)
            color = cv2.imread(str(path.with_suffix(".jpg")))[..., ::-1]
            for one in asked:
                masks = [np.isin(ids, target) for target in one.targets]
                self.truth[color.tobytes(), one.text] = np.array(masks, bool).reshape(
                    -1, *ids.shape
                )

    def segment(self, image, prompt, *, max_new_tokens=None):
        masks = self.truth[image.tobytes(), prompt][::-1]  # the order must not matter
        if self.how == "everything":
            masks = np.ones((1, *image.shape[:2]), bool)
        withheld = np.zeros_like(masks)
        if self.how == "nothing":
            masks = withheld = masks[:0]
        if self.how == "withholds":
            masks, withheld = withheld, masks
        scores = np.full(len(masks), 0.95)
        return SimpleNamespace(text="", masks=masks, scores=scores, withheld=withheld)


def scored(data, how):
    asked = load_questions(data, "test")
    outcomes = evaluate(segmenter=Fake(how, asked, data), questions=asked, max_new_tokens=None)
    return report(outcomes, split="test", model=how)


def test_the_truth_scores_full(data):
    result = scored(data, "truth")
    model = result["methods"]["model"]
    assert set(model["subsets"]) == set("abcdef")
    for figures in model["subsets"].values():
        assert figures["giou"] == pytest.approx(1.0, abs=1e-3)
        assert figures["giou_95"] == pytest.approx((1.0, 1.0), abs=1e-3)
    assert model["subsets"]["f"]["n_acc"] == 1.0
    assert model["subsets"]["e"]["two_target_iou"] == pytest.approx(1.0, abs=1e-3)
    everything = model["all"]
    assert everything["refused"] == 0.0
    assert everything["right_object"] == 1.0
    assert everything["calibration_error"] == pytest.approx(0.05)
    assert everything["points"]["median_error_mm"] == pytest.approx(0.0, abs=1e-6)
    assert everything["points"]["share_without"] == 0.0
    assert "(f) nothing fits" in table(result)


def test_nothing_and_everything(data):
    nothing = scored(data, "nothing")["methods"]["model"]
    assert nothing["subsets"]["f"]["n_acc"] == 1.0
    assert nothing["subsets"]["a"]["giou"] == 0.0
    assert nothing["all"]["refused"] == 1.0
    assert nothing["all"]["calibration_error"] is None
    everything = scored(data, "everything")["methods"]
    assert everything["model"]["subsets"]["f"]["n_acc"] == 0.0
    assert everything["model"]["subsets"]["a"]["giou"] == pytest.approx(
        everything["whole image"]["subsets"]["a"]["giou"]
    )
    assert everything["model"]["all"]["points"]["share_without"] == 1.0
    assert 0.0 < everything["random object"]["all"]["right_object"] < 1.0


def test_good_masks_that_are_withheld_are_counted(data):
    withholds = scored(data, "withholds")["methods"]["model"]
    assert withholds["all"]["withheld_good"] == withholds["all"]["refused"] == 1.0
    assert withholds["subsets"]["a"]["giou"] == 0.0
    truth = scored(data, "truth")["methods"]["model"]
    assert truth["all"]["withheld_good"] == 0.0


def test_a_joined_mask_has_no_score_for_two_targets(data):
    asked = load_questions(data, "test")
    outcomes = evaluate(
        segmenter=Fake("truth", asked, data), questions=asked, max_new_tokens=None, joined=True
    )
    figures = report(outcomes, split="test", model="x")["methods"]["model"]["all"]
    assert figures["two_target_iou"] is None
    assert figures["calibration_error"] is None


def test_what_is_told_the_question_answers_in_the_segmenter_s_place(data):
    asked = load_questions(data, "test")
    fake, told = Fake("truth", asked, data), []

    def asking(image, question):
        told.append(question)
        return fake.segment(image, question.text)

    outcomes = evaluate(segmenter=None, questions=asked, max_new_tokens=None, asking=asking)
    assert told == [one for group in asked.values() for one in group]
    figures = report(outcomes, split="test", model="x")["methods"]["model"]["all"]
    assert figures["giou"] == pytest.approx(1.0, abs=1e-3)


def test_a_limit_takes_frames_evenly(data):
    asked = load_questions(data, "test")
    assert spread(asked, len(asked)) == asked == spread(asked, 99)
    (first,) = spread(asked, 1)
    assert first == next(iter(asked))
    many = {Path(str(k)): [] for k in range(10)}
    assert [str(path) for path in spread(many, 3)] == ["0", "3", "6"]


def test_building_again_gives_the_same(data, tmp_path):
    build.build(data, tmp_path, progress=lambda _: None)
    for name in ("train", "val", "test", "test_models"):
        first = data.with_name("frames_questions") / f"{name}.jsonl"
        assert first.read_bytes() == (tmp_path / f"{name}.jsonl").read_bytes()
    found = read_questions(tmp_path / "test_models.jsonl")
    assert {one.ids for one in found} == {(2,)}, "only the radio is of an unseen model"
    talk = [json.loads(line) for line in (tmp_path / "small_talk.jsonl").read_text().splitlines()]
    assert {one["split"] for one in talk} == {"train", "val", "test"}


def test_counts(data, capsys):
    assert stats.main([str(data.with_name("frames_questions"))]) == 0
    out = capsys.readouterr().out
    assert "(b) unseen models" in out
    assert "| train | training | 2 |" in out


def test_what_is_missing_is_named(data, tmp_path, capsys):
    assert build.main(["--frames", str(tmp_path)]) == 1
    assert "no frames in" in capsys.readouterr().err
    with pytest.raises(FileNotFoundError, match=r"training\.homereason\.build"):
        run(data=tmp_path, split="val")
    with pytest.raises(ValueError, match="split must be"):
        run(data=tmp_path, split="train")
    with pytest.raises(ValueError, match="limit"):
        run(data=data, limit=0)
    assert stats.main([str(tmp_path)]) == 1


def test_matching_and_calibration():
    one, two = np.zeros((2, 4, 4), bool)
    one[:2], two[2:] = True, True
    assert match(np.array([two, one]), [one, two]) == pytest.approx(1.0, abs=1e-4)
    assert match(np.array([one]), [one, two]) == pytest.approx(0.5, abs=1e-4)
    assert match(np.zeros((0, 4, 4), bool), [one, two]) == 0.0
    assert expected_calibration_error([], []) is None
    assert expected_calibration_error([0.8, 0.8], [True, False]) == pytest.approx(0.3)
    assert expected_calibration_error([1.0, 0.05], [True, False]) == pytest.approx(0.025)


def test_a_limit_above_half_of_the_frames_reaches_the_last_ones_too():
    many = {Path(str(k)): [] for k in range(10)}
    assert [str(path) for path in spread(many, 6)] == ["0", "1", "3", "5", "6", "8"]
