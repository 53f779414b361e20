"""The report of an ordeal as it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.measures import spread
from benchmarks.ordeal_ledger import ANSWERED
from benchmarks.ordeal_recording import Recording
from benchmarks.ordeal_report import Evaluation
from benchmarks.ordeal_schedule import count_kinds


def as_json(recording: Recording, evaluation: Evaluation) -> dict[str, Any]:
    """Return what goes into the report."""
    by_way = {
        way: _spread(
            [
                one.latency_s
                for one in recording.requests
                if one.way == way and one.at_once and one.end == ANSWERED
            ]
        )
        for way in sorted({one.way for one in recording.requests})
    }
    return {
        "passed": evaluation.passed,
        "verdicts": [asdict(one) for one in evaluation.verdicts],
        "ends": evaluation.books.ends,
        "mistakes": evaluation.books.mistakes,
        "latency_at_once": {
            "window_s": evaluation.latency_window_s,
            "windows": [one and asdict(one) for one in evaluation.latencies],
            "by_way": by_way,
        },
        "memory_mb": {
            "window_s": evaluation.memory_window_s,
            "minutes": {
                name: [minute[index] for minute in evaluation.memory_minutes]
                for index, name in enumerate(("resident", "anonymous", "shared"))
            },
        },
        "camera": {
            "hz_while_it_runs": evaluation.camera_hz,
            "outages": evaluation.outages,
            "starts": recording.camera_starts,
            "exits": list(recording.camera_exits),
        },
        "targets_without_3d": evaluation.no_3d,
        "get_parameters_s": _spread(recording.parameter_s),
        "log_errors": dict(recording.log.errors),
        "log_exceptions": list(recording.log.exceptions),
        "counters": {
            name: number - recording.before.get(name, 0)
            for name, number in sorted(recording.after.items())
        },
        "event_counts": count_kinds(recording.events),
        "events": [str(one) for one in recording.events],
    }


def _spread(values: Sequence[float]) -> dict[str, Any] | None:
    found = spread(values)
    return None if found is None else asdict(found)
