from __future__ import annotations

import json

import pytest

from benchmarks import train_memory
from benchmarks.train_memory import main, measure


@pytest.mark.slow
def test_a_short_run_stays_flat_and_is_reported(tmp_path, capsys):
    assert main(["--steps", "40", "--from-step", "20", "--json", str(tmp_path / "m.json")]) == 0
    report = json.loads((tmp_path / "m.json").read_text())
    assert (report["steps"], report["early_step"]) == (40, 20)
    assert report["largest_mb"] >= report["early_mb"] > 100.0
    assert report["growth"] == report["last_mb"] / report["early_mb"] - 1.0
    assert "PASS growth" in capsys.readouterr().out


@pytest.mark.slow
def test_memory_that_grows_fails(monkeypatch, capsys):
    sizes = iter(float(size) for size in range(100, 1000, 10))
    monkeypatch.setattr(train_memory, "resident_mb", lambda: next(sizes))
    assert main(["--steps", "8", "--from-step", "2"]) == 1
    assert "FAIL growth" in capsys.readouterr().out


def test_the_early_step_must_lie_in_the_run(tmp_path):
    with pytest.raises(ValueError, match="between 0 and 10, got 10"):
        measure(tmp_path, steps=10, early=10)
