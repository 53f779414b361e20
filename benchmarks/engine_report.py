"""What the engine benchmark found: lines, their stages, verdicts; as values and as text."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.measures import table
from benchmarks.stopwatch import STAGES, Stopwatch

BASELINE = "naive_float32"


@dataclass
class Line:
    """One way of computing an answer.

    Attributes:
        name: key in the report.
        samples_s: seconds of each run.
        watches: stages of each run.
        note: how its answer compares.
    """

    name: str
    samples_s: list[float] = field(default_factory=list)
    watches: list[Stopwatch] = field(default_factory=list)
    note: str = ""

    @property
    def seconds(self) -> float:
        """Median of the runs."""
        return statistics.median(self.samples_s)

    def stages(self) -> dict[str, dict[str, float]]:
        """Median, smallest and largest seconds, and calls, by stage; "other" is the rest."""
        found: dict[str, dict[str, float]] = {}
        for stage in STAGES:
            runs = [watch.seconds.get(stage, 0.0) for watch in self.watches]
            calls = self.watches[-1].calls.get(stage, 0)
            found[stage] = _spread(runs) | {"calls": calls}
        rests = [
            total - sum(watch.seconds.values())
            for total, watch in zip(self.samples_s, self.watches, strict=True)
        ]
        return found | {"other": _spread(rests)}


def _spread(runs: list[float]) -> dict[str, float]:
    return {"median_s": statistics.median(runs), "min_s": min(runs), "max_s": max(runs)}


@dataclass
class Report:
    """Lines by name and verdicts by sentence, in the order in which they came."""

    lines: dict[str, Line] = field(default_factory=dict)
    verdicts: dict[str, bool] = field(default_factory=dict)

    def add(self, line: Line) -> None:
        """Add a measured line and show it: a benchmark takes minutes."""
        self.lines[line.name] = line
        print(f"{line.name}: {line.seconds:.2f} s", flush=True)

    def note(self, name: str, note: str) -> None:
        """Say how a line's answer compares."""
        self.lines[name].note = note

    def require(self, what: str, held: bool) -> None:
        """Note whether a limit holds."""
        self.verdicts[what] = bool(held)

    def seconds(self, name: str) -> float:
        """Median seconds of a line."""
        return self.lines[name].seconds

    def values(self) -> dict[str, Any]:
        """For JSON."""
        slow = self.seconds(BASELINE)
        return {
            "lines": {
                line.name: {
                    **_spread(line.samples_s),
                    "runs": len(line.samples_s),
                    "ratio": slow / line.seconds,
                    "note": line.note,
                }
                for line in self.lines.values()
            },
            "stages": {line.name: line.stages() for line in self.lines.values()},
            "verdicts": self.verdicts,
            "passed": all(self.verdicts.values()),
        }


def text(report: Mapping[str, Any]) -> str:
    """A report (as :func:`benchmarks.engine.measure` returns it) for people."""
    rows = [("what", "seconds (min-max)", "ratio", "answer")]
    rows += [
        (
            name,
            f"{line['median_s']:.2f} ({line['min_s']:.2f}-{line['max_s']:.2f})",
            f"{line['ratio']:.1f}x",
            line["note"],
        )
        for name, line in report["lines"].items()
    ]
    names = [*STAGES, "other"]
    stages = [("seconds by stage", *names)]
    stages += [
        (name, *(_cell(found[stage]) for stage in names))
        for name, found in report["stages"].items()
    ]
    lines = [table(rows), "", table(stages), ""]
    lines += [f"{key}: {value:.4g}" for key, value in report.items() if isinstance(value, float)]
    lines += [f"{'PASS' if ok else 'FAIL'} {what}" for what, ok in report["verdicts"].items()]
    return "\n".join(lines)


def _cell(stage: Mapping[str, float]) -> str:
    calls = stage.get("calls")
    return f"{stage['median_s']:.3f}" + ("" if calls is None else f" /{calls:.0f}")
