"""Scores of several seeds as tables, beside the goals that were set before lisa-tiny was trained.

Run: ``python -m training.homereason.seeds out/seed0.json out/seed1.json out/seed2.json
--two-stage out/two_stage.json --write docs/homereason.md``

Each report of ``lisa eval homereason --json X.json --records X.jsonl`` has its records beside it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.experiments import tables
from training.experiments.errors import ExperimentError
from training.experiments.statistics import scores
from training.homereason.evaluate import MODEL
from training.homereason.question import SUBSETS
from training.markdown import head, line

Report = Mapping[str, Any]
Records = Sequence[Mapping[str, Any]]
HEADS = (
    "subset",
    "questions",
    "gIoU (95 %)",
    "gIoU of each seed",
    "cIoU (95 %)",
    "right object",
    "refused",
    "N-acc",
)
IMPLICIT_SUBSET = "c"
TITLES = {"subsets": "Scores", "goals": "Goals"}


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What the evaluations of some seeds have written.

    Attributes:
        reports, records: of each seed, by its number in the order given.
        two_stage: report of a two-stage baseline on the same questions; None without.
    """

    reports: Mapping[int, Report]
    records: Mapping[int, Records]
    two_stage: Report | None = None

    def subset(self, seed: int, name: str) -> Report:
        """The figures of a subset."""
        found: Report = self.reports[seed]["methods"][MODEL]["subsets"][name]
        return found

    def everything(self, seed: int) -> Report:
        """The figures of all questions."""
        found: Report = self.reports[seed]["methods"][MODEL]["all"]
        return found


@dataclass(frozen=True, kw_only=True)
class Goal:
    """One figure that was to be reached.

    Attributes:
        what: it is.
        bound: the figure.
        at_least: the figure is the least allowed, not the most.
        value: of a seed; None where it cannot be told.
        digits: that are printed.
    """

    what: str
    bound: float
    at_least: bool
    value: Callable[[Scored, int], float | None]
    digits: int = 3

    def met(self, mean: float) -> bool:
        """Whether a figure reaches the bound."""
        return mean >= self.bound if self.at_least else mean <= self.bound


def _giou(name: str) -> Callable[[Scored, int], float | None]:
    return lambda scored, seed: scored.subset(seed, name)["giou"]


def _right(name: str) -> Callable[[Scored, int], float | None]:
    return lambda scored, seed: scored.subset(seed, name)["right_object"]


def _implicit_of(report: Report, method: str) -> float:
    return float(report["methods"][method]["subsets"][IMPLICIT_SUBSET]["giou"])


def _above_two_stage(scored: Scored, seed: int) -> float | None:
    if scored.two_stage is None:
        return None
    return _implicit_of(scored.reports[seed], MODEL) - _implicit_of(scored.two_stage, MODEL)


def _above_trivial(scored: Scored, seed: int) -> float | None:
    report = scored.reports[seed]
    others = [name for name in report["methods"] if name != MODEL]
    if not others:
        return None
    best = max(_implicit_of(report, name) for name in others)
    return _implicit_of(report, MODEL) - best


def _point_error(scored: Scored, seed: int) -> float | None:
    found = scored.everything(seed).get("points", {}).get("median_error_mm")
    return None if found is None else float(found)


GOALS = (
    Goal(what="(a) gIoU", bound=0.65, at_least=True, value=_giou("a")),
    Goal(what="(a) right object", bound=0.85, at_least=True, value=_right("a")),
    Goal(what="(b) gIoU", bound=0.50, at_least=True, value=_giou("b")),
    Goal(what="(c) gIoU", bound=0.52, at_least=True, value=_giou("c")),
    Goal(what="(c) right object", bound=0.72, at_least=True, value=_right("c")),
    Goal(what="(d) gIoU", bound=0.40, at_least=True, value=_giou("d")),
    Goal(what="(e) gIoU", bound=0.45, at_least=True, value=_giou("e")),
    Goal(
        what="(f) nothing marked",
        bound=0.80,
        at_least=True,
        value=lambda scored, seed: scored.subset(seed, "f")["n_acc"],
    ),
    Goal(
        what="nothing marked where something fits",
        bound=0.05,
        at_least=False,
        value=lambda scored, seed: scored.everything(seed).get("refused"),
    ),
    Goal(
        what="good masks withheld, of those found",
        bound=0.05,
        at_least=False,
        value=lambda scored, seed: scored.everything(seed).get("withheld_good"),
    ),
    Goal(
        what="(c) gIoU above the two-stage baseline",
        bound=0.20,
        at_least=True,
        value=_above_two_stage,
    ),
    Goal(
        what="(c) gIoU above the best trivial baseline",
        bound=0.35,
        at_least=True,
        value=_above_trivial,
    ),
    Goal(
        what="3D point where IoU >= 0.5, median error [mm]",
        bound=15.0,
        at_least=False,
        value=_point_error,
        digits=1,
    ),
    Goal(
        what="seconds from intent to mask on a new image, median",
        bound=2.5,
        at_least=False,
        value=lambda scored, seed: scored.reports[seed]["median_intent_s"],
        digits=2,
    ),
)


def subsets_table(scored: Scored) -> str:
    """Figures of each subset, means over the seeds."""
    seeds = sorted(scored.reports)
    present = [name for name in SUBSETS if name in _subsets(scored, seeds[0])]
    lines = head(HEADS)
    for name in present:
        found = scores(scored.records, lambda one, name=name: one["subset"] == name)  # type: ignore[misc]
        figures = [scored.subset(seed, name) for seed in seeds]
        cells = [
            f"({name}) {SUBSETS[name]}",
            str(figures[0]["n"]),
            tables.value_cell(found, "giou"),
            ", ".join(f"{100 * one['giou']:.1f}" for one in figures),
            tables.value_cell(found, "ciou"),
            *(_share(figures, key) for key in ("right_object", "refused", "n_acc")),
        ]
        lines.append(line(cells))
    first = scored.reports[seeds[0]]
    whole = [scored.everything(seed) for seed in seeds]
    points = [one["points"] for one in whole]
    lines += [
        "",
        f"{first['frames']} frames of {first['split']}, {len(seeds)} seeds, {first['protocol']}. "
        "Percent; intervals: bootstrap over whole frames and seeds.",
        "",
        f"- Two targets, best assignment: {_share(whole, 'two_target_iou')}.",
        f"- Calibration error of the score, IoU >= 0.5: {_share(whole, 'calibration_error')}.",
        f"- 3D point where IoU >= 0.5: median error "
        f"{_spread([one['median_error_mm'] for one in points], 1)} mm; questions for one thing "
        f"with such a point: {_spread([100 * (1 - one['share_without']) for one in points], 1)} %.",
        "",
    ]
    return "\n".join(lines)


def _subsets(scored: Scored, seed: int) -> Mapping[str, Any]:
    found: Mapping[str, Any] = scored.reports[seed]["methods"][MODEL]["subsets"]
    return found


def goals_table(scored: Scored) -> str:
    """Each goal beside what was reached: mean over the seeds, and of each.

    A goal whose figure is missing for a seed (no such subset or baseline) counts as not measured.
    """
    lines = head(["figure", "goal", "reached", "of each seed", ""])
    for goal in GOALS:
        values = [_value(goal, scored, seed) for seed in sorted(scored.reports)]
        known = [one for one in values if one is not None]
        sign = "at least" if goal.at_least else "at most"
        bound = f"{sign} {goal.bound:.{goal.digits}f}"
        if len(known) < len(values):
            lines.append(line([goal.what, bound, "not measured", "", ""]))
            continue
        mean = float(np.mean(known))
        each = ", ".join(f"{one:.{goal.digits}f}" for one in known)
        verdict = "met" if goal.met(mean) else "**missed**"
        lines.append(line([goal.what, bound, f"{mean:.{goal.digits}f}", each, verdict]))
    return "\n".join([*lines, ""])


def _value(goal: Goal, scored: Scored, seed: int) -> float | None:
    try:
        return goal.value(scored, seed)
    except KeyError:  # the split has no such subset
        return None


def _share(figures: Sequence[Report], key: str) -> str:
    values = [one.get(key) for one in figures]
    if any(one is None for one in values):
        return "-"
    return _spread([100 * one for one in values if one is not None], 1)


def _spread(values: Sequence[float | None], digits: int) -> str:
    """Mean, and the least and most of several; "-" where one is missing."""
    known = [one for one in values if one is not None]
    if not known or len(known) < len(values):
        return "-"
    mean = f"{np.mean(known):.{digits}f}"
    if len(known) == 1:
        return mean
    return f"{mean} ({min(known):.{digits}f} to {max(known):.{digits}f})"


def read(reports: Sequence[Path], two_stage: Path | None = None) -> Scored:
    """Read reports, and the records beside them.

    Raises:
        ExperimentError: naming the file that is missing or does not belong to the others.
    """
    paths = [*reports, *([] if two_stage is None else [two_stage])]
    found = [_report(path) for path in paths]
    for path, one in zip(paths, found, strict=True):
        if (one["split"], one["frames"]) != (found[0]["split"], found[0]["frames"]):
            raise ExperimentError(f"{path} is of other frames than {paths[0]}")
    return Scored(
        reports=dict(enumerate(found[: len(reports)])),
        records={seed: _records(path) for seed, path in enumerate(reports)},
        two_stage=None if two_stage is None else found[-1],
    )


def _report(path: Path) -> Report:
    if not path.is_file():
        raise ExperimentError(f"no report at {path}; write it with lisa eval homereason --json")
    found: Report = json.loads(path.read_text(encoding="utf-8"))
    if found.get("benchmark") != "homereason":
        raise ExperimentError(f"{path} is no report of HomeReason")
    return found


def _records(report: Path) -> Records:
    path = report.with_suffix(".jsonl")
    if not path.is_file():
        raise ExperimentError(
            f"no records at {path}; write them with lisa eval homereason --records"
        )
    return [json.loads(one) for one in path.read_text(encoding="utf-8").splitlines()]


def main(argv: list[str] | None = None) -> int:
    """Entry point; errors that a user can mend are one line on stderr and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m training.homereason.seeds")
    parser.add_argument("reports", type=Path, nargs="+", help="of each seed; X.jsonl beside X.json")
    parser.add_argument("--two-stage", type=Path, help="report of a two-stage baseline")
    parser.add_argument("--write", type=Path, help="page to write the tables into")
    args = parser.parse_args(argv)

    def made() -> dict[str, str]:
        scored = read(args.reports, args.two_stage)
        return {"subsets": subsets_table(scored), "goals": goals_table(scored)}

    return tables.show(made, TITLES, name="homereason", kind="scores", page=args.write)


if __name__ == "__main__":
    sys.exit(main())
