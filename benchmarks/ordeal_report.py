"""The verdicts on an ordeal.  Pure: no ROS, no processes, no files."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.measures import Spread, Verdict, spread
from benchmarks.ordeal_books import WRONG_INTENT_CODES, Books, balance, failures
from benchmarks.ordeal_ledger import ANSWERED
from benchmarks.ordeal_recording import MINUTE_S, Recording, latency_windows, memory_minutes
from benchmarks.ordeal_schedule import ROUND_S, count_kinds

# Frames that are further apart than this have an outage between them.
OUTAGE_S = 0.4
# A p95 of fewer latencies than this is their largest.
MIN_LATENCIES = 20
_DEPTH_REASONS = frozenset(
    {"no_depth", "invalid_depth", "too_few_depth_points", "low_valid_depth_fraction"}
)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What is allowed.

    Attributes:
        memory_growth: median of the last minute over that of the first after the warm-up, minus 1.
        latency_growth: p95 of the last five minutes over that of the first five, minus 1.
        camera_share: the camera, while it runs, must come this near to the wanted rate.
    """

    memory_growth: float = 0.05
    latency_growth: float = 0.2
    camera_share: float = 0.9


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What came out of a run.

    Attributes:
        verdicts: all that has a limit.
        books: how the requests ended.
        latency_window_s, memory_window_s: lengths of the first and the last part compared [s].
        latencies: [s] of requests that were answered and ran at once, by window from the start.
        memory_minutes: medians of the resident memory, all, anonymous, shared [MB].
        camera_hz: while it ran.
        outages: of the camera.
        no_3d: reasons of targets without a position.
    """

    verdicts: tuple[Verdict, ...]
    books: Books
    latency_window_s: float
    memory_window_s: float
    latencies: tuple[Spread | None, ...]
    memory_minutes: tuple[tuple[float, float, float], ...]
    camera_hz: float
    outages: int
    no_3d: dict[str, int]

    @property
    def passed(self) -> bool:
        """Whether every limit holds."""
        return all(one.passed for one in self.verdicts)


def evaluate(
    recording: Recording, *, warm_up_s: float, camera_hz: float, limits: Limits
) -> Evaluation:
    """Judge a run.

    Args:
        warm_up_s: whose memory is not compared.
        camera_hz: wanted.

    Raises:
        ValueError: no memory was sampled after the warm-up.
    """
    books = balance(recording.requests, recording.log, recording.before, recording.after)
    gaps = [b - a for a, b in zip(recording.arrivals, recording.arrivals[1:], strict=False)]
    steady = [gap for gap in gaps if gap <= OUTAGE_S]
    rate = len(steady) / sum(steady) if steady else 0.0
    outages = len(gaps) - len(steady)
    no_3d = Counter(reason for one in recording.requests for reason in one.no_3d)
    window = ROUND_S if recording.duration_s >= 3 * ROUND_S else recording.duration_s / 3
    latencies = latency_windows(recording.requests, recording.duration_s, window)
    memory_window = min(MINUTE_S, (recording.duration_s - warm_up_s) / 3)
    verdicts = (
        *_life(recording),
        *_ends(recording, books),
        *_calls(recording),
        _memory(recording, warm_up_s, memory_window, limits),
        _latency(latencies, window, limits),
        Verdict(
            name="camera's rate while it runs",
            value=f"{rate:.1f} Hz",
            limit=f">= {limits.camera_share * camera_hz:.1f} Hz",
            passed=rate >= limits.camera_share * camera_hz,
        ),
        _traces(recording, outages, no_3d),
    )
    return Evaluation(
        verdicts=verdicts,
        books=books,
        latency_window_s=window,
        memory_window_s=memory_window,
        latencies=tuple(spread(one) for one in latencies),
        memory_minutes=memory_minutes(recording.memory),
        camera_hz=rate,
        outages=outages,
        no_3d=dict(sorted(no_3d.items())),
    )


def _life(recording: Recording) -> list[Verdict]:
    log = recording.log
    failed = failures(recording.before, recording.after)
    return [
        Verdict(
            name="node lives, and is active at the end",
            value=recording.died or ("yes" if recording.active else "not active"),
            limit="yes",
            passed=not recording.died and recording.active,
        ),
        Verdict(
            name="failures of the program, counted",
            value=", ".join(f"{n} {code}" for code, n in failed.items()) or "0",
            limit="0",
            passed=not failed,
        ),
        Verdict(
            name="exceptions in the node's log",
            value=": ".join([f"{len(log.exceptions)}", *log.exceptions[:1]]),
            limit="0",
            passed=not log.exceptions,
        ),
    ]


def _ends(recording: Recording, books: Books) -> list[Verdict]:
    total = len(recording.requests)
    answered = sum(counts.get(ANSWERED, 0) for counts in books.ends.values())
    ended = sum(sum(counts.values()) for counts in books.ends.values())
    first = f"{books.mistakes[0]} ({len(books.mistakes)} in all)" if books.mistakes else ""
    return [
        Verdict(
            name="each request answered or refused with a code, once",
            value=first or f"{total}: {answered} answered, {ended - answered} refused",
            limit="all",
            passed=not books.mistakes and total > 0,
        ),
        Verdict(name="answers", value=f"{answered}", limit="> 0", passed=answered > 0),
    ]


def _calls(recording: Recording) -> list[Verdict]:
    wrong = [one for one in recording.calls if one.done_s is None or one.problem]
    shown = ""
    if wrong:
        shown = f", first: {wrong[0].what}: {wrong[0].problem or 'no answer'}"
    parameters = len(recording.parameter_s) + recording.unanswered_parameters
    return [
        Verdict(
            name="transitions, parameters, ~/cancel: wrong or without answer",
            value=f"{len(wrong)} of {len(recording.calls)}{shown}",
            limit="0",
            passed=not wrong and bool(recording.calls),
        ),
        Verdict(
            name="get_parameters every 5 s: without answer",
            value=f"{recording.unanswered_parameters} of {parameters}",
            limit="0",
            passed=recording.unanswered_parameters == 0 and bool(recording.parameter_s),
        ),
    ]


def _memory(recording: Recording, warm_up_s: float, window_s: float, limits: Limits) -> Verdict:
    def median(start: float) -> float:
        kept = [one.resident for one in recording.memory if start <= one.time_s < start + window_s]
        if not kept:
            raise ValueError(f"no memory was sampled from {start:g} to {start + window_s:g} s")
        return statistics.median(kept)

    first, last = median(warm_up_s), median(recording.duration_s - window_s)
    growth = last / first - 1.0
    return Verdict(
        name=f"memory, median of the last {window_s:.0f} s to the first after {warm_up_s:.0f} s",
        value=f"{first:.1f} -> {last:.1f} MB ({growth:+.2%})",
        limit=f"<= {limits.memory_growth:+.1%}",
        passed=growth <= limits.memory_growth,
    )


def _latency(windows: Sequence[Sequence[float]], window_s: float, limits: Limits) -> Verdict:
    first, last = spread(windows[0]), spread(windows[-1])
    name = f"p95 of intent to answer at once, last {window_s:.0f} s to first"
    limit = f"<= {limits.latency_growth:+.0%}"
    if first is None or last is None or len(windows) < 2:
        return Verdict(name=name, value="too few answers", limit=limit, passed=False)
    growth = last.p95 / first.p95 - 1.0
    few = f", fewer than {MIN_LATENCIES}" if min(first.count, last.count) < MIN_LATENCIES else ""
    return Verdict(
        name=name,
        value=f"{first.p95:.3f} -> {last.p95:.3f} s ({growth:+.1%}; n = {first.count}, "
        f"{last.count}{few})",
        limit=limit,
        passed=growth <= limits.latency_growth,
    )


def _traces(recording: Recording, outages: int, no_3d: Mapping[str, int]) -> Verdict:
    """What was done has to be seen at the node, or the run does not show what it is meant to."""
    done = count_kinds(recording.events)

    def risen(*prefixes: str) -> int:
        return sum(
            number - recording.before.get(name, 0)
            for name, number in recording.after.items()
            if name.startswith(prefixes)
        )

    stops = [one for one in recording.events if one.kind == "stop"]
    # Down for longer than an outage takes to be noticed.
    down = [
        one
        for one in recording.events
        if one.kind in ("kill", "stop")
        or (one.kind == "stall" and one.values["for_s"] > 2 * OUTAGE_S)
    ]
    traces = {
        "camera away": (len(down), outages),
        "compressed images": (
            sum(one.values["colour"] != "raw" for one in stops),
            recording.log.changes,
        ),
        "clock jumps": (done.get("clock_jump", 0), risen("clock_jump")),
        "malformed messages": (
            done.get("malformed", 0),
            risen("refused.image_", "refused.depth_", "refused.camera_info_"),
        ),
        "wrong intents": (
            done.get("wrong_intent", 0),
            risen(*(f"refused.{code}" for code in WRONG_INTENT_CODES)),
        ),
        # Whether a request falls into a drop-out is chance: only many of them have to be seen.
        "depth drop-outs": (
            done.get("depth_dropout", 0) // 4,
            sum(n for reason, n in no_3d.items() if reason in _DEPTH_REASONS),
        ),
    }
    without = [name for name, (tried, seen) in traces.items() if tried and not seen]
    return Verdict(
        name="troubles that were seen at the node",
        value=f"no trace of {', '.join(without)}"
        if without
        else ", ".join(f"{seen} x {name}" for name, (_, seen) in traces.items()),
        limit="each kind",
        passed=not without,
    )
