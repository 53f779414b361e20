"""Batches of a run: which samples a process gets at a step, read ahead of time by threads."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from training.data.collate import Batch
from training.data.mixture import Drawn, Ledger
from training.data.sample import Sample


@dataclass(frozen=True, kw_only=True)
class Spread:
    """How the images of a step are spread.

    Attributes:
        batch: images of one pass of one process.
        accumulation: passes of a step.
        processes: their number.
        rank: of this process.
    """

    batch: int
    accumulation: int
    processes: int = 1
    rank: int = 0

    @property
    def images(self) -> int:
        """Of a step, over all."""
        return self.batch * self.accumulation * self.processes

    def numbers(self, step: int) -> list[list[int]]:
        """Draws of the mixture that this process makes at a step, by pass.

        Together the processes get the draws step * images to (step + 1) * images - 1, each once,
        whatever the spread.
        """
        first = step * self.images
        return [
            [
                first + (number * self.processes + self.rank) * self.batch + k
                for k in range(self.batch)
            ]
            for number in range(self.accumulation)
        ]


class Feed:
    """Batches by step, the next step's being made while one is learnt from.

    Args:
        draw: sample of a number; depends on it only.
        collate: samples to a batch.
        spread: of the images.
        ledger: books what was drawn.
        workers: threads; reading, decoding and resizing images leave Python's lock.
    """

    def __init__(
        self,
        *,
        draw: Callable[[int], Drawn],
        collate: Callable[[Sequence[Sample]], Batch],
        spread: Spread,
        ledger: Ledger,
        workers: int,
    ) -> None:
        self._draw = draw
        self._collate = collate
        self._spread = spread
        self._ledger = ledger
        self._workers = workers

    def steps(self, first: int, end: int) -> Iterator[list[Batch]]:
        """The batches of steps ``first`` to ``end`` - 1, one list of passes each.

        Raises:
            DataError: a set is unusable, or too much of it is broken.
        """
        with ThreadPoolExecutor(self._workers, thread_name_prefix="feed") as pool:
            waiting: deque[list[Future[tuple[list[Drawn], Batch]]]] = deque()
            try:
                for step in range(first, end + 1):
                    if step < end:
                        numbers = self._spread.numbers(step)
                        waiting.append([pool.submit(self._pass, one) for one in numbers])
                    if step > first:
                        yield self._finish(waiting.popleft())
            finally:
                for futures in waiting:
                    for future in futures:
                        future.cancel()

    def _pass(self, numbers: Sequence[int]) -> tuple[list[Drawn], Batch]:
        drawn = [self._draw(number) for number in numbers]
        return drawn, self._collate([one.sample for one in drawn])

    def _finish(self, futures: list[Future[tuple[list[Drawn], Batch]]]) -> list[Batch]:
        batches = []
        for future in futures:
            drawn, batch = future.result()
            for one in drawn:
                self._ledger.add(one)
            batches.append(batch)
        return batches


def merged_ledgers(states: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The ledgers of all processes (:meth:`Ledger.state`) as one."""
    drawn: Counter[str] = Counter()
    broken: Counter[str] = Counter()
    items: dict[tuple[str, str], str] = {}
    for state in states:
        drawn.update(state["drawn"])
        broken.update(state["broken"])
        for name, key, why in state["items"]:
            items.setdefault((name, key), why)
    return {
        "drawn": dict(sorted(drawn.items())),
        "broken": dict(sorted(broken.items())),
        "items": [[name, key, why] for (name, key), why in sorted(items.items())],
    }
