"""The household evaluation on the shipped frames, with stand-ins whose score is known."""

from types import SimpleNamespace

import numpy as np
import pytest

from lisa_model.rgbd import load_frame
from training.household.evaluate import evaluate, report, run, shipped_frames, table

FRAMES = sorted((shipped_frames() / "test").glob("*.json"))[:4]


class Oracle:
    """Answers with the true mask, or with nothing."""

    name = "oracle"

    def __init__(self, *, knows: bool):
        self.knows = knows
        self.truth = {}
        for path in FRAMES:
            frame = load_frame(path, depth=False)
            for question in frame.questions:
                key = (frame.color.tobytes(), question.intent)
                self.truth[key] = frame.mask(question.instances)

    def segment(self, image, prompt, **_):
        mask = self.truth[image.tobytes(), prompt] & self.knows
        return SimpleNamespace(text="[SEG]", masks=mask[None], scores=np.ones(1, np.float32))


@pytest.mark.parametrize(("knows", "expected"), [(True, 1.0), (False, 0.0)])
def test_scores_of_known_answers(knows, expected):
    records, seconds = evaluate(segmenter=Oracle(knows=knows), frames=FRAMES, split="test")
    result = report(records, seconds=seconds, split="test", model="oracle")
    for kind in ("explicit", "implicit"):
        group = result["methods"]["model"][kind]
        assert group["giou"] == pytest.approx(expected, abs=1e-4)
        assert group["ciou"] == pytest.approx(expected, abs=1e-4)
        assert group["right_object"] == expected
        assert group["giou_95"] == pytest.approx([expected, expected], abs=1e-4)
    whole = result["methods"]["whole image"]["explicit"]
    assert 0 < whole["giou"] < 0.5
    assert result["frames"] == len(FRAMES)
    assert "oracle" in table(result)


def test_areas_add_up():
    records, seconds = evaluate(segmenter=Oracle(knows=True), frames=FRAMES, split="test")
    result = report(records, seconds=seconds, split="test", model="oracle")
    group = result["methods"]["model"]["explicit"]
    assert sum(cell["n"] for cell in group["giou_by_area_px"].values()) == group["n"]


def test_shipped_sample_has_every_kind_of_question():
    kinds = {q.kind for path in FRAMES for q in load_frame(path, depth=False).questions}
    assert kinds == {"explicit", "implicit_short", "implicit_long", "imperative"}
    assert len(sorted((shipped_frames() / "test").glob("*.json"))) >= 100


def test_missing_frames_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no frames"):
        run(data=tmp_path)
