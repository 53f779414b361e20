"""Progress on stderr: one bar a stage, so that nobody waits in front of a silent terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from tqdm import tqdm  # type: ignore[import-untyped]


class Advance(Protocol):
    """Told how many more bytes (or steps) of a stage are done."""

    def __call__(self, amount: int, /) -> object:
        """``amount``: bytes (or steps) since the last call."""


class StageProgress:
    """Shows the stages of one job.

    Args:
        title: what the job is about, shown in front of every bar.
        stages: how many stages there will be.
        shown: False keeps stderr silent.
    """

    def __init__(self, *, title: str, stages: int, shown: bool) -> None:
        self._title = title
        self._stages = stages
        self._shown = shown
        self._number = 0

    @contextmanager
    def stage(self, label: str, *, size: int | None = None) -> Iterator[Advance]:
        """One stage; yields a function to call with the number of bytes done since last time.

        Args:
            label: what is being done.
            size: bytes of the stage; None for a stage without a measure (one step).
        """
        self._number += 1
        # A log file gets a line every few seconds, a terminal a smooth bar.
        interval = 0.1 if sys.stderr.isatty() else 5.0
        with tqdm(
            total=size if size is not None else 1,
            desc=f"{self._title} [{self._number}/{self._stages}] {label}",
            unit="B" if size is not None else "step",
            unit_scale=size is not None,
            mininterval=interval,
            disable=not self._shown,
            file=sys.stderr,
        ) as bar:
            yield bar.update
            if size is None:
                bar.update(1)

    def say(self, message: str) -> None:
        """One line on stderr, above the bars."""
        if self._shown:
            tqdm.write(f"{self._title}: {message}", file=sys.stderr)
