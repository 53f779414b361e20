from __future__ import annotations

import random

import dataset_files as files
import numpy as np
import pytest

from training.data.errors import BadSampleError, DataError, NothingToAskError
from training.data.source import Shared
from training.data.sources.semantic import (
    SemanticOptions,
    ade20k,
    ade20k_classes,
    coco_stuff,
    mapillary,
)

PAPER = SemanticOptions()


def masks_by_class(source, index, draws=30):
    """Class name -> its mask, over many draws with one question each."""
    out = {}
    for seed in range(draws):
        sample = source.sample(index, random.Random(seed))
        for turns, mask in zip(sample.conversations, sample.masks, strict=True):
            for name in source._classes:
                if name and f" {name.lower()} in" in turns[0][0]:
                    out[name] = mask
    return out


def test_ade20k_labels_begin_at_one(tmp_path):
    files.ade20k(tmp_path)
    found = masks_by_class(ade20k(Shared(root=tmp_path), PAPER), 0)
    # Quarters 0 (none), 1 wall, 2 building, 4 floor; names are the first of their synonyms.
    assert set(found) == {"wall", "building", "floor"}
    np.testing.assert_array_equal(found["wall"], files.quarters(0, 1, 0, 0))
    np.testing.assert_array_equal(found["building"], files.quarters(0, 0, 1, 0))
    np.testing.assert_array_equal(found["floor"], files.quarters(0, 0, 0, 1))


def test_coco_stuff_leaves_out_names_with_a_hyphen(tmp_path):
    files.cocostuff(tmp_path)
    found = masks_by_class(coco_stuff(Shared(root=tmp_path), PAPER), 0)
    # Quarters 255 (none), 0 person, 2 wall-brick (left out), 3 tree.
    assert set(found) == {"person", "tree"}
    np.testing.assert_array_equal(found["person"], files.quarters(0, 1, 0, 0))
    np.testing.assert_array_equal(found["tree"], files.quarters(0, 0, 0, 1))


def test_mapillary_has_readable_names_and_palette_indices(tmp_path):
    files.mapillary(tmp_path)
    found = masks_by_class(mapillary(Shared(root=tmp_path), PAPER), 0)
    assert set(found) == {"bird", "ground animal", "curb"}
    np.testing.assert_array_equal(found["bird"], files.quarters(1, 1, 0, 0))


@pytest.mark.parametrize("most", [1, 2, 3])
def test_no_more_than_so_many_classes(tmp_path, most):
    files.ade20k(tmp_path)
    source = ade20k(Shared(root=tmp_path, per_image=most), PAPER)
    sizes = {len(source.sample(0, random.Random(seed)).conversations) for seed in range(20)}
    assert sizes == {most}


def test_all_classes_at_once(tmp_path):
    files.ade20k(tmp_path)
    source = ade20k(Shared(root=tmp_path), SemanticOptions(several=1.0))
    sample = source.sample(0, random.Random(0))
    ((question, answer),) = sample.conversations[0]
    assert answer.count("[SEG]") == len(sample.masks) == 3
    places = sorted(("wall", "building", "floor"), key=question.index)
    truth = {"wall": (0, 1, 0, 0), "building": (0, 0, 1, 0), "floor": (0, 0, 0, 1)}
    for name, mask in zip(places, sample.masks, strict=True):
        np.testing.assert_array_equal(mask, files.quarters(*truth[name]))
    alone = source.sample(1, random.Random(0))  # one class only
    assert len(alone.masks) == 1


def test_a_false_premise_asks_for_a_class_that_is_not_there(tmp_path):
    files.ade20k(tmp_path)
    source = ade20k(Shared(root=tmp_path), SemanticOptions(false_premise=1.0))
    for seed in range(20):
        sample = source.sample(0, random.Random(seed))
        assert len(sample.conversations) == 3
        assert len(sample.masks) == 2
        ((question, answer),) = sample.conversations[-1]
        assert "sky" in question
        assert "sky" in answer
        assert "[SEG]" not in answer


def test_the_paper_has_neither(tmp_path):
    files.ade20k(tmp_path)
    source = ade20k(Shared(root=tmp_path), PAPER)
    for seed in range(50):
        sample = source.sample(0, random.Random(seed))
        assert all(turns[0][1].count("[SEG]") == 1 for turns in sample.conversations)


def test_classes_can_be_left_out(tmp_path):
    files.ade20k(tmp_path)
    source = ade20k(Shared(root=tmp_path), SemanticOptions(leave_out=("wall", "sky")))
    assert set(masks_by_class(source, 0)) == {"building", "floor"}
    with pytest.raises(NothingToAskError, match="ADE_train_00000002"):
        source.sample(1, random.Random(0))  # all sky
    with pytest.raises(DataError, match="'wal'"):
        ade20k(Shared(root=tmp_path), SemanticOptions(leave_out=("wal",)))


def label_file(root):
    return root / "ade20k" / "annotations" / "training" / "ADE_train_00000001.png"


def test_a_map_without_a_class_is_sound(tmp_path):
    files.ade20k(tmp_path)
    files.write_labels(label_file(tmp_path), files.quarters(0, 0, 0, 0))
    with pytest.raises(NothingToAskError, match="ADE_train_00000001"):
        ade20k(Shared(root=tmp_path), PAPER).sample(0, random.Random(0))


def damage_missing(path):
    path.unlink()


def damage_size(path):
    files.write_labels(path, np.ones((8, 9), np.uint8))


def damage_class(path):
    files.write_labels(path, files.quarters(0, 1, 2, 99))


def damage_bytes(path):
    path.write_bytes(path.read_bytes()[:40])


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (damage_missing, "no label map"),
        (damage_size, r"\(8, 9\)"),
        (damage_class, "label 98"),
        (damage_bytes, "decoded"),
    ],
)
def test_a_broken_label_map_is_named(tmp_path, damage, said):
    files.ade20k(tmp_path)
    damage(label_file(tmp_path))
    with pytest.raises(BadSampleError, match=said) as error:
        ade20k(Shared(root=tmp_path), PAPER).sample(0, random.Random(0))
    assert "ADE_train_00000001.png" in str(error.value)


def test_the_table_of_ade20k_may_be_the_csv(tmp_path):
    files.ade20k(tmp_path)
    base = tmp_path / "ade20k"
    names = ade20k_classes(base)
    (base / "objectInfo150.txt").unlink()
    rows = ["Idx,Ratio,Train,Val,Stuff,Name"]
    rows += [
        f"{k},0.1,10,1,1,{name.replace(', ', ';')}" for k, name in enumerate(files.ADE_CLASSES, 1)
    ]
    (base / "objectInfo150.csv").write_text("\n".join(rows))
    assert ade20k_classes(base) == names == ["wall", "building", "sky", "floor"]


@pytest.mark.parametrize(
    ("path", "text", "opener"),
    [
        ("ade20k/objectInfo150.txt", None, ade20k),
        ("ade20k/objectInfo150.txt", "", ade20k),
        ("ade20k/objectInfo150.txt", "Idx\tName\n1\twall\n3\tsky\n", ade20k),
        ("cocostuff/labels.txt", None, coco_stuff),
        ("cocostuff/labels.txt", "0: unlabeled\n", coco_stuff),
        ("cocostuff/labels.txt", "1: person\n3: tree\n", coco_stuff),
        ("cocostuff/labels.txt", "person\n", coco_stuff),
        ("mapillary/config_v2.0.json", None, mapillary),
        ("mapillary/config_v2.0.json", "{}", mapillary),
        ("mapillary/config_v2.0.json", '{"labels": []}', mapillary),
        ("mapillary/config_v2.0.json", '{"labels": [{"name": "x"}]}', mapillary),
    ],
)
def test_a_broken_list_of_classes_stops_at_the_start(tmp_path, path, text, opener):
    for writer in (files.ade20k, files.cocostuff, files.mapillary):
        writer(tmp_path)
    if text is None:
        (tmp_path / path).unlink()
    else:
        (tmp_path / path).write_text(text)
    with pytest.raises(DataError) as error:
        opener(Shared(root=tmp_path), PAPER)
    assert str(tmp_path / path) in str(error.value)
