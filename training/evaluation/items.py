"""What a benchmark is made of: images, what is asked about each, and the true masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from lisa_model.metrics import MaskScore
from training.evaluation.contender import Ask

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Item:
    """An image with all that is asked about it.

    Attributes:
        key: name of the image within the split, for reports.
        image_file: where it was read from.
        image: (H, W, 3) uint8 RGB.
        asks: the questions; at least one.
        truths: the target of each question, (H, W) uint8: 1 is the target, 255 is not scored, any
            other value is background.
    """

    key: str
    image_file: Path
    image: NDArray[np.uint8]
    asks: tuple[Ask, ...]
    truths: tuple[NDArray[np.uint8], ...]


class Benchmark(Protocol):
    """A split of a data set, with its rule of scoring."""

    @property
    def name(self) -> str:
        """reasonseg, refer or grefcoco."""
        ...

    @property
    def set(self) -> str:
        """Name of the data set, such as refcoco+."""
        ...

    @property
    def split(self) -> str:
        """Name of the split, such as testA."""
        ...

    @property
    def options(self) -> dict[str, object]:
        """What else the scores depend on."""
        ...

    @property
    def published(self) -> int | None:
        """Images of the split by its publication, where that is certain."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """What was left out at the start, and why; one line each."""
        ...

    def __len__(self) -> int:
        """Number of images; never 0."""
        ...

    def key(self, number: int) -> str:
        """Name of an image, also of one that cannot be read."""
        ...

    def read(self, number: int) -> Item:
        """Read an image with its questions.

        Raises:
            BadSampleError: it, or its annotation, is broken; the message names the file.
        """
        ...

    def score(self, mask: NDArray[np.bool_], truth: NDArray[np.uint8]) -> MaskScore:
        """Compare an answer with the target."""
        ...


def evenly(items: Sequence[T], limit: int) -> list[T]:
    """All items, or ``limit`` of them evenly spread; 0 for all."""
    if not limit or limit >= len(items):
        return list(items)
    return [items[k * len(items) // limit] for k in range(limit)]


def shares(count: int, processes: int, rank: int) -> list[tuple[int, bool]]:
    """Which items a process takes: (number, whether it counts).

    All processes take equally many, because sharded models are run by all together; those that
    have too few repeat the last item, which does not count.
    """
    rounds = -(-count // processes)
    mine = [k * processes + rank for k in range(rounds)]
    return [(min(number, count - 1), number < count) for number in mine]
