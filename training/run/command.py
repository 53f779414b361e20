"""``lisa train``, ``lisa merge`` and ``lisa export``."""

from __future__ import annotations

import sys
from pathlib import Path


def run_train(config: Path, *, resume_from: Path | None = None) -> None:
    """``lisa train``; started by torchrun, it is one of the run's processes."""
    from training.run.loop import train
    from training.run.settings import read_settings

    result = train(read_settings(config), resume_from=resume_from)
    print(result.ledger, file=sys.stderr)
    print(result.checkpoint)


def run_merge(
    source: Path, target: Path, *, base: Path | None, dtype: str | None, best: bool = False
) -> None:
    """``lisa merge``."""
    import torch

    from training.run.merge import merge

    wanted = getattr(torch, dtype) if dtype else None
    manifest = merge(source, target, base=base, dtype=wanted, best=best)
    total = sum(entry.bytes for entry in manifest.files.values())
    print(f"{target}: {len(manifest.files)} files, {total / 1e9:.2f} GB")


def run_export(source: Path, target: Path, *, dtype: str | None) -> None:
    """``lisa export``."""
    import torch

    from training.run.merge import export

    files = export(source, target, dtype=getattr(torch, dtype) if dtype else None)
    total = sum(path.stat().st_size for path in files)
    print(f"{target}: {len(files)} files of weights, {total / 1e9:.2f} GB")
