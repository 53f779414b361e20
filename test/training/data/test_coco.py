from __future__ import annotations

import json

import pytest
from dataset_files import coco_json, write_json

from training.data.coco import coco_image_id, read_coco
from training.data.errors import DataError


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("000000000009.jpg", 9),
        ("000000000009.png", 9),
        ("train2017/000000581857.jpg", 581857),
        ("COCO_train2014_000000581857.jpg", 581857),
        ("coco/val2014/COCO_val2014_000000000042.jpg", 42),
        ("COCO_train2014_000000581857_16.jpg", 581857),  # REFER adds the annotation's number
        ("2008_000003.jpg", None),
        ("gqa/images/2354786.jpg", None),
        ("ADE_train_00000001.jpg", None),
        ("19/images/19579.jpg", None),
    ],
)
def test_coco_names_of_2014_and_2017_are_one_number(name, number):
    assert coco_image_id(name) == number


def test_annotations_are_found_by_image(tmp_path):
    categories = [{"id": 3, "name": "mug", "supercategory": "ware"}]
    annotations = [(10, 1, 3, []), (11, 1, 3, []), (12, 2, 3, [])]
    write_json(tmp_path / "x.json", coco_json({1: "a.jpg", 2: "b.jpg"}, annotations, categories))
    coco = read_coco(tmp_path / "x.json")
    assert coco.of_image == {1: [10, 11], 2: [12]}
    assert (coco.categories, coco.supercategories) == ({3: "mug"}, {3: "ware"})
    some = read_coco(tmp_path / "x.json", images_only=[2])
    assert list(some.annotations) == [12]


def test_entries_without_an_id_are_reported(tmp_path):
    values = coco_json({1: "a.jpg"}, [(10, 1, 3, [])], [])
    values["annotations"] += [{"id": 11}, None, {"id": "x", "image_id": 1}]
    values["images"].append({"file_name": "lost.jpg"})
    write_json(tmp_path / "x.json", values)
    coco = read_coco(tmp_path / "x.json")
    assert list(coco.annotations) == [10]
    assert len(coco.unusable) == 4


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("", "not JSON"),
        (json.dumps({"images": []})[:-4], "not JSON"),
        ("[]", "no list 'images'"),
        (json.dumps({"images": [], "annotations": {}, "categories": []}), "no list 'annotations'"),
        (json.dumps({"images": [], "annotations": [], "categories": []}), "no image"),
        ("[" * 100000, "not JSON"),
    ],
)
def test_a_broken_file_is_named(tmp_path, data, said):
    (tmp_path / "x.json").write_text(data)
    with pytest.raises(DataError, match=r"x\.json") as error:
        read_coco(tmp_path / "x.json")
    assert said in str(error.value)
