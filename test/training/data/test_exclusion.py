from __future__ import annotations

import dataset_files as files
import pytest

from training.data.errors import DataError
from training.data.exclusion import SCORED, scored_images
from training.data.refs import read_refs, refs_file


def test_validation_and_test_images_of_all_three_sets(tmp_path):
    for name, partition in SCORED:
        files.refcoco(tmp_path, name, partition)
    assert scored_images(tmp_path) == set(files.COCO_SCORED)
    more = files.ref(1234, "testB", 5, "a bird")
    path = refs_file(tmp_path, "refcoco+", "unc")
    files.write_pickle(path, [files.ref(9, "train", 90, "x"), more])
    assert scored_images(tmp_path) == {*files.COCO_SCORED, 1234}


@pytest.mark.parametrize("missing", [name for name, _ in SCORED])
def test_a_missing_set_is_no_reason_to_exclude_less(tmp_path, missing):
    for name, partition in SCORED:
        if name != missing:
            files.refcoco(tmp_path, name, partition)
    with pytest.raises(DataError, match="exclude_refer_validation") as error:
        scored_images(tmp_path)
    assert f"/{missing}/" in str(error.value)


def test_a_file_with_training_images_only_is_not_the_whole(tmp_path):
    for name, partition in SCORED:
        files.refcoco(tmp_path, name, partition)
    path = refs_file(tmp_path, "refcoco", "unc")
    files.write_pickle(path, [files.ref(9, "train", 90, "x")])
    with pytest.raises(DataError, match="no validation or test image"):
        scored_images(tmp_path)


def test_broken_entries_are_reported_beside_the_usable_ones(tmp_path):
    good = files.ref(9, "train", [90, 91], "two mugs")
    broken = [
        {},
        7,
        files.ref(9, "train", [-1, 90], "both"),
        files.ref(9, "train", 90, " "),
        files.ref(9, "train", 90),
        files.ref(9, "train", "x", "a"),
    ]
    files.write_json(tmp_path / "grefs(unc).json", [good, *broken])
    refs = read_refs(tmp_path / "grefs(unc).json")
    assert [ref.annotations for ref in refs.usable] == [(90, 91)]
    assert len(refs.broken) == len(broken)
    assert all(f"[{k}]" in why for k, why in enumerate(refs.broken, 1))
    files.write_json(tmp_path / "grefs(unc).json", broken)
    with pytest.raises(DataError, match="no usable expression"):
        read_refs(tmp_path / "grefs(unc).json")
