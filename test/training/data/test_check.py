from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import dataset_files as files
import numpy as np
import pytest
import yaml

from lisa_model.cli import main
from training.data import check, published
from training.data.config import parse_config
from training.data.contact_sheet import TILE_HEIGHT, TILE_WIDTH, contact_sheet
from training.data.registry import KINDS
from training.data.source import Count


def values(root, *, exclude=False, **families):
    return {
        "root": str(root),
        "exclude_refer_validation": exclude,
        "families": {name: {"rate": 1, "sets": sets} for name, sets in families.items()},
    }


def config_file(tmp_path, content):
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


PAPER = Path(__file__).parents[3] / "config" / "data" / "lisa_paper.yaml"
ALL = {
    "semantic": [k for k, kind in KINDS.items() if kind.family == "semantic"],
    "referring": [k for k, kind in KINDS.items() if kind.family == "referring"],
    "vqa": [k for k, kind in KINDS.items() if kind.family == "vqa"],
    "reasoning": ["reason_seg"],
}


@pytest.fixture
def fixture_numbers(monkeypatch):
    """The fixtures' own sizes in the place of the published ones."""
    numbers = {
        ("reason_seg", "train", "images"): 2,
        ("reason_seg", "val", "images"): 1,
        ("reason_seg", "test", "images"): 1,
    }
    monkeypatch.setattr(check, "PUBLISHED", numbers)
    return numbers


def test_a_whole_download_is_in_order(whole_root, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(check, "PUBLISHED", {})
    household = {"name": "household", "folder": str(whole_root / "household"), "min_area": 10}
    families = ALL | {"reasoning": ["reason_seg", household]}
    path = config_file(tmp_path, values(whole_root, exclude=True, **families))
    report, sheet = tmp_path / "out" / "report.json", tmp_path / "out" / "sheet.png"
    code = main(["data", "check", str(path), "--json", str(report), "--contact-sheet", str(sheet)])
    output = capsys.readouterr()
    assert code == 0, output.err
    result = json.loads(report.read_text())
    assert result["ok"]
    assert result["problems"] == []
    assert [one["name"] for one in result["sets"]] == list(KINDS)
    assert all(one["checked"] == one["items"] > 0 for one in result["sets"])
    assert all(one["broken"] == [] for one in result["sets"])
    picture = cv2.imread(str(sheet))
    assert picture.shape[1] == 4 * TILE_WIDTH
    assert picture.shape[0] % TILE_HEIGHT == 0
    for name in KINDS:
        assert name in output.out


def test_published_numbers_are_compared(whole_root, tmp_path, fixture_numbers, capsys):
    content = values(whole_root, reasoning=["reason_seg"])
    assert main(["data", "check", str(config_file(tmp_path, content))]) == 0
    fixture_numbers["reason_seg", "val", "images"] = 200
    assert main(["data", "check", str(config_file(tmp_path, content))]) == 1
    output = capsys.readouterr()
    assert "reason_seg val: 1 images, published are 200" in output.err
    assert "DIFFERS" in output.out


def test_reason_seg_is_compared_with_239_200_779():
    numbers = [
        published.PUBLISHED["reason_seg", split, "images"] for split in ("train", "val", "test")
    ]
    assert numbers == [239, 200, 779]


def test_published_numbers_belong_to_what_is_counted(whole_root):
    counted = set()
    for family, names in ALL.items():
        config = parse_config(values(whole_root, **{family: names}))
        reports, _, _ = check.check(config)
        counted |= {(r.name, one.split, one.what) for r in reports for one in r.counts}
    # Splits that the fixtures do not have.
    for name, split, what in published.PUBLISHED:
        known = {(n, w) for n, _, w in counted}
        assert (name, what) in known, (name, split, what)


def test_published_sums_are_the_published_totals():
    def total(name, what):
        return sum(v for (n, _, w), v in published.PUBLISHED.items() if (n, w) == (name, what))

    assert (total("refcoco", "images"), total("refcoco", "references")) == (19994, 50000)
    assert total("refcoco", "sentences") == 142210
    assert (total("refcoco+", "images"), total("refcoco+", "references")) == (19992, 49856)
    assert total("refcoco+", "sentences") == 141564
    assert (total("refcocog", "images"), total("refcocog", "references")) == (25799, 49822)
    assert total("refcocog", "sentences") == 95010


def test_broken_files_and_missing_sets_are_listed_by_name(tmp_path, fixture_numbers, capsys):
    files.reason_seg(tmp_path)
    files.ade20k(tmp_path)
    (tmp_path / "ade20k" / "annotations" / "training" / "ADE_train_00000002.png").unlink()
    (tmp_path / "reason_seg" / "ReasonSeg" / "train" / "two.json").write_text("{")
    content = values(tmp_path, semantic=["ade20k", "mapillary"], reasoning=["reason_seg"])
    report = tmp_path / "report.json"
    code = main(["data", "check", str(config_file(tmp_path, content)), "--json", str(report)])
    output = capsys.readouterr()
    assert code == 1
    assert output.err.strip().splitlines()[-1].startswith("lisa: the data is not in order")
    for name in ("ADE_train_00000002.png", "two.json", str(tmp_path / "mapillary")):
        assert name in output.out
    sets = {one["name"]: one for one in json.loads(report.read_text())["sets"]}
    assert [one["key"] for one in sets["ade20k"]["broken"]] == ["ADE_train_00000002.jpg"]
    assert sets["ade20k"]["checked"] == 2
    assert sets["mapillary"]["error"]
    assert [one["key"] for one in sets["reason_seg"]["broken"]] == ["train/two.jpg"]


def test_a_set_that_yields_nothing_is_a_problem(tmp_path, monkeypatch):
    monkeypatch.setattr(check, "PUBLISHED", {})
    files.ade20k(tmp_path)
    for path in (tmp_path / "ade20k" / "annotations" / "training").iterdir():
        files.write_labels(path, files.quarters(0, 0, 0, 0))
    reports, samples, problems = check.check(parse_config(values(tmp_path, semantic=["ade20k"])))
    assert (samples, problems) == ([], [])
    assert reports[0].nothing_to_ask == 2
    assert reports[0].problems == ["ade20k: not one of 2 items yields a sample"]


def test_missing_splits_of_refcoco_do_not_keep_the_rest_from_being_checked(tmp_path):
    files.ade20k(tmp_path)
    config = parse_config(values(tmp_path, exclude=True, semantic=["ade20k"]))
    reports, _, problems = check.check(config)
    assert reports[0].checked == 2
    (one,) = problems
    assert "exclude_refer_validation" in one


def test_a_limit_reads_items_evenly_spread(tmp_path, whole_root):
    assert check.chosen_items(10, None) == list(range(10))
    assert check.chosen_items(3, 5) == [0, 1, 2]
    assert check.chosen_items(10, 3) == [0, 3, 6]
    content = values(whole_root, reasoning=["reason_seg"])
    reports, _, _ = check.check(parse_config(content), limit=1)
    assert (reports[0].checked, reports[0].items) == (1, 2)
    assert main(["data", "check", str(config_file(tmp_path, content)), "--limit", "0"]) == 1


@pytest.mark.parametrize("content", [None, {"root": "x", "familys": {}}])
def test_a_wrong_configuration_is_one_line(tmp_path, content, capsys):
    path = tmp_path / "config.yaml"
    if content is not None:
        config_file(tmp_path, content)
    assert main(["data", "check", str(path)]) == 1
    captured = capsys.readouterr()
    assert "config.yaml" in captured.err
    assert len(captured.err.strip().splitlines()) == 1


def test_a_split_that_is_not_there_is_shown_and_no_problem(tmp_path, fixture_numbers):
    files.reason_seg(tmp_path)
    shutil.rmtree(tmp_path / "reason_seg" / "ReasonSeg" / "test")
    config = parse_config(values(tmp_path, reasoning=["reason_seg"]))
    reports, _, problems = check.check(config)
    (one,) = [count for count in reports[0].counts if count.split == "test"]
    assert (one.found, one.published, one.ok) == (None, 1, True)
    assert reports[0].problems == []
    assert "not here" in check.table(reports, problems)


def test_a_count_without_a_published_number_is_only_shown():
    (one,) = check.compare("household", [Count(split="train", what="frames", found=5)])
    assert one.published is None
    assert one.ok


def test_masks_are_drawn_on_the_contact_sheet(whole_root):
    config = parse_config(values(whole_root, reasoning=["reason_seg"]))
    _, samples, _ = check.check(config)
    with_masks = next(one for one in samples if len(one.masks))
    bare = np.asarray(contact_sheet([with_masks]))
    object.__setattr__(with_masks, "masks", np.zeros_like(with_masks.masks))
    without = contact_sheet([with_masks])
    changed = (bare != without).any(axis=-1)
    scale = min(TILE_WIDTH / files.WIDTH, 260 / files.HEIGHT)
    inside = changed[int(6 * scale) : int(9 * scale), int(6 * scale) : int(9 * scale)]
    assert inside.mean() > 0.95
    assert not changed[: int(2 * scale), : int(2 * scale)].any()
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet([])


def test_the_shipped_example_says_what_is_missing(tmp_path, capsys, monkeypatch):
    shutil.copy(PAPER, tmp_path / "c.yaml")
    monkeypatch.chdir(tmp_path)
    assert main(["data", "check", "c.yaml"]) == 1
    output = capsys.readouterr()
    assert output.out.count("UNUSABLE") == 11
