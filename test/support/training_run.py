"""A tiny random LISA, tiny data, and the configuration of a run on them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import dataset_files
import torch
import yaml

from benchmarks.checkpoint_shapes import SIZES
from benchmarks.full_size_checkpoint import write_checkpoint

ROOT = Path(__file__).resolve().parents[2]


def write_inputs(folder: Path) -> None:
    """A checkpoint (folder/LISA-random, its tower beside it) and data sets (folder/dataset)."""
    write_checkpoint(folder, SIZES["tiny"], dtype=torch.float32, shard_bytes=300_000)
    root = folder / "dataset"
    dataset_files.ade20k(root)
    dataset_files.reason_seg(root)
    dataset_files.llava_instruct_150k(root)
    data = {
        "root": str(root),
        "seed": 3,
        "exclude_refer_validation": False,
        "families": {
            "semantic": {"rate": 2, "sets": ["ade20k"]},
            "vqa": {"rate": 1, "sets": ["llava_instruct_150k"]},
            "reasoning": {"rate": 2, "sets": ["reason_seg"]},
        },
    }
    (folder / "data.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")


def settings(inputs: Path, out: Path, **changes: Any) -> dict[str, Any]:
    """Values of a configuration; sections among ``changes`` are merged."""
    values: dict[str, Any] = {
        "data": str(inputs / "data.yaml"),
        "out": str(out),
        "steps": 6,
        "batch": 1,
        "accumulation": 2,
        "precision": "float32",
        "device": "cpu",
        "workers": 1,
        "model": {"checkpoint": str(inputs / "LISA-random")},
        "optimizer": {"warm_up": 2},
        "checkpoints": {"every": 2, "keep": 2},
    }
    for key, value in changes.items():
        values[key] = values.get(key, {}) | value if isinstance(value, dict) else value
    return values


def comparable(inputs: Path, out: Path, length: int, **changes: Any) -> dict[str, Any]:
    """Settings of runs whose curves are compared, with a checkpoint after half of them.

    Args:
        length: steps of the curves; a shorter run is one of the ``changes``.
    """
    folder = inputs / "dataset" / "reason_seg" / "ReasonSeg" / "train"
    common = {
        "steps": length,
        # Dropout draws its numbers by pass and process, and so differs.
        "lora": {"dropout": 0.0},
        "checkpoints": {"every": length // 2},
        "validation": {"folder": str(folder), "every": length},
    }
    return settings(inputs, out, **{**common, **changes})


def two_processes(*program: str) -> subprocess.CompletedProcess[str]:
    """Run a script, or -m and a module, with its arguments in two processes, by torchrun."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    return run([*torchrun, *program])


def write_config(path: Path, values: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def command(config: Path) -> list[str]:
    """What starts ``lisa train`` in a process of its own."""
    return [sys.executable, "-m", "lisa_model.cli", "train", str(config)]


def environment() -> dict[str, str]:
    """One thread per process: several threads may add up in another order."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def run(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        arguments,
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


if __name__ == "__main__":
    write_inputs(Path(sys.argv[1]))
