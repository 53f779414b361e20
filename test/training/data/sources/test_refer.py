from __future__ import annotations

import json
import os
import pickle
import random

import dataset_files as files
import numpy as np
import pytest

from training.data.errors import BadSampleError, DataError
from training.data.source import Count, Shared
from training.data.sources.refer import Refer, ReferOptions


def open_set(root, name="refcoco", **options):
    return Refer(name, Shared(root=root), ReferOptions(**options))


def test_only_the_training_split_is_drawn(tmp_path):
    files.refcoco(tmp_path)
    source = open_set(tmp_path)
    names = [source.key(k) for k in range(len(source))]
    assert names == ["COCO_train2014_000000000009.jpg", "COCO_train2014_000000000025.jpg"]


def test_three_of_an_images_sentences_with_their_own_masks(tmp_path):
    files.refcoco(tmp_path)
    source = open_set(tmp_path)
    summed = files.box_mask(2, 2, 10, 10) + files.box_mask(6, 6, 14, 14)
    assert summed.max() == 2  # overlapping polygons add up, as in the official training
    seen = set()
    for seed in range(40):
        sample = source.sample(0, random.Random(seed))
        assert len(sample.conversations) == 3
        for ((question, _),), mask in zip(sample.conversations, sample.masks, strict=True):
            assert question == question.replace("Left", "left").replace("Mug", "mug")
            right = "right mug" in question
            seen.add(right)
            truth = files.box_mask(20, 4, 30, 9) if right else summed
            np.testing.assert_array_equal(mask, truth)
    assert seen == {True, False}


def test_overlaps_can_be_one(tmp_path):
    files.refcoco(tmp_path)
    source = open_set(tmp_path, overlaps="union")
    assert all(source.sample(0, random.Random(seed)).masks.max() == 1 for seed in range(10))


def test_run_length_objects_of_refclef(tmp_path):
    files.refclef(tmp_path)
    sample = open_set(tmp_path, "refclef").sample(0, random.Random(0))
    assert sample.image_file.as_posix().endswith("images/saiapr_tc-12/19/images/19579.jpg")
    assert sample.masks.all()


def test_several_targets_are_one_mask_or_a_seg_each(tmp_path):
    files.grefcoco(tmp_path)
    left = (files.box_mask(2, 2, 10, 10) + files.box_mask(6, 6, 14, 14)) > 0
    right = files.box_mask(20, 4, 30, 9) > 0
    one = open_set(tmp_path, "grefcoco").sample(0, random.Random(0))
    np.testing.assert_array_equal(one.masks > 0, [left | right])
    assert one.masks.max() == 1
    each = open_set(tmp_path, "grefcoco", several="each").sample(0, random.Random(0))
    np.testing.assert_array_equal(each.masks > 0, [left, right])
    answers = {
        open_set(tmp_path, "grefcoco", several="each")
        .sample(0, random.Random(k))
        .conversations[0][0][1]
        for k in range(60)
    }
    assert "Sure, they are [SEG] and [SEG]." in answers
    assert all(answer.count("[SEG]") == 2 for answer in answers)


def test_no_target_is_an_empty_mask_or_words(tmp_path):
    files.grefcoco(tmp_path)
    empty = open_set(tmp_path, "grefcoco").sample(1, random.Random(0))
    assert empty.masks.shape[0] == 1
    assert not empty.masks.any()
    words = open_set(tmp_path, "grefcoco", no_target="refuse").sample(1, random.Random(0))
    assert words.masks.shape == (0, files.HEIGHT, files.WIDTH)
    ((question, answer),) = words.conversations[0]
    assert "the elephant" in question
    assert "the elephant" in answer
    assert "[SEG]" not in answer


def test_grefcoco_may_be_a_pickle(tmp_path):
    files.grefcoco(tmp_path)
    path = tmp_path / "refer_seg" / "grefcoco" / "grefs(unc).json"
    files.write_pickle(path.with_suffix(".p"), json.loads(path.read_text()))
    path.unlink()
    assert len(open_set(tmp_path, "grefcoco")) == 2


def test_every_split_is_counted(tmp_path):
    files.refcoco(tmp_path)
    counts = open_set(tmp_path).counts()
    assert Count(split="train", what="images", found=2) in counts
    assert Count(split="train", what="references", found=3) in counts
    assert Count(split="train", what="sentences", found=5) in counts
    assert Count(split="val", what="sentences", found=1) in counts
    assert Count(split="testA", what="images", found=1) in counts


class Call:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_malicious_pickle_is_refused_and_runs_nothing(tmp_path):
    files.refcoco(tmp_path)
    path = tmp_path / "refer_seg" / "refcoco" / "refs(unc).p"
    refs = [files.ref(9, "train", 90, "mug"), Call(tmp_path / "owned")]
    path.write_bytes(pickle.dumps(refs, protocol=2))
    with pytest.raises(DataError, match=r"refs\(unc\)\.p is refused.*mkdir"):
        open_set(tmp_path)
    assert not (tmp_path / "owned").exists()


def test_references_to_nothing_are_named(tmp_path):
    files.refcoco(tmp_path)
    path = tmp_path / "refer_seg" / "refcoco" / "refs(unc).p"
    refs = [files.ref(9, "train", 12345, "mug"), files.ref(4711, "train", 90, "mug"), {"x": 1}]
    files.write_pickle(path, refs)
    source = open_set(tmp_path)
    with pytest.raises(BadSampleError, match=r"instances\.json, annotation 12345"):
        source.sample(0, random.Random(0))
    with pytest.raises(BadSampleError, match=r"instances\.json, image 4711"):
        source.sample(1, random.Random(0))
    assert any("refs(unc).p[2]" in note for note in source.notes)


def test_a_missing_instances_file_stops_at_the_start(tmp_path):
    files.refcoco(tmp_path)
    (tmp_path / "refer_seg" / "refcoco" / "instances.json").unlink()
    with pytest.raises(DataError, match=r"refcoco/instances\.json is missing"):
        open_set(tmp_path)


def test_a_split_that_is_not_there_stops_at_the_start(tmp_path):
    files.refcoco(tmp_path)
    with pytest.raises(DataError, match="nothing of the splits testB"):
        open_set(tmp_path, splits=("testB",))
    for splits in ((), ("training",)):
        with pytest.raises(ValueError, match="splits must name"):
            ReferOptions(splits=splits)
