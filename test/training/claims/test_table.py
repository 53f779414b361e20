import json
from pathlib import Path

import pytest

from training.claims.plan import Budget, plan
from training.claims.registry import CLAIMS
from training.claims.table import claim_table, main, open_note
from training.evaluation.tables import published
from training.experiments.places import RECORDS, REPORT, Places
from training.experiments.runner import make
from training.experiments.runs import Data
from training.experiments.tables import fill
from training.tiny.stage_joint import JointRecipe

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "claims.md"
# gIoU in tenths by what is scored.
VALUES = {"few": 6, "few_one_wording": 4}


@pytest.fixture
def work(tmp_path):
    """Finished runs of one claim, seeds 0 and 1, whose scores are made up."""
    places = Places(
        work=tmp_path, frames=tmp_path, features=tmp_path, questions=(), scored=tmp_path
    )
    data = Data(training="t", scored="s", split="test")
    runs = plan(["rephrasing"], [0, 1], budget=Budget(joint_steps=77), data=data)

    def carry(run_file):
        run = json.loads(run_file.read_text())["run"]
        if run["stage"] == "score":
            right = VALUES[run["settings"]["key"]]
            score = {"intersection": 10 * right, "union": 100}
            rows = [
                {"frame": f"f{k}", "kind": kind, "text": "x", "score": score}
                for k in range(5)
                for kind in ("explicit", "imperative")
            ]
            folder = run_file.parent
            (folder / RECORDS).write_text("".join(json.dumps(row) + "\n" for row in rows))
            (folder / REPORT).write_text("{}")

    make(runs, places, carry=carry, progress=lambda _: None)
    return tmp_path


def test_a_table_shows_values_intervals_and_the_paper(work):
    text = claim_table(CLAIMS["rephrasing"], work, [0, 1, 2], split="test", limit=None)
    lines = text.splitlines()
    several = next(line for line in lines if line.startswith("| several wordings"))
    assert several.count("60.0 (60.0 to 60.0)") == 3
    assert "52.9 / 54.0 (4, 3: both)" in several
    assert "+20.0 (+20.0 to +20.0) (reasoning)" in text
    assert "paper: +2.2" in text
    assert "Seeds 0, 1; 5 reasoning questions of 10, 5 frames of test." in text
    assert "Steps: finetune 150, joint 77, text 300, vision 2000." in text


def test_a_claim_without_all_its_rows_has_no_table(work):
    for split, limit in (("val", None), ("test", 7)):
        assert claim_table(CLAIMS["rephrasing"], work, [0], split=split, limit=limit) is None
    assert claim_table(CLAIMS["samples"], work, [0, 1], split="test", limit=None) is None
    assert claim_table(CLAIMS["rephrasing"], work, [5], split="test", limit=None) is None


def test_the_page_is_filled_again_and_again(work, tmp_path, capsys):
    page = tmp_path / "claims.md"
    page.write_text(PAGE.read_text())
    arguments = ["--work", str(work), "--write", str(page)]
    assert main(arguments) == 0
    first = page.read_text()
    assert "| several wordings of each sample | 60.0" in first
    assert open_note(CLAIMS["samples"]) in first
    assert main(arguments) == 0
    assert page.read_text() == first
    capsys.readouterr()


def test_every_claim_has_its_block_in_the_docs():
    tables = {name: open_note(claim) for name, claim in CLAIMS.items()}
    assert fill(PAGE.read_text(), "claim", tables)


def test_the_docs_tell_the_default_budget():
    page, budget = PAGE.read_text(), Budget()
    for stage, steps in (
        ("vision", budget.vision_steps),
        ("text", budget.text_steps),
        ("joint", budget.joint_steps),
        ("fine-tuning", budget.finetune_steps),
    ):
        assert f"| {stage} | {steps} |" in page
    frames = JointRecipe().frames
    assert f"of {frames} frames a step about {budget.reasoning_share * frames:.0f}" in page
    assert f"with {frames * budget.finetune_steps} draws in all" in page


def paper_rows():
    return [row for claim in CLAIMS.values() for row in claim.rows if row.paper]


def test_the_papers_figures_are_those_of_the_project_s_other_pages():
    ablations = (ROOT / "docs" / "ablations.md").read_text()
    val = {
        one["name"]: tuple(one["values"][:2]) for one in published()["tables"]["reasonseg"]["rows"]
    }
    for row in paper_rows():
        if row.paper_row.endswith(", val"):
            assert val[row.paper_row.removesuffix(", val")] == row.paper
        else:
            line = next(one for one in ablations.splitlines() if f"| {row.paper_row} |" in one)
            assert f"| {row.paper[0]} / {row.paper[1]}" in line


def test_two_rows_of_a_claim_stand_for_the_same_table_of_the_paper():
    for claim in CLAIMS.values():
        rows = [row for row in claim.rows if row.paper]
        assert len({row.paper_row for row in rows}) == len(rows)
