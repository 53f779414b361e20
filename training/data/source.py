"""What every data set looks like to the mixture and to the check."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from training.data.errors import DataError
from training.data.sample import Sample

FAMILIES = ("semantic", "referring", "vqa", "reasoning")
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Count:
    """How much of something a set holds, before anything is left out of training.

    Attributes:
        split: such as train.
        what: images, sentences, ...
        found: the number.
    """

    split: str
    what: str
    found: int


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What all sets of a configuration have in common.

    Attributes:
        root: folder of the downloads.
        per_image: at most so many categories, sentences or parts of an image are asked for.
        excluded: COCO image ids that no set may use.
    """

    root: Path
    per_image: int = 3
    excluded: frozenset[int] = frozenset()


class Source(Protocol):
    """A data set. Making one raises DataError when nothing of the set can be used."""

    @property
    def name(self) -> str:
        """Name of the set, such as ade20k."""

    @property
    def family(self) -> str:
        """One of FAMILIES."""

    @property
    def notes(self) -> Sequence[str]:
        """What was left out at the start, and why; one line each."""

    def __len__(self) -> int:
        """Number of items to draw from; never 0."""

    def key(self, index: int) -> str:
        """Name of an item, for reports."""

    def sample(self, index: int, rng: random.Random) -> Sample:
        """Make a sample of an item.

        Raises:
            BadSampleError: the item is broken.
            NothingToAskError: it is sound, but there is nothing in it to ask for.
        """

    def counts(self) -> list[Count]:
        """What of the set is on disk, all its splits."""


def pick(items: Sequence[T], most: int, rng: random.Random) -> list[T]:
    """All items when there are fewer than ``most``, or else ``most`` of them at random."""
    return list(items) if len(items) < most else rng.sample(list(items), most)


def list_files(folder: Path, ending: str, *, remedy: str = "see docs/data.md") -> list[Path]:
    """Files of a folder with an ending (of any case), by name.

    Raises:
        DataError: there is no such folder, or no such file in it.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is missing; {remedy}")
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() == ending)
    if not files:
        raise DataError(f"{folder} holds no {ending} file; {remedy}")
    return files


def count_files(folder: Path, ending: str) -> int | None:
    """Number of files with an ending; None where there is no such folder."""
    if not folder.is_dir():
        return None
    return sum(path.suffix.lower() == ending for path in folder.iterdir())


def check_share(name: str, value: float) -> None:
    """Refuse a probability outside 0 to 1.

    Raises:
        ValueError: naming it.
    """
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} must be between 0 and 1, got {value}")


def check_splits(splits: Sequence[str], known: Sequence[str]) -> None:
    """Refuse an empty choice of splits, and splits that a set does not have.

    Raises:
        ValueError: naming those there are.
    """
    if not splits or not set(splits) <= set(known):
        raise ValueError(f"splits must name some of {', '.join(known)}; got {list(splits)}")
