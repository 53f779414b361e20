from __future__ import annotations

import random
from collections import Counter

import cv2
import dataset_files as files
import numpy as np
import pytest
from vectors import each_set

from lisa_model.llava import templates
from training.data.errors import BadSampleError, DataError
from training.data.images import read_image
from training.data.source import Count, Shared
from training.data.sources.reason_seg import ReasonSeg, ReasonSegOptions
from training.official.reason_seg import read_item

OUTPUTS = "The cup is insulated."


def open_set(root, **options):
    return ReasonSeg(Shared(root=root), ReasonSegOptions(**options))


def test_sentences_are_asked_long_and_phrases_short(tmp_path):
    files.reason_seg(tmp_path)
    source = open_set(tmp_path, explanatory=-1.0)
    assert [source.key(k) for k in range(2)] == ["train/one.jpg", "train/two.jpg"]
    longs, shorts = (
        {turns[0][0] for seed in range(40) for turns in drawn(source, k, seed).conversations}
        for k in range(2)
    )
    texts = ("What keeps the coffee warm?", "Find the cup!")
    assert longs == {
        f"<image>\n{one.format(sent=text)}" for one in templates.LONG_QUESTIONS for text in texts
    }
    assert shorts == {
        f"<image>\n{one.format(class_name='the lid')}" for one in templates.SHORT_QUESTIONS
    }


def drawn(source, index, seed):
    return source.sample(index, random.Random(seed))


def test_all_questions_have_the_same_mask_and_the_ignored_area_is_kept(tmp_path):
    files.reason_seg(tmp_path)
    sample = drawn(open_set(tmp_path, explanatory=-1.0), 0, 0)
    target = files.box_mask(4, 4, 21, 21)  # the outline belongs to the polygon
    hole = files.box_mask(10, 10, 15, 15)
    assert len(sample.masks) == 2
    for mask in sample.masks:
        np.testing.assert_array_equal(mask, target - hole)
    np.testing.assert_array_equal(sample.ignore, hole == 1)


def kind(sample):
    """How an image with an explanation is asked about; the same for all its questions."""
    found = set()
    for ((question, answer),) in sample.conversations:
        if answer == OUTPUTS:
            assert "segmentation mask" not in question
            found.add("words")
        elif answer.endswith(OUTPUTS):
            assert question.endswith(templates.EXPLANATORY_QUESTIONS)
            assert answer.removesuffix(" " + OUTPUTS) in templates.ANSWERS
            found.add("both")
        else:
            assert answer in templates.ANSWERS
            found.add("mask")
    (one,) = found
    assert len(sample.masks) == (0 if one == "words" else len(sample.conversations))
    return one


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_explanations_come_as_often_as_they_should(tmp_path, share):
    files.reason_seg(tmp_path)
    source = open_set(tmp_path, explanatory=share)
    count = 400
    kinds = Counter(kind(drawn(source, 0, seed)) for seed in range(count))
    assert kinds["words"] / count == pytest.approx(share, abs=0.05)
    assert kinds["both"] / count == pytest.approx((1 - share) / 2, abs=0.08)
    without = {kind(drawn(source, 1, seed)) for seed in range(20)}
    assert without == {"mask"}


def test_splits_can_be_joined_and_all_are_counted(tmp_path):
    files.reason_seg(tmp_path)
    source = open_set(tmp_path, splits=("train", "val"))
    assert len(source) == 3
    numbers = {(one.split, one.what): one.found for one in source.counts()}
    assert numbers == {
        ("train", "images"): 2,
        ("val", "images"): 1,
        ("test", "images"): 1,
        ("explanatory", "explanations"): 1,
    }
    assert Count(split="val", what="images", found=1) in source.counts()
    for splits in ((), ("training",)):
        with pytest.raises(ValueError, match="splits must name some of train, val, test"):
            ReasonSegOptions(splits=splits)


def test_explanations_are_needed_unless_they_are_switched_off(tmp_path):
    files.reason_seg(tmp_path)
    path = tmp_path / "reason_seg" / "ReasonSeg" / "explanatory" / "train.json"
    files.write_json(path, [{"image": "one.jpg", "outputs": OUTPUTS}, {"image": "x"}, 7])
    assert len(open_set(tmp_path).notes) == 2
    for broken in ([], {"a": 1}, [{"image": "one.jpg"}]):
        files.write_json(path, broken)
        with pytest.raises(DataError, match="no explanation"):
            open_set(tmp_path)
    path.unlink()
    with pytest.raises(DataError, match="explanatory: -1"):
        open_set(tmp_path)
    assert len(open_set(tmp_path, explanatory=-1.0)) == 2


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "one.json"),
        (b"{", "not JSON"),
        (b'{"text": ["a"], "is_sentence": true}', "shapes"),
        (b'{"text": [], "is_sentence": true, "shapes": []}', "text is empty"),
        (b'{"text": ["a </s>"], "is_sentence": true, "shapes": []}', "</s>"),
    ],
)
def test_a_broken_annotation_is_named(tmp_path, data, said):
    files.reason_seg(tmp_path)
    path = tmp_path / "reason_seg" / "ReasonSeg" / "train" / "one.json"
    path.unlink()
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(BadSampleError, match=r"one\.json") as error:
        drawn(open_set(tmp_path, explanatory=-1.0), 0, 0)
    assert said in str(error.value)
    drawn(open_set(tmp_path, explanatory=-1.0), 1, 0)


@each_set()
def test_the_recorded_mini_set_is_read(vectors):
    root = vectors.folder / "mini"
    if not root.is_dir():
        pytest.skip(f"{vectors.name} has no mini ReasonSeg here; set LISA_VECTORS")
    source = open_set(root, splits=("val",), explanatory=-1.0)
    assert len(source) == len(vectors.meta["val"]["records"])
    for index in range(len(source)):
        sample = drawn(source, index, 0)
        item = read_item(sample.image_file, *sample.image.shape[:2])
        np.testing.assert_array_equal(sample.image, read_image(sample.image_file))
        np.testing.assert_array_equal(sample.masks[0], item.mask == 1)
        assert cv2.imread(str(sample.image_file)) is not None
