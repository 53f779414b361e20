"""What every file of weights offers, whatever its format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from lisa_model.errors import WeightsCorruptError


@dataclass(frozen=True)
class TensorInfo:
    """What is known of a tensor before it is read."""

    file: Path
    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def bytes(self) -> int:
        """Bytes of its data as it is stored."""
        count = 1
        for side in self.shape:
            count *= side
        return count * self.dtype.itemsize


class TensorFile(Protocol):
    """One file of named tensors: a shard, or a whole checkpoint. It is open during calls only."""

    @property
    def path(self) -> Path:
        """Where the file is."""

    @property
    def mapped(self) -> bool:
        """Whether ``read`` maps the file; else it reads all of it each time."""

    @property
    def info(self) -> Mapping[str, TensorInfo]:
        """Shape and dtype by key, in the file's order.

        Raises:
            WeightsCorruptError: the file is truncated, damaged or something else.
        """

    def read(self, keys: Sequence[str]) -> dict[str, Tensor]:
        """CPU tensors of ``keys``.

        They are views of a private mapping of the file where the format allows it: a page costs
        memory once it is touched, and writing to a tensor leaves the file as it is. Every call
        makes a mapping of its own, which goes, together with the pages touched, when the last of
        its tensors does.
        """


def corrupt(path: Path, problem: str, *, remedy: str | None = None) -> WeightsCorruptError:
    """The error for a damaged or wrong file, naming the file and what to do."""
    advice = remedy or "Download or copy this file again and compare its checksum"
    return WeightsCorruptError(f"{path}: {problem}. {advice}.")


def check_not_a_pointer(path: Path) -> None:
    """Refuse the small text that stands for a large file in a repository with Git LFS.

    Raises:
        WeightsCorruptError: the file is such a pointer.
    """
    with path.open("rb") as reader:
        start = reader.read(40)
    if start.startswith(b"version https://git-lfs"):
        raise corrupt(
            path,
            "this is a Git LFS pointer, not the weights",
            remedy="Fetch the weights with `git lfs pull` in the folder they were cloned to",
        )
