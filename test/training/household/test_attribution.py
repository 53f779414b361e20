"""Credits: every model of the frames is listed, hidden ones too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.household.attribution import attribution_markdown, models_in_frames
from training.household.catalogue import ModelEntry, entry_from_properties

FIELDS = {"model": "/a/b.obj", "width": "1", "depth": "1", "height": "1"}
CATALOGUE: dict[str, ModelEntry] = {
    "SC1": entry_from_properties("SC", 1, {**FIELDS, "name": "Cup"}),
    "BY2": entry_from_properties("BY", 2, {**FIELDS, "name": "A|B", "creator": "Ann"}),
}


def test_models_of_frames_include_those_that_are_hidden(tmp_path: Path) -> None:
    frame = tmp_path / "a.json"
    frame.write_text(
        json.dumps({"instances": [{"model": "SC1"}, {"model": ""}], "models": ["SC1", "BY2"]})
    )
    old = tmp_path / "b.json"
    old.write_text(json.dumps({"instances": [{"model": "KL3"}]}))
    assert models_in_frames([frame, old]) == {"SC1", "BY2", "KL3"}


def test_page_lists_title_creator_and_licence_and_keeps_the_table_whole() -> None:
    page = attribution_markdown({"SC1", "BY2"}, CATALOGUE)
    rows = [line for line in page.splitlines() if line.endswith(("| SC1 |", "| BY2 |"))]
    assert len(rows) == 2
    assert rows[0].startswith("| A/B | Ann | [CC BY 3.0](https://creativecommons.org/")
    assert all(row.count("|") == 5 for row in rows)
    assert "scaled" in page, "CC BY asks to say that changes were made"


def test_unknown_model_is_an_error_not_a_gap() -> None:
    with pytest.raises(KeyError):
        attribution_markdown({"SC999"}, CATALOGUE)
