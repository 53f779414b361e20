"""What an ordeal recorded, by window and minute, and as it is reported.  Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.ordeal_books import NodeLog
from benchmarks.ordeal_ledger import ANSWERED, Call, Request
from benchmarks.ordeal_schedule import Event
from lisa_ros.errors import TARGET_WITHOUT_3D

MINUTE_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Memory:
    """A sample of the node's resident memory [MB]; ``time_s`` since the start.

    Attributes:
        resident: all of it, ``anonymous`` and ``shared`` (with DDS' writers) are parts of it.
    """

    time_s: float
    resident: float
    anonymous: float
    shared: float


@dataclass(frozen=True, kw_only=True)
class Recording:
    """Everything a run recorded; times in seconds since its start.

    Attributes:
        events: what was done.
        duration_s: of the events; the last requests end after it.
        requests: with their ends.
        calls: besides.
        log: the node's.
        before, after: the node's counters at the start and the end.
        memory: of the node.
        arrivals: of the camera's frames at the benchmark.
        parameter_s: of each timed call of get_parameters that was answered.
        unanswered_parameters: those that were not.
        camera_starts, camera_exits: how often it was started; exit statuses.
        died: how the node ended before its time; "" when it did not.
        active: the node was active at the end.
    """

    events: tuple[Event, ...]
    duration_s: float
    requests: tuple[Request, ...]
    calls: tuple[Call, ...]
    log: NodeLog
    before: dict[str, int]
    after: dict[str, int]
    memory: tuple[Memory, ...]
    arrivals: tuple[float, ...]
    parameter_s: tuple[float, ...]
    unanswered_parameters: int
    camera_starts: int
    camera_exits: tuple[int, ...]
    died: str
    active: bool


def latency_windows(
    requests: Sequence[Request], duration_s: float, window_s: float
) -> list[list[float]]:
    """Return the latencies of requests that were answered and ran at once, by window [s]."""
    count = max(1, round(duration_s / window_s))
    windows: list[list[float]] = [[] for _ in range(count)]
    for one in requests:
        if one.at_once and one.end in (ANSWERED, TARGET_WITHOUT_3D):
            windows[min(count - 1, int(one.sent_s / window_s))].append(one.latency_s)
    return windows


def memory_minutes(samples: Sequence[Memory]) -> tuple[tuple[float, float, float], ...]:
    """Return the medians of each minute: resident, anonymous, shared [MB]."""
    minutes: dict[int, list[Memory]] = {}
    for one in samples:
        minutes.setdefault(int(one.time_s / MINUTE_S), []).append(one)
    return tuple(
        (
            round(statistics.median(one.resident for one in kept), 1),
            round(statistics.median(one.anonymous for one in kept), 1),
            round(statistics.median(one.shared for one in kept), 1),
        )
        for _, kept in sorted(minutes.items())
    )
