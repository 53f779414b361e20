"""The table of models: its sizes are those of the tensors, its page is up to date."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from benchmarks.checkpoint_shapes import SIZES, clip_shapes, lisa_shapes
from lisa_model.errors import WeightsMissingError
from lisa_model.llava.presets import OFFICIAL, table
from lisa_model.segmenter import ReasoningSegmenter

DOCS = Path(__file__).parents[3] / "docs" / "models.md"


@pytest.mark.parametrize(("name", "size"), [("lisa-7b-v1", "7b"), ("lisa-13b-llama2-v1", "13b")])
def test_memory_is_that_of_all_tensors(name, size):
    shapes = {**lisa_shapes(SIZES[size]), **clip_shapes(SIZES[size])}
    parameters = sum(math.prod(shape) for key, shape in shapes.items() if "inv_freq" not in key)
    assert OFFICIAL[name].parameters == pytest.approx(parameters, rel=0.005)
    assert OFFICIAL[name].weight_gb() == pytest.approx(2 * parameters / 1e9, rel=0.005)
    assert OFFICIAL[name].weight_gb(int8=True) < 0.65 * OFFICIAL[name].weight_gb()


def test_the_documentation_has_the_table():
    assert table() in DOCS.read_text("utf-8")


@pytest.mark.parametrize("name", sorted(OFFICIAL))
def test_a_preset_that_is_not_here_says_how_to_get_it(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = "lisa convert" if OFFICIAL[name].hub else "no weights"
    with pytest.raises(WeightsMissingError, match=said):
        ReasoningSegmenter.from_pretrained(name)
