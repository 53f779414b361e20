"""What the benchmarks compute from what they recorded: statistics, accounting, verdicts.

Pure: no ROS, no processes, no files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

# Codes (lisa_ros/errors.py and intent.py) that end an intent.  The node's other `refused.` counters
# are about camera messages, or, as `internal_error`, count a failure a second time.
ENDING_CODES = frozenset({"stale_frame", "not_active", "inference_failed", "shutting_down"})
ENDING_PREFIX = "intent_"
REPLACED = "intent_replaced"
# Fewer samples than this say nothing about thirds.
MIN_MEMORY_SAMPLES = 9


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Distribution of some values; percentiles by nearest rank: values that occurred."""

    count: int
    p50: float
    p95: float
    min: float
    max: float


def spread(values: Sequence[float]) -> Spread | None:
    """Return the distribution of the values, None when there are none."""
    if not len(values):
        return None
    p50, p95 = np.percentile(values, [50, 95], method="inverted_cdf")
    return Spread(
        count=len(values),
        p50=float(p50),
        p95=float(p95),
        min=float(min(values)),
        max=float(max(values)),
    )


@dataclass(frozen=True, kw_only=True)
class MemoryReport:
    """Resident memory after the warm-up, its first third against its last.

    Attributes:
        samples: number of samples after the warm-up.
        first_median_mb, last_median_mb: of the first and the last third [MB].
        first_max_mb, last_max_mb: likewise; inference makes peaks that a median does not see.
        median_growth, max_growth: last third over first third, minus 1.
        slope_mb_per_min: least-squares line through all samples [MB per minute].
        peak_mb: largest sample of the whole run, warm-up included [MB].
    """

    samples: int
    first_median_mb: float
    last_median_mb: float
    first_max_mb: float
    last_max_mb: float
    median_growth: float
    max_growth: float
    slope_mb_per_min: float
    peak_mb: float


def memory_report(samples: Sequence[tuple[float, float]], warm_up_s: float) -> MemoryReport:
    """Compare the first with the last third of the samples taken after the warm-up.

    Args:
        samples: (seconds since the start, resident MB), by rising time.
        warm_up_s: samples before this are left out.

    Raises:
        ValueError: fewer than MIN_MEMORY_SAMPLES samples after the warm-up.
    """
    kept = np.array([one for one in samples if one[0] >= warm_up_s], dtype=np.float64)
    if len(kept) < MIN_MEMORY_SAMPLES:
        raise ValueError(
            f"{len(kept)} memory samples after a warm-up of {warm_up_s:g} s; need at least "
            f"{MIN_MEMORY_SAMPLES}. Run longer, or with a shorter --warm-up"
        )
    third = len(kept) // 3
    first, last = kept[:third, 1], kept[-third:, 1]
    return MemoryReport(
        samples=len(kept),
        first_median_mb=float(np.median(first)),
        last_median_mb=float(np.median(last)),
        first_max_mb=float(first.max()),
        last_max_mb=float(last.max()),
        median_growth=float(np.median(last) / np.median(first) - 1.0),
        max_growth=float(last.max() / first.max() - 1.0),
        slope_mb_per_min=float(np.polyfit(kept[:, 0] / 60.0, kept[:, 1], 1)[0]),
        peak_mb=max(mb for _, mb in samples),
    )


@dataclass(frozen=True, kw_only=True)
class Accounting:
    """Where every published intent went.

    Attributes:
        published: by the benchmark.
        received, answered, replaced: the node's counters.
        refused: the node's counters of all other ways an intent can end, by code.
        answers_seen: /instance_masks messages that reached the benchmark.
    """

    published: int
    received: int
    answered: int
    replaced: int
    refused: dict[str, int]
    answers_seen: int

    @property
    def lost(self) -> int:
        """Intents that came to no known end; negative when the node counted one twice."""
        return self.published - self.answered - self.replaced - sum(self.refused.values())


def account(
    published: int, answers_seen: int, before: Mapping[str, int], after: Mapping[str, int]
) -> Accounting:
    """Account for the published intents by what the node counted meanwhile.

    Args:
        published: number of intents published.
        answers_seen: number of results received.
        before, after: the node's counters by name, as in /diagnostics.
    """

    def risen(name: str) -> int:
        return after.get(name, 0) - before.get(name, 0)

    refused: dict[str, int] = {}
    for name in after:
        code = name.removeprefix("refused.")
        ends = code.startswith(ENDING_PREFIX) or code in ENDING_CODES
        if name != code and ends and code != REPLACED and risen(name):
            refused[code] = risen(name)
    return Accounting(
        published=published,
        received=risen("intents_received"),
        answered=risen("intents_answered"),
        replaced=risen(f"refused.{REPLACED}"),
        refused=refused,
        answers_seen=answers_seen,
    )


@dataclass(frozen=True, kw_only=True)
class Sent:
    """An intent as it was published; ``time`` by the system clock [s]."""

    time: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Got:
    """A result as it arrived, and the stamp of its frame; both by the system clock [s]."""

    time: float
    text: str
    stamp: float


@dataclass(frozen=True, kw_only=True)
class Answered:
    """An intent and its result, in seconds of the system clock.

    Attributes:
        index: of the intent among the published ones.
        published, done: when the intent was published and its result arrived.
        started: when its inference started, see ``match_answers``.
        stamp: of the frame used.
    """

    index: int
    published: float
    started: float
    done: float
    stamp: float

    @property
    def latency_s(self) -> float:
        """From intent to result."""
        return self.done - self.published

    @property
    def inference_s(self) -> float:
        """From the inference's start to the result, with its publication."""
        return self.done - self.started

    @property
    def frame_age_s(self) -> float:
        """Age of the frame when the inference started."""
        return self.started - self.stamp


def match_answers(sent: Sequence[Sent], got: Sequence[Got]) -> list[Answered]:
    """Put each result to the intent that it answers, and estimate when its inference started.

    The node has one worker with one waiting place, so an inference starts when the intent came, or,
    if another was running then, when that one ended; and what starts then is the newest intent.
    Both ends are taken at the benchmark: the start is late by the way of the earlier result, which
    makes ages larger, never smaller, or early by the way of the intent, some milliseconds.

    Raises:
        ValueError: a result to an intent that was not published before it.
    """
    matched: list[Answered] = []
    next_index, free_since = 0, float("-inf")
    for result in got:
        candidates = [
            index
            for index in range(next_index, len(sent))
            if sent[index].text == result.text and sent[index].time <= result.time
        ]
        if not candidates:
            raise ValueError(f"a result for {result.text!r}, which was not asked for")
        waiting = [index for index in candidates if sent[index].time <= free_since]
        index = waiting[-1] if waiting else candidates[0]
        matched.append(
            Answered(
                index=index,
                published=sent[index].time,
                started=max(sent[index].time, free_since),
                done=result.time,
                stamp=result.stamp,
            )
        )
        next_index, free_since = index + 1, result.time
    return matched


def frames_passed(answered: Answered, stamps: Sequence[float]) -> int:
    """Return how many newer frames had been taken when the inference started.

    Args:
        answered: the intent.
        stamps: of all frames of the camera, rising [s].
    """
    first = np.searchsorted(stamps, answered.stamp + 1e-6, side="right")
    return max(0, int(np.searchsorted(stamps, answered.started, side="right") - first))


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One line of the result: what was measured, what is allowed, whether it holds."""

    name: str
    value: str
    limit: str
    passed: bool


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as text with aligned columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    return "\n".join(
        "  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[-1]])
        for row in rows
    )


def verdict_table(verdicts: Sequence[Verdict]) -> str:
    """Return the verdicts as a table for a person."""
    rows = [("", "what", "measured", "limit")]
    rows += [("PASS" if one.passed else "FAIL", one.name, one.value, one.limit) for one in verdicts]
    return table(rows)
