from __future__ import annotations

import json
import random

import dataset_files as files
import numpy as np
import pytest

from training.data.errors import BadSampleError, DataError
from training.data.source import Shared
from training.data.sources.parts import PartOptions, paco_lvis, part_image_net, pascal_part

PAPER = PartOptions()
PACO = "vlpart/paco/annotations/paco_lvis_v1_train.json"


def asked(source, index, draws=60):
    """Questions (the templates' words taken away do not matter) -> mask."""
    out = {}
    for seed in range(draws):
        sample = source.sample(index, random.Random(seed))
        for turns, mask in zip(sample.conversations, sample.masks, strict=True):
            out[turns[0][0]] = mask
    return out


def test_paco_names_objects_and_parts_both_ways(tmp_path):
    files.paco_lvis(tmp_path)
    found = asked(paco_lvis(Shared(root=tmp_path), PAPER), 0)
    for name in ("mug", "trash_can handle", "handle of the trash_can"):
        assert any(f" {name} in" in question for question in found), name
    assert not any("cup" in question or ":" in question for question in found)
    whole = files.box_mask(2, 3, 12, 13) | files.box_mask(20, 3, 24, 7)
    for question, mask in found.items():
        truth = files.box_mask(5, 0, 8, files.HEIGHT) if "handle" in question else whole
        np.testing.assert_array_equal(mask, truth)


def test_images_without_annotations_are_not_drawn(tmp_path):
    files.paco_lvis(tmp_path)
    source = paco_lvis(Shared(root=tmp_path), PAPER)
    assert len(source) == 2  # of three images
    assert any("1 images have no annotation" in note for note in source.notes)


def test_three_of_five_annotations_at_a_time(tmp_path):
    files.pascal_part(tmp_path)
    source = pascal_part(Shared(root=tmp_path), PAPER)
    samples = [source.sample(0, random.Random(seed)) for seed in range(30)]
    assert {len(sample.masks) for sample in samples} == {3}
    starts = {int(mask.argmax()) for sample in samples for mask in sample.masks}
    assert len(starts) == 5


def test_several_parts_at_once(tmp_path):
    files.pascal_part(tmp_path)
    source = pascal_part(Shared(root=tmp_path), PartOptions(several=1.0))
    sample = source.sample(0, random.Random(1))
    ((question, answer),) = sample.conversations[0]
    assert answer.count("[SEG]") == len(sample.masks) == 3
    assert "the the" not in question


def test_partimagenet_names_come_from_the_supercategory(tmp_path):
    files.partimagenet(tmp_path)
    found = asked(part_image_net(Shared(root=tmp_path), PAPER), 0)
    assert all("quadruped head" in q or "the head of the quadruped" in q for q in found)
    for mask in found.values():
        np.testing.assert_array_equal(mask, files.box_mask(4, 4, 10, 12))


@pytest.mark.parametrize("place", ["train", "images/train"])
def test_partimagenet_images_may_lie_flat(tmp_path, place):
    files.partimagenet(tmp_path)
    base = tmp_path / "partimagenet"
    (base / place).mkdir(parents=True, exist_ok=True)
    image = base / "train" / "n01440764" / "n01440764_10029.JPEG"
    image.rename(base / place / image.name)
    sample = part_image_net(Shared(root=tmp_path), PAPER).sample(0, random.Random(0))
    assert sample.image_file == base / place / image.name


def change(root, entry):
    values = json.loads((root / PACO).read_text())
    values["annotations"] = [{"id": 1, "image_id": 9} | entry]
    (root / PACO).write_text(json.dumps(values))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"category_id": 1}, "segmentation"),
        ({"segmentation": [[1, 1, 5, 1, 5, 5]]}, "category_id"),
        ({"segmentation": [[1, 1, 5, 1, 5, 5]], "category_id": 77}, "77"),
        ({"segmentation": "x", "category_id": 1}, "str"),
        ({"segmentation": [["a", "b", "c", "d", "e", "f"]], "category_id": 1}, "could not convert"),
        ({"segmentation": {"size": [3, 3], "counts": [9]}, "category_id": 1}, "size"),
    ],
)
def test_a_broken_annotation_is_named(tmp_path, entry, said):
    files.paco_lvis(tmp_path)
    change(tmp_path, entry)
    with pytest.raises(BadSampleError, match=said) as error:
        paco_lvis(Shared(root=tmp_path), PAPER).sample(0, random.Random(0))
    assert "annotation 1" in str(error.value)
    assert "paco_lvis_v1_train.json" in str(error.value)


@pytest.mark.parametrize("name", ["a:b:c", "mug:", ""])
def test_a_category_that_is_neither_object_nor_part_stops_at_the_start(tmp_path, name):
    files.paco_lvis(tmp_path)
    values = json.loads((tmp_path / PACO).read_text())
    values["categories"][0]["name"] = name
    (tmp_path / PACO).write_text(json.dumps(values))
    with pytest.raises(DataError, match="OBJECT:PART"):
        paco_lvis(Shared(root=tmp_path), PAPER)


def test_a_partimagenet_category_without_a_part_stops_at_the_start(tmp_path):
    files.partimagenet(tmp_path)
    path = tmp_path / "partimagenet" / "train.json"
    values = json.loads(path.read_text())
    values["categories"][0]["name"] = "Quadruped"
    path.write_text(json.dumps(values))
    with pytest.raises(DataError, match="OBJECT PART"):
        part_image_net(Shared(root=tmp_path), PAPER)
