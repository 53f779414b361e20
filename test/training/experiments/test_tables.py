import json

import pytest

from training.experiments.errors import ExperimentError
from training.experiments.places import DONE_FILE, RECORDS, REPORT, RUN_FILE
from training.experiments.tables import fill, open_note, read_rows, steps_of

PAGE = "a\n<!-- row: x -->\nold\n<!-- end: x -->\nb\n<!-- row: y -->\n<!-- end: y -->\n"


def test_only_blocks_are_renewed():
    once = fill(PAGE, "row", {"y": "Y", "x": "X"})
    assert once == (
        "a\n<!-- row: x -->\n\nX\n<!-- end: x -->\nb\n<!-- row: y -->\n\nY\n<!-- end: y -->\n"
    )
    assert fill(once, "row", {"y": "Y", "x": "X"}) == once


def test_blocks_and_tables_belong_together():
    with pytest.raises(ExperimentError, match="blocks for nothing"):
        fill("no blocks", "row", {"x": ""})
    with pytest.raises(ExperimentError, match="blocks for x, y, the tables are x"):
        fill(PAGE, "row", {"x": ""})
    with pytest.raises(ExperimentError, match="blocks for nothing"):
        fill(PAGE, "other", {"x": "", "y": ""})


def finished(work, run_id, value):
    folder = work / run_id
    folder.mkdir(parents=True)
    (folder / RECORDS).write_text(json.dumps({"value": value}) + "\n")
    (folder / REPORT).write_text("{}")
    (folder / DONE_FILE).write_text("{}")


def test_only_seeds_count_that_every_row_has(tmp_path):
    for row, seed in (("a", 0), ("a", 1), ("b", 1), ("b", 2)):
        finished(tmp_path, f"{row}/{seed}", f"{row}{seed}")
    (tmp_path / "a" / "2").mkdir()
    common, records = read_rows(tmp_path, ["a", "b"], [0, 1, 2], lambda row, seed: f"{row}/{seed}")
    assert common == [1]
    assert records == [{1: [{"value": "a1"}]}, {1: [{"value": "b1"}]}]
    (tmp_path / "a" / "1" / DONE_FILE).unlink()
    assert read_rows(tmp_path, ["a"], [1], lambda row, seed: f"{row}/{seed}") == ([], [{}])


def test_steps_are_those_of_all_that_a_score_rests_on(tmp_path):
    def run(name, stage, needs, settings):
        (tmp_path / name).mkdir()
        value = {"run": {"stage": stage, "needs": needs, "settings": settings}}
        (tmp_path / name / RUN_FILE).write_text(json.dumps(value))

    run("t", "text", [], {"steps": 5})
    run("j", "joint", ["t"], {"steps": 7})
    run("s", "score", ["j"], {})
    assert steps_of(tmp_path, ["s"]) == "Steps: joint 7, text 5."
    (tmp_path / "j" / RUN_FILE).write_text(
        json.dumps({"run": {"stage": "score", "needs": [], "settings": {}}})
    )
    assert steps_of(tmp_path, ["s"]) == ""


def test_an_open_table_tells_its_commands():
    assert "\npython -m x\npython -m y\n" in open_note("python -m x", "python -m y")
