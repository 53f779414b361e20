"""Which tensors go into which file of a converted checkpoint, and from what they are made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from lisa_model.checkpoint.layout import SAFETENSORS
from lisa_model.checkpoint.reader import Checkpoint
from lisa_model.checkpoint.tensor_file import TensorInfo

# SAM's random frequencies of positions: a few hundred numbers, whose rounding moves every position.
KEPT_AS_STORED = ("positional_encoding_gaussian_matrix",)


@dataclass(frozen=True)
class Shard:
    """One file to write.

    Attributes:
        name: relative to the converted folder.
        layout: what the file holds, in its order.
    """

    name: str
    layout: Mapping[str, TensorInfo]

    @property
    def bytes(self) -> int:
        """Of the tensors."""
        return sum(info.bytes for info in self.layout.values())


def plan_shards(
    checkpoint: Checkpoint,
    *,
    dtype: torch.dtype | None,
    max_shard_bytes: int,
    wanted: Callable[[str], bool],
    folder: str = "",
) -> list[Shard]:
    """Fill files one after the other, in the order of the source.

    Args:
        checkpoint: the source.
        dtype: of floating-point tensors in the files; None keeps theirs.
        max_shard_bytes: a file is larger only if a single tensor is.
        wanted: the keys that are taken over.
        folder: relative folder of the files.
    """
    groups: list[dict[str, TensorInfo]] = [{}]
    size = 0
    for key, info in checkpoint.info.items():
        if not wanted(key):
            continue
        planned = replace(info, dtype=_dtype(key, info.dtype, dtype))
        if groups[-1] and size + planned.bytes > max_shard_bytes:
            groups.append({})
            size = 0
        groups[-1][key] = planned
        size += planned.bytes
    place = f"{folder}/" if folder else ""
    return [
        Shard(place + SAFETENSORS.shard(number, len(groups)), _wide_first(group))
        for number, group in enumerate(groups, start=1)
    ]


def index_text(shards: list[Shard]) -> str:
    """Content of ``model.safetensors.index.json``."""
    values = {
        "metadata": {"total_size": sum(shard.bytes for shard in shards)},
        "weight_map": {key: Path(shard.name).name for shard in shards for key in shard.layout},
    }
    return json.dumps(values, indent=1) + "\n"


def describe(checkpoint: Checkpoint) -> dict[str, Any]:
    """Name of a source's folder and bytes of its weight files by name, for the manifest."""
    return {
        "folder": checkpoint.folder.resolve().name,
        "files": {path.name: path.stat().st_size for path in checkpoint.files},
    }


def fingerprint(paths: list[Path]) -> str:
    """Digest of names, sizes and times of files; changes when one of them is exchanged."""
    facts = [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in sorted(paths)]
    return hashlib.sha256(json.dumps(facts).encode("utf-8")).hexdigest()


def _dtype(key: str, stored: torch.dtype, dtype: torch.dtype | None) -> torch.dtype:
    if dtype is None or not stored.is_floating_point or key.endswith(KEPT_AS_STORED):
        return stored
    return dtype


def _wide_first(group: dict[str, TensorInfo]) -> dict[str, TensorInfo]:
    """Stable sort by item size, so that every tensor starts at a multiple of its own."""
    return dict(sorted(group.items(), key=lambda item: -item[1].dtype.itemsize))
