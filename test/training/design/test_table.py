import json
from pathlib import Path

import pytest

from lisa_model.config import preset
from training.design.plan import Budget, plan_inference, plan_training
from training.design.settings import INFERENCE
from training.design.table import all_tables, main, open_note
from training.design.variants import TRAINED
from training.experiments.errors import ExperimentError
from training.experiments.places import RECORDS, REPORT, Places
from training.experiments.runner import make
from training.experiments.runs import Data
from training.experiments.tables import fill

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "tiny_design.md"
DATA = Data(training="t", scored="s", split="val")
# IoU in tenths by what is scored.
RIGHT = {"own": 4, "bfloat16": 3, "base": 6, "no_referent": 2}


def write_scores(run_file, *, seconds=1.0, mb=17.0):
    """Made-up scores of a run: per frame a small explicit and a large implicit question."""
    run = json.loads(run_file.read_text())["run"]
    if run["stage"] != "score":
        return
    right = RIGHT[run["id"].split("/")[-1]]
    rows = [
        {
            "frame": f"f{k}", "kind": kind, "text": "x", "area_px": area, "seconds": time,
            "new_image": new, "score": {"intersection": 10 * part, "union": 100},
        }
        for k in range(5)
        for kind, area, part, new, time in (
            ("explicit", 250.0, right, True, seconds),
            ("imperative", 9000.0, right + 2, False, 0.5),
            ("two_targets", None, right + 1, False, 0.5),
        )
    ]  # fmt: skip
    folder = run_file.parent
    (folder / RECORDS).write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = {
        "run": run, "split": "val", "sizes": [[640, 480]], "threads": 1, "load": [0.5, 2.0],
        "machine": "x86_64 Linux", "weights_mb": mb, "config": preset("lisa-tiny").to_dict(),
    }  # fmt: skip
    (folder / REPORT).write_text(json.dumps(report))


@pytest.fixture
def places(tmp_path):
    return Places(work=tmp_path, frames=tmp_path, features=tmp_path, questions=(), scored=tmp_path)


def made(places, carry=write_scores, seeds=(0,)):
    runs = plan_inference(["precision"], data=DATA, model="m", concepts=197)
    runs += plan_training(["referent"], seeds, budget=Budget(joint_steps=77), data=DATA)
    make(runs, places, carry=carry, progress=lambda _: None)
    return all_tables(places.work, seeds, split="val", limit=None)


def row(text, label):
    return [cell.strip() for cell in next(
        line for line in text.splitlines() if line.startswith(f"| {label} |")
    ).split("|")[1:-1]]  # fmt: skip


def test_a_table_shows_each_group_and_the_difference_to_the_first_row(places):
    found = made(places)
    text = found["referent"]
    assert row(text, "lisa-tiny") == [
        "lisa-tiny", "70.0 (70.0 to 70.0)", "-", "60.0", "80.0", "17.0", "1.00 / 1.00",
        "0.50 / 0.50",
    ]  # fmt: skip
    assert row(text, "no referent")[1:5] == [
        "30.0 (30.0 to 30.0)", "-40.0 (-40.0 to -40.0)", "20.0", "40.0",
    ]  # fmt: skip
    assert "| gIoU by area | 0 to 300 px (n=5) | from 6000 px (n=5) |" in text
    assert "| no referent | 20.0; -40.0 (-40.0 to -40.0) | 40.0; -40.0 (-40.0 to -40.0) |" in text
    assert "15 questions on 5 frames of val (640 x 480); seed 0; one training" in text
    assert "threads 1, load average 0.5 to 2.0." in text
    assert "Steps: joint 77, text 300, vision 1000." in text
    assert (
        "own setting is patches 1200, zoom_patches 768, zoom_candidates 3, reference_floor 0.3, "
        "float32; one training" in found["precision"]
    )
    assert "Steps" not in found["precision"]
    assert found["lora"] == open_note(TRAINED["lora"])


def test_several_seeds_are_averaged(places):
    assert "; seed 0, 1. Seconds" in made(places, seeds=(0, 1))["referent"]


def test_what_breaks_the_budget_is_marked(places):
    def carry(run_file):
        write_scores(run_file, seconds=2.6, mb=60.1)

    cells = row(made(places, carry)["referent"], "lisa-tiny")
    assert cells[5:7] == ["60.1 (over 60)", "2.60 (over 2.5) / 2.60"]


def test_rows_that_were_asked_other_questions_are_refused(places):
    def carry(run_file):
        write_scores(run_file)
        records = run_file.parent / RECORDS
        if run_file.parent.name == "bfloat16":
            records.write_text(records.read_text().replace('"x"', '"y"'))

    with pytest.raises(ExperimentError, match="bfloat16 was asked other questions than own"):
        made(places, carry)


def test_the_page_is_filled_again_and_again(places, tmp_path, capsys):
    made(places)
    page = tmp_path / "page.md"
    page.write_text(PAGE.read_text())
    arguments = ["--work", str(places.work), "--write", str(page)]
    assert main(arguments) == 0
    first = page.read_text()
    assert "| no referent | 30.0" in first
    assert open_note(TRAINED["lora"]) in first
    assert main(arguments) == 0
    assert page.read_text() == first
    capsys.readouterr()


def test_every_choice_has_its_block_in_the_docs():
    notes = {name: open_note(one) for name, one in {**INFERENCE, **TRAINED}.items()}
    assert fill(PAGE.read_text(), "choice", notes)


def test_the_docs_tell_the_default_budget():
    page, budget = PAGE.read_text(), Budget()
    for stage, steps in (
        ("vision", f"{budget.vision_steps}, after {budget.align_steps} of patches alone"),
        ("text", budget.text_steps),
        ("joint", budget.joint_steps),
    ):
        assert f"| {stage} | {steps} |" in page
