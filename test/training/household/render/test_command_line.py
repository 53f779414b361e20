"""The command line without Blender and without models."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from training.household.render.__main__ import main, shard_cores


def test_plan_prints_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["plan", "--out", str(tmp_path), "--train", "10", "--val", "2", "--test", "2"]
    assert main(arguments) == 0
    assert "'train': 10" in capsys.readouterr().out


def test_shards_share_out_the_scenes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    todo = []
    for shard in ("0/2", "1/2", "0/1"):
        assert main(["plan", "--out", str(tmp_path), "--train", "50", "--shard", shard]) == 0
        todo.append(int(capsys.readouterr().out.split("to do: ")[1].split()[0]))
    assert todo[0] + todo[1] == todo[2]


@pytest.mark.parametrize("shard", ["2/2", "x", "1"])
def test_bad_shard_is_refused(shard: str) -> None:
    with pytest.raises(SystemExit):
        main(["plan", "--shard", shard])


def test_shards_keep_to_cores_of_their_own_where_there_are_enough() -> None:
    cores = {2, 3, 6, 7}
    assert [shard_cores(cores, 1, (k, 4)) for k in range(4)] == [{2}, {3}, {6}, {7}]
    assert [shard_cores(cores, 2, (k, 2)) for k in range(2)] == [{2, 3}, {6, 7}]
    assert shard_cores(cores, 2, (1, 3)) == cores
    assert shard_cores(cores, 1, (0, 1)) == cores
    # The process that goes on in the place of one with a core of its own.
    assert shard_cores({3}, 1, (1, 4)) == {3}


def test_attribution_without_models_says_how_to_get_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--assets", str(tmp_path), "attribution", str(tmp_path)]) == 1
    assert "fetch" in capsys.readouterr().err


@pytest.mark.skipif(importlib.util.find_spec("bpy") is not None, reason="bpy is installed")
def test_run_without_blender_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--out", str(tmp_path)]) == 1
    assert "bpy" in capsys.readouterr().err


def test_plan_of_homereason_prints_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = ["--train", "8", "--val", "2", "--test", "4", "--test-models", "6"]
    assert main(["home", "--plan", "--out", str(tmp_path), *numbers]) == 0
    counts = "{'val': 2, 'test': 4, 'test_models': 6, 'train': 8}"
    assert f"frames: {counts} to do: 20" in capsys.readouterr().out
