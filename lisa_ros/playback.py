"""When what is played is due: recorded time against the wall clock, with rate, pause and loop.

No rclpy and no files here.
"""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

# From the end of a recording with a single moment to its beginning, when it is looped.
_DEFAULT_GAP_NS = 100_000_000
_QUEUE_LENGTH = 4


@dataclass(frozen=True)
class Outgoing:
    """A message to publish.

    Attributes:
        topic: name.
        stamp_ns: its header's stamp in recorded time [ns]; 0 stays 0 (a static calibration).
        message: a message object, or the bytes of one (CDR).
    """

    topic: str
    stamp_ns: int
    message: Any


@dataclass(frozen=True)
class Event:
    """Messages that are published together, at a recorded time [ns]."""

    time_ns: int
    messages: tuple[Outgoing, ...]


class Source(Protocol):
    """Something that can be played."""

    @property
    def topics(self) -> dict[str, Any]:
        """Message class by topic."""

    @property
    def description(self) -> str:
        """What it is, for people."""

    def events(self) -> Iterator[Event]:
        """Read from the beginning, in order of time."""

    def summary(self) -> str:
        """What ``events`` left out, for people; "" when nothing."""


class Timeline:
    """Recorded time as it passes.

    Not thread-safe.

    Args:
        rate: recorded seconds per second.
        paused: start standing still.
        monotonic_ns, epoch_ns: the clocks; both are read at the same moments.

    Raises:
        ValueError: the rate is not a finite number above 0.
    """

    def __init__(
        self,
        rate: float = 1.0,
        *,
        paused: bool = False,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        epoch_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        if not (math.isfinite(rate) and rate > 0):
            raise ValueError(f"rate is {rate}; must be > 0 and finite")
        self._rate = rate
        self._paused = paused
        self._monotonic_ns = monotonic_ns
        self._epoch_ns = epoch_ns
        self._recorded = 0
        self._wall = self._epoch = 0

    @property
    def paused(self) -> bool:
        """Whether time stands still."""
        return self._paused

    def start(self, recorded_ns: int) -> None:
        """Let recorded time be this now."""
        self._anchor(recorded_ns)

    def now_ns(self) -> int:
        """Return the recorded time."""
        if self._paused:
            return self._recorded
        return self._recorded + round((self._monotonic_ns() - self._wall) * self._rate)

    def wait_s(self, recorded_ns: int) -> float:
        """Return the seconds until a recorded time, negative when it has passed, inf if paused."""
        if self._paused:
            return math.inf
        return (recorded_ns - self.now_ns()) / self._rate / 1e9

    def pause(self, paused: bool) -> None:
        """Stop time, or let it go on from where it stopped."""
        self._anchor(self.now_ns(), paused)

    def delay_to(self, recorded_ns: int) -> None:
        """Let recorded time be this now, when its messages came late."""
        self._anchor(recorded_ns, self._paused)

    def to_epoch_ns(self, recorded_ns: int) -> int:
        """Return a recorded time as it would be had it been recorded now: never below 0."""
        return max(0, self._epoch + round((recorded_ns - self._recorded) / self._rate))

    def _anchor(self, recorded_ns: int, paused: bool | None = None) -> None:
        self._recorded = recorded_ns
        self._wall = self._monotonic_ns()
        self._epoch = self._epoch_ns()
        self._paused = self._paused if paused is None else paused


def looped(source: Source, loop: bool) -> Iterator[Event]:
    """Yield the events, once or again and again; times and stamps rise from pass to pass."""
    offset_ns = 0
    while True:
        first_ns = last_ns = None
        count = 0
        for event in source.events():
            first_ns = event.time_ns if first_ns is None else first_ns
            last_ns = event.time_ns
            count += 1
            yield _shifted(event, offset_ns) if offset_ns else event
        if not loop or first_ns is None or last_ns is None:
            return
        length_ns = last_ns - first_ns
        offset_ns += length_ns + (length_ns // (count - 1) if count > 1 else _DEFAULT_GAP_NS)


def _shifted(event: Event, offset_ns: int) -> Event:
    return Event(
        event.time_ns + offset_ns,
        tuple(
            Outgoing(one.topic, one.stamp_ns + offset_ns if one.stamp_ns else 0, one.message)
            for one in event.messages
        ),
    )


class ReadAhead:
    """Reads events on a thread of its own, so that decoding does not delay what is due.

    Use as a context manager.

    Args:
        events: is read on the thread only.
    """

    def __init__(self, events: Iterator[Event]) -> None:
        self._events = events
        self._queue: queue.Queue[Event | Exception | None] = queue.Queue(_QUEUE_LENGTH)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, name="read ahead", daemon=True)

    def __enter__(self) -> ReadAhead:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    def take(self) -> Event | None:
        """Return the next event, or None after the last.

        Raises:
            TimeoutError: none is ready yet.
            Exception: what reading raised.
        """
        try:
            item = self._queue.get_nowait()
        except queue.Empty:
            raise TimeoutError from None
        if isinstance(item, Exception):
            raise item
        return item

    def _read(self) -> None:
        try:
            for event in self._events:
                if not self._put(event):
                    return
            self._put(None)
        except Exception as error:  # given on to the thread that takes
            self._put(error)

    def _put(self, item: Event | Exception | None) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False
