import json
from dataclasses import replace

import numpy as np
import pytest

from lisa_model.metrics import score_mask
from training.experiments.errors import ExperimentError
from training.homereason.evaluate import as_record, report, withheld_iou
from training.homereason.scoring import Outcome, summarise
from training.homereason.seeds import GOALS, goals_table, main, read, subsets_table


def outcome(subset, iou_tenths, *, frame="f0", fits=True, kind="explicit"):
    """A target of ten pixels, of which so many are marked."""
    truth = np.zeros((1, 20), dtype=bool)
    mask = np.zeros((1, 20), dtype=bool)
    if fits:
        truth[0, :10] = True
    mask[0, :iou_tenths] = True
    return Outcome(
        frame=frame,
        subset=subset,
        kind=kind,
        text=f"{subset} {frame}",
        score=score_mask(mask, truth),
        refused=iou_tenths == 0,
        fits=fits,
        confidence=iou_tenths / 10 if iou_tenths else None,
        error_mm=4.0 if fits and iou_tenths else None,
        seconds=1.0,
    )


def test_a_good_mask_that_is_withheld_is_a_good_one_lost():
    shown = outcome("a", 8)
    lost = replace(outcome("a", 0), withheld_iou=0.6)
    poor = replace(outcome("a", 0), withheld_iou=0.4)
    vain = replace(outcome("f", 0, fits=False), withheld_iou=0.0)
    figures = summarise([shown, shown, shown, lost, poor, vain])
    assert figures["withheld_good"] == pytest.approx(1 / 4)
    assert figures["refused"] == pytest.approx(2 / 5)
    assert summarise([poor])["withheld_good"] is None


def test_what_an_answer_withholds_is_scored():
    truth = np.zeros((1, 20), dtype=bool)
    truth[0, :10] = True
    held = np.zeros((2, 1, 20), dtype=bool)
    held[0, 0, :5] = held[1, 0, 5:8] = True
    assert withheld_iou(held, truth) == pytest.approx(0.8)
    assert withheld_iou(held & False, truth) is None
    assert withheld_iou(held[:0], truth) is None


def written(folder, name, *, marked, frames=2, trivial=1):
    rows = [
        outcome(subset, marked, frame=f"f{k}", fits=subset != "f")
        for k in range(frames)
        for subset in "acdef"
    ]
    poor = [outcome(one.subset, trivial, frame=one.frame, fits=one.fits) for one in rows]
    path = folder / f"{name}.json"
    path.write_text(
        json.dumps(
            report(
                {"model": rows, "whole": poor}, split="test", model=name, protocol="asked freely"
            )
        )
    )
    path.with_suffix(".jsonl").write_text(
        "".join(json.dumps(as_record(one)) + "\n" for one in rows)
    )
    return path


def cells(table, start):
    (row,) = [one for one in table.splitlines() if one.startswith(f"| {start}")]
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_figures_are_means_over_the_seeds_with_each_beside(tmp_path):
    paths = [written(tmp_path, "s0", marked=8), written(tmp_path, "s1", marked=6)]
    table = subsets_table(read(paths))
    row = cells(table, "(a)")
    assert row[1] == "2"
    assert row[2].startswith("70.0 (60.0 to 80.0)")
    assert row[3] == "80.0, 60.0"
    assert row[5:] == ["100.0 (100.0 to 100.0)", "0.0 (0.0 to 0.0)", "-"]
    assert cells(table, "(f)")[7] == "0.0 (0.0 to 0.0)"
    assert "(b)" not in table
    assert "2 frames of test, 2 seeds, asked freely" in table
    assert "median error 4.0 (4.0 to 4.0) mm" in table


def test_goals_say_whether_they_are_met_missed_or_not_measured(tmp_path):
    paths = [written(tmp_path, "s0", marked=8), written(tmp_path, "s1", marked=6)]
    table = goals_table(read(paths))
    assert cells(table, "(a) gIoU")[1:] == ["at least 0.650", "0.700", "0.800, 0.600", "met"]
    assert cells(table, "(f) nothing marked")[2:] == ["0.000", "0.000, 0.000", "**missed**"]
    assert cells(table, "(b) gIoU")[2:] == ["not measured", "", ""]
    assert cells(table, "(c) gIoU above the two-stage")[2] == "not measured"
    assert cells(table, "(c) gIoU above the best trivial")[2:4] == ["0.600", "0.700, 0.500"]
    two = written(tmp_path, "two", marked=4)
    table = goals_table(read(paths, two))
    assert cells(table, "(c) gIoU above the two-stage")[2:] == ["0.300", "0.400, 0.200", "met"]


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: goal.what)
def test_a_bound_itself_is_enough(goal):
    assert goal.met(goal.bound)
    worse = goal.bound - 0.01 if goal.at_least else goal.bound + 0.01
    assert not goal.met(worse)


def test_reports_that_do_not_belong_together_are_refused(tmp_path):
    first = written(tmp_path, "s0", marked=8)
    with pytest.raises(ExperimentError, match="of other frames"):
        read([first, written(tmp_path, "s1", marked=8, frames=3)])
    with pytest.raises(ExperimentError, match=r"two\.json is of other frames"):
        read([first], written(tmp_path, "two", marked=8, frames=3))
    with pytest.raises(ExperimentError, match=r"no report at .*--json"):
        read([tmp_path / "none.json"])
    first.with_suffix(".jsonl").unlink()
    with pytest.raises(ExperimentError, match=r"no records at .*--records"):
        read([first])
    other = tmp_path / "other.json"
    other.write_text("{}")
    with pytest.raises(ExperimentError, match="no report of HomeReason"):
        read([other])


def test_a_page_is_filled(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text(
        "x\n<!-- scores: subsets -->\n<!-- end: subsets -->\n"
        "<!-- scores: goals -->\n<!-- end: goals -->\n"
    )
    assert main([str(written(tmp_path, "s0", marked=8)), "--write", str(page)]) == 0
    text = page.read_text()
    assert "| (a) gIoU | at least 0.650 | 0.800 | 0.800 | met |" in text
    assert "(a) unseen scenes" in text
    assert main([str(tmp_path / "none.json")]) == 1
    assert "homereason: no report at" in capsys.readouterr().err
