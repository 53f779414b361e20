"""Every data set: a good copy yields samples, an empty one stops, a broken item is named."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dataset_files as files
import pytest

from training.data.errors import BadSampleError, DataError
from training.data.registry import KINDS
from training.data.sample import Sample
from training.data.source import Count, Shared, Source
from training.data.sources.household import HouseholdOptions

REFER = {"refclef": "unc", "refcoco": "unc", "refcoco+": "unc", "refcocog": "umd"}


@dataclass(frozen=True)
class Case:
    """How a set is written, and which files make it up.

    Attributes:
        write: makes a good copy below a folder.
        image: pattern of its images.
        main: the file or folder without which it is nothing.
        empty: turns a good copy into one that is there but holds nothing.
    """

    write: Callable[[Path], None]
    image: str
    main: str
    empty: Callable[[Path], None]


def clear(path: Path) -> None:
    for one in path.iterdir():
        one.unlink()


def no_entries(path: Path) -> None:
    values = json.loads(path.read_text())
    values = [] if isinstance(values, list) else {key: [] for key in values}
    path.write_text(json.dumps(values))


def empty_folder(name: str) -> Callable[[Path], None]:
    return lambda root: clear(root / name)


def empty_json(name: str) -> Callable[[Path], None]:
    return lambda root: no_entries(root / name)


def empty_pickle(name: str) -> Callable[[Path], None]:
    return lambda root: files.write_pickle(root / name, [])


def refer_case(name: str, partition: str) -> Case:
    refs = f"refer_seg/{name}/refs({partition}).p"
    return Case(
        (lambda root: files.refclef(root))
        if name == "refclef"
        else (lambda root: files.refcoco(root, name, partition)),
        "refer_seg/images/**/*.jpg",
        refs,
        empty_pickle(refs),
    )


PACO = "vlpart/paco/annotations/paco_lvis_v1_train.json"
PASCAL = "vlpart/pascal_part/train.json"
TALK = "llava_dataset/{}.json"
VISTAS = "mapillary/training/v2.0/labels"
CASES = {
    "ade20k": Case(
        files.ade20k,
        "ade20k/images/training/*.jpg",
        "ade20k/images/training",
        empty_folder("ade20k/images/training"),
    ),
    "cocostuff": Case(
        files.cocostuff,
        "coco/train2017/*.jpg",
        "cocostuff/train2017",
        empty_folder("cocostuff/train2017"),
    ),
    "mapillary": Case(
        files.mapillary, "mapillary/training/images/*.jpg", VISTAS, empty_folder(VISTAS)
    ),
    "paco_lvis": Case(files.paco_lvis, "coco/train2017/*.jpg", PACO, empty_json(PACO)),
    "pascal_part": Case(files.pascal_part, "vlpart/**/*.jpg", PASCAL, empty_json(PASCAL)),
    "partimagenet": Case(
        files.partimagenet,
        "partimagenet/**/*.JPEG",
        "partimagenet/train.json",
        empty_json("partimagenet/train.json"),
    ),
    **{name: refer_case(name, partition) for name, partition in REFER.items()},
    "grefcoco": Case(
        files.grefcoco,
        "refer_seg/images/**/*.jpg",
        "refer_seg/grefcoco/grefs(unc).json",
        empty_json("refer_seg/grefcoco/grefs(unc).json"),
    ),
    **{
        name: Case(
            getattr(files, name),
            "**/*.jpg",
            TALK.format(name),
            empty_json(TALK.format(name)),
        )
        for name in ("llava_instruct_150k", "llava_v1_5_mix665k")
    },
    "reason_seg": Case(
        files.reason_seg,
        "reason_seg/ReasonSeg/train/*.jpg",
        "reason_seg/ReasonSeg/train",
        empty_folder("reason_seg/ReasonSeg/train"),
    ),
    "household": Case(
        files.household, "household/train/*.jpg", "household/train", empty_folder("household/train")
    ),
}


def open_set(name: str, root: Path, **shared: Any) -> Source:
    options: Any = KINDS[name].options()
    if name == "household":
        options = HouseholdOptions(folder=root / "household", min_area=10)
    return KINDS[name].open(Shared(root=root, **shared), options)


def test_every_set_has_a_case():
    assert set(CASES) == set(KINDS)


@pytest.fixture(params=list(CASES))
def name(request):
    return request.param


@pytest.fixture
def root(name, tmp_path):
    CASES[name].write(tmp_path)
    return tmp_path


def test_a_good_copy_yields_samples(name, root):
    source = open_set(name, root)
    assert (source.name, source.family) == (name, KINDS[name].family)
    assert len(source) > 0
    assert all(isinstance(one, Count) and one.found > 0 for one in source.counts())
    for index in range(len(source)):
        for seed in range(8):
            sample = source.sample(index, random.Random(seed))
            assert isinstance(sample, Sample)  # which checks itself
            assert sample.provenance.family == source.family
            assert sample.provenance.set == name
            assert sample.provenance.key == source.key(index)
            assert 1 <= len(sample.conversations) <= 3
            assert sample.image.shape == (files.HEIGHT, files.WIDTH, 3)
            if source.family == "vqa":
                assert len(sample.masks) == 0


def test_the_same_random_numbers_give_the_same_sample(name, root):
    first, second = (open_set(name, root) for _ in range(2))
    for seed in range(5):
        a = first.sample(0, random.Random(seed))
        b = second.sample(0, random.Random(seed))
        assert a.conversations == b.conversations
        assert a.masks.tobytes() == b.masks.tobytes()


def test_a_missing_set_stops_with_the_place_and_the_remedy(name, root):
    path = root / CASES[name].main
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(DataError) as error:
        open_set(name, root)
    assert str(path) in str(error.value)
    assert "docs/data.md" in str(error.value) or "training/household" in str(error.value)


def test_an_empty_set_stops_with_the_place(name, root):
    CASES[name].empty(root)
    with pytest.raises(DataError) as error:
        open_set(name, root)
    assert str(root / CASES[name].main) in str(error.value)


@pytest.mark.parametrize("damage", ["missing", "cut off", "no image", "empty"])
def test_a_broken_image_is_named(name, root, damage):
    source = open_set(name, root)
    for path in root.glob(CASES[name].image):
        data = path.read_bytes()
        path.unlink()
        if damage != "missing":
            kept = {"cut off": data[: len(data) * 2 // 3], "no image": b"text", "empty": b""}
            path.write_bytes(kept[damage])
    for index in range(len(source)):
        with pytest.raises(BadSampleError) as error:
            source.sample(index, random.Random(0))
        assert Path(source.key(index)).stem in str(error.value) or name.startswith("llava")
        assert ".jp" in str(error.value).lower()


@pytest.mark.parametrize(
    "name", [k for k, one in CASES.items() if one.main.endswith((".json", ".p"))]
)
def test_a_broken_main_file_stops_at_the_start(name, root):
    path = root / CASES[name].main
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError) as error:
        open_set(name, root)
    assert str(path) in str(error.value)


SCORED_SETS = [
    *("cocostuff", "paco_lvis", "llava_instruct_150k", "llava_v1_5_mix665k"),
    *("refcoco", "refcoco+", "refcocog", "grefcoco"),
]


@pytest.mark.parametrize("name", SCORED_SETS)
def test_images_of_refcoco_validation_are_left_out(name, tmp_path):
    CASES[name].write(tmp_path)
    excluded = frozenset({*files.COCO_SCORED, 25})
    whole, less = open_set(name, tmp_path), open_set(name, tmp_path, excluded=excluded)
    assert len(less) < len(whole)
    used = {less.sample(k, random.Random(0)).image_file.name for k in range(len(less))}
    assert used
    assert not any(f"{one:012d}" in file for one in excluded for file in used)
    assert any("left out" in note for note in less.notes)
    assert less.counts() == whole.counts()


@pytest.mark.parametrize("name", SCORED_SETS)
def test_a_set_of_nothing_but_excluded_images_stops(name, tmp_path):
    CASES[name].write(tmp_path)
    if name == "llava_v1_5_mix665k":
        path = tmp_path / "llava_dataset" / f"{name}.json"
        files.write_json(path, [one for one in json.loads(path.read_text()) if one["id"] in "ab"])
    everything = frozenset({*files.COCO_TRAIN, *files.COCO_SCORED})
    with pytest.raises(DataError, match=r"exclude|left out"):
        open_set(name, tmp_path, excluded=everything)


def test_numbers_of_refclef_are_not_those_of_coco(tmp_path):
    files.refclef(tmp_path)
    assert len(open_set("refclef", tmp_path, excluded=frozenset({77}))) == 1
