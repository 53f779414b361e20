"""The data sets as benchmarks: what is asked, and what is the truth."""

from __future__ import annotations

import json

import dataset_files as files
import evaluation
import numpy as np
import pytest

from training.data.errors import BadSampleError, DataError
from training.evaluation.contender import Ask
from training.evaluation.items import evenly
from training.evaluation.reason_seg import ReasonSegBenchmark
from training.evaluation.refer import ReferBenchmark


def test_a_limit_is_spread_evenly():
    assert evenly(range(10), 0) == list(range(10))
    assert evenly(range(10), 3) == [0, 3, 6]
    assert evenly(range(3), 9) == [0, 1, 2]


def test_reason_seg_asks_the_first_question(tmp_path):
    evaluation.reason_seg_split(tmp_path)
    benchmark = ReasonSegBenchmark(tmp_path, "test")
    assert (len(benchmark), benchmark.published) == (evaluation.IMAGES, 779)
    item = benchmark.read(1)
    assert (item.key, item.asks) == ("image1.jpg", (Ask(text="thing 1", is_sentence=False),))
    assert benchmark.read(2).asks[0].is_sentence
    assert item.image.shape[:2] == item.truths[0].shape


def test_a_split_that_is_not_there_says_what_to_name(tmp_path):
    with pytest.raises(DataError, match="--data must name the folder ReasonSeg"):
        ReasonSegBenchmark(tmp_path, "val")
    (tmp_path / "val").mkdir()
    with pytest.raises(DataError, match=r"holds no \.jpg file"):
        ReasonSegBenchmark(tmp_path, "val")


def test_every_sentence_of_every_reference_is_asked(tmp_path):
    files.refcoco(tmp_path)
    benchmark = ReferBenchmark(tmp_path, "refcoco", "train")
    item = benchmark.read(0)
    texts = [ask.text for ask in item.asks]
    assert texts == ["the left mug", "mug", "handle side", "right mug"]
    assert not any(ask.is_sentence for ask in item.asks)
    summed = files.box_mask(2, 2, 10, 10) + files.box_mask(6, 6, 14, 14)
    np.testing.assert_array_equal(item.truths[0], summed)
    np.testing.assert_array_equal(item.truths[3], files.box_mask(20, 4, 30, 9))


def test_overlaps_are_no_target_as_in_the_official_code_or_a_target(tmp_path):
    files.refcoco(tmp_path)
    official = ReferBenchmark(tmp_path, "refcoco", "train")
    union = ReferBenchmark(tmp_path, "refcoco", "train", overlaps="union")
    truths = [one.read(0).truths[0] for one in (official, union)]
    everything = truths[1] > 0
    scores = [
        one.score(everything, truth) for one, truth in zip((official, union), truths, strict=True)
    ]
    covered, twice = 8 * 8 + 8 * 8 - 4 * 4, 4 * 4
    assert [(s.intersection, s.union) for s in scores] == [
        (covered - twice, covered),
        (covered, covered),
    ]


@pytest.mark.parametrize(
    ("name", "partition", "split", "images"),
    [
        ("refcoco", "unc", "val", 1500),
        ("refcoco+", "unc", "testA", 750),
        ("refcocog", "umd", "test-U", 2600),
        ("refcocog", "umd", "val-U", 1300),
    ],
)
def test_splits_and_their_published_sizes(tmp_path, name, partition, split, images):
    files.refcoco(tmp_path, name, partition)
    benchmark = ReferBenchmark(tmp_path, name, split)
    assert (len(benchmark), benchmark.published) == (1, images)


def test_refclef_has_its_own_images(tmp_path):
    files.refclef(tmp_path)
    item = ReferBenchmark(tmp_path, "refclef", "train").read(0)
    assert item.truths[0].all()


def test_a_split_that_a_set_does_not_have_is_named_with_those_it_has(tmp_path):
    files.refcoco(tmp_path)
    with pytest.raises(DataError, match=r"testB.*it has train, val, testA"):
        ReferBenchmark(tmp_path, "refcoco", "testB")
    with pytest.raises(DataError, match="missing"):
        ReferBenchmark(tmp_path, "refcoco+", "val")


def test_grefcoco_joins_targets_and_has_empty_ones(tmp_path):
    evaluation.grefcoco_test(tmp_path)
    benchmark = ReferBenchmark(tmp_path, "grefcoco", "testA")
    both, again, nothing = benchmark.read(0).truths
    left = (files.box_mask(2, 2, 10, 10) + files.box_mask(6, 6, 14, 14)) > 0
    np.testing.assert_array_equal(both > 0, left | (files.box_mask(20, 4, 30, 9) > 0))
    np.testing.assert_array_equal(both, again)
    assert both.max() == 1
    assert not nothing.any()


def test_a_broken_image_or_annotation_is_named(tmp_path):
    files.refcoco(tmp_path)
    benchmark = ReferBenchmark(tmp_path, "refcoco", "val")
    path = benchmark.read(0).image_file
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BadSampleError, match=path.name):
        benchmark.read(0)
    assert benchmark.key(0) == path.name
    coco = tmp_path / "refer_seg" / "refcoco" / "instances.json"
    values = json.loads(coco.read_text())
    values["annotations"] = [one for one in values["annotations"] if one["id"] != 780]
    coco.write_text(json.dumps(values))
    with pytest.raises(BadSampleError, match="annotation 780"):
        ReferBenchmark(tmp_path, "refcoco", "testA").read(0)
