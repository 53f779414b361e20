"""The reader, the teacher-forced validation and the metrics against the recorded ones."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from vectors import each_set

from lisa_model.llava.templates import VALIDATION_ANSWER, validation_question
from lisa_model.metrics import MaskScore, c_iou, g_iou, score_mask
from lisa_model.segmenter import ReasoningSegmenter
from training.official.reason_seg import draw_shapes, read_item

SAME_FILLING = pytest.mark.skipif(
    tuple(int(part) for part in cv2.__version__.split(".")[:2]) > (4, 10),
    reason="OpenCV 4.11 and later fill polygons differently",
)


def mini(vectors):
    """(number, record, picture, item) of the mini ReasonSeg."""
    folder = vectors.folder / "mini" / "reason_seg" / "ReasonSeg" / "val"
    if not folder.is_dir():
        pytest.skip(f"{vectors.name} has no mini ReasonSeg here; set LISA_VECTORS")
    for number, record in enumerate(vectors.meta["val"]["records"]):
        path = folder / record["image"]
        image = cv2.imread(str(path))[..., ::-1]
        yield number, record, image, read_item(path, *image.shape[:2])


@SAME_FILLING
@each_set()
def test_targets_are_drawn_as_the_official_reader_draws_them(vectors):
    for number, _, _, item in mini(vectors):
        truth = vectors.arrays("val_mini")[f"gt_{number}"][0]
        np.testing.assert_array_equal(item.mask, truth)


@SAME_FILLING
@each_set()
def test_the_validation_gives_the_recorded_masks_and_scores(vectors, tmp_path):
    vectors.needs_decoder()
    arrays = None
    segmenter = ReasoningSegmenter.from_pretrained(
        vectors.checkpoint(tmp_path / "model"), vision_tower=vectors.clip
    )
    scores = []
    for number, record, _, item in mini(vectors):
        arrays = arrays or vectors.arrays("val_mini")
        question = validation_question(item.texts[0], is_sentence=item.is_sentence)
        result = segmenter.score(arrays[f"rgb_{number}"], question, VALIDATION_ANSWER)
        assert np.abs(result.mask_logits - arrays[f"pred_logit_{number}"]).max() <= 1e-4
        scores.append(score_mask(result.masks[0], item.mask))
        assert [scores[-1].intersection, scores[-1].union] == [
            record["inter"][1],
            record["union"][1],
        ]
    expected = vectors.meta["val"]
    assert g_iou(scores) == pytest.approx(expected["giou_no_allreduce"], abs=1e-6)
    assert c_iou(scores) == pytest.approx(expected["ciou"], abs=1e-6)


@each_set()
def test_metrics_of_the_recorded_toy_cases(vectors):
    for toy in vectors.meta["val"]["toy"]:
        predicted, truth = np.array(toy["pred"]) > 0, np.array(toy["gt"]).astype(np.uint8)
        foreground = score_mask(predicted, truth)
        background = score_mask(~predicted, np.where(truth == 255, 255, 1 - truth).astype(np.uint8))
        for k, score in enumerate((background, foreground)):
            assert score == MaskScore(int(toy["inter"][k]), int(toy["union"][k]))
            assert score.iou == pytest.approx(toy["acc"][k], abs=1e-6)


def square(left, top, side):
    corners = [[left, top], [left + side, top], [left + side, top + side], [left, top + side]]
    return np.array(corners, dtype=np.float64)


def test_small_shapes_lie_on_large_ones():
    shapes = [
        ("target", square(4, 4, 2)),
        ("Ignore this", square(2, 2, 8)),
        ("flag", square(0, 0, 9)),
    ]
    mask = draw_shapes(shapes, 12, 12)
    assert mask[5, 5] == 1
    assert mask[3, 3] == 255
    assert mask[0, 0] == 0


def test_points_are_cut_toward_zero_and_clipped_by_the_picture():
    mask = draw_shapes([("a", square(-0.9, -0.9, 3.8))], 6, 6)
    assert mask[:3, :3].all()
    assert mask.sum() == 9


def annotation(tmp_path, data: bytes):
    (tmp_path / "x.json").write_bytes(data)
    return tmp_path / "x.jpg"


def test_windows_text_is_read(tmp_path):
    values = {"text": ["caf\u00e9"], "is_sentence": False, "shapes": []}
    raw = json.dumps(values, ensure_ascii=False).encode("cp1252")
    assert read_item(annotation(tmp_path, raw), 4, 4).texts == ("caf\u00e9",)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"{", "not JSON"),
        (b"[]", "no JSON object"),
        (b'{"text": ["a"], "is_sentence": true}', "shapes"),
        (
            b'{"text": ["a"], "is_sentence": true, "shapes": [{"label": "a", "points": [1]}]}',
            "reshape",
        ),
    ],
)
def test_a_broken_annotation_is_named(tmp_path, data, said):
    with pytest.raises(ValueError, match=r"x\.json") as error:
        read_item(annotation(tmp_path, data), 4, 4)
    assert said in str(error.value)
