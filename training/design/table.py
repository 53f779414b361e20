"""Tables of the choices, from the records of finished runs; into docs/tiny_design.md with
``--write``.

Run: ``python -m training.design.table --work data/design --write docs/tiny_design.md``
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.design.choice import MOST_MB, MOST_S, Choice
from training.design.infer import WORK
from training.design.plan import inference_id, score_id
from training.design.settings import FIELDS, INFERENCE, SETTINGS
from training.design.variants import TRAINED, VARIANTS
from training.experiments import tables
from training.experiments.errors import ExperimentError
from training.experiments.places import REPORT
from training.experiments.statistics import Scores, scores
from training.experiments.tables import Records, points_cell, steps_of, value_cell
from training.homereason.choose import IMPLICIT
from training.household.evaluate import AREA_EDGES, REFERENCE_AREA
from training.markdown import head, line

HEADS = (
    "",
    "gIoU, all questions",
    "difference",
    "explicit",
    "implicit",
    "MB",
    "s, new image",
    "s, same image",
)
NOTHING = "-"
Keep = Callable[[Mapping[str, Any]], bool]


def choice_table(
    choice: Choice,
    labels: Sequence[str],
    work: Path,
    seeds: Sequence[int],
    score: Callable[[str, int], str],
) -> str | None:
    """A choice's tables in Markdown; None where a row has no finished score.

    Only seeds count for which every row is finished.

    Args:
        labels: of the rows.
        score: id of the score of a row and a seed.

    Raises:
        ExperimentError: rows were asked different questions.
    """
    common, rows = tables.read_rows(work, choice.rows, seeds, score)
    if not common:
        return None
    reports = [
        [json.loads((work / score(row, seed) / REPORT).read_text("utf-8")) for seed in common]
        for row in choice.rows
    ]
    everything = [scores(mine) for mine in rows]
    for name, found in zip(choice.rows, everything, strict=True):
        if found.questions != everything[0].questions:
            raise ExperimentError(f"{name} was asked other questions than {choice.rows[0]}")
    lines = head(HEADS)
    for k, label in enumerate(labels):
        cells = [
            label,
            value_cell(everything[k], "giou"),
            points_cell(everything[k], everything[0]) if k else NOTHING,
            _percent(rows[k], lambda one: one["kind"] == "explicit"),
            _percent(rows[k], lambda one: one["kind"] in IMPLICIT),
            _within(max(one["weights_mb"] for one in reports[k]), MOST_MB, 1),
            _seconds(rows[k], new_image=True),
            _seconds(rows[k], new_image=False),
        ]
        lines.append(line(cells))
    lines += ["", *area_table(labels, rows), "", _note(common, everything[0], reports)]
    ids = [score(row, common[0]) for row in choice.rows]
    return "\n".join([*lines, steps_of(work, ids)]).rstrip() + "\n"


def area_table(labels: Sequence[str], rows: Sequence[Mapping[int, Records]]) -> list[str]:
    """gIoU of questions for one thing, by its area, and the difference to the first row."""
    bins = []
    for low, high in itertools.pairwise(AREA_EDGES):
        name = f"{low} to {high} px" if high <= REFERENCE_AREA else f"from {low} px"
        keep = _sized(low, high)
        count = sum(keep(one) for one in next(iter(rows[0].values())))
        if count:
            bins.append((f"{name} (n={count})", keep))
    lines = head(["gIoU by area", *(name for name, _ in bins)])
    first = [scores(rows[0], keep) for _, keep in bins]
    for k, label in enumerate(labels):
        cells = []
        for (_, keep), base in zip(bins, first, strict=True):
            found = scores(rows[k], keep)
            value = f"{100 * found.value('giou'):.1f}"
            cells.append(f"{value}; {points_cell(found, base)}" if k else value)
        lines.append(line([label, *cells]))
    return lines


def _sized(low: float, high: float) -> Keep:
    return lambda one: one["area_px"] is not None and low <= one["area_px"] < high


def _percent(rows: Mapping[int, Records], keep: Keep) -> str:
    if not any(keep(one) for one in next(iter(rows.values()))):
        return NOTHING
    return f"{100 * scores(rows, keep).value('giou'):.1f}"


def _seconds(rows: Mapping[int, Records], *, new_image: bool) -> str:
    """Median and 95th percentile over questions and seeds."""
    found = [
        one["seconds"] for mine in rows.values() for one in mine if one["new_image"] == new_image
    ]
    if not found:
        return NOTHING
    return f"{_within(float(np.median(found)), MOST_S, 2)} / {np.quantile(found, 0.95):.2f}"


def _within(value: float, most: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return text if value <= most else f"{text} (over {most:g})"


def _note(seeds: Sequence[int], found: Scores, reports: Sequence[Sequence[Any]]) -> str:
    """What the table rests on: questions, seeds, machine."""
    flat = [one for row in reports for one in row]
    sizes = sorted({f"{width} x {height}" for one in flat for width, height in one["sizes"]})
    threads = sorted({one["threads"] for one in flat})
    loads = [value for one in flat for value in one["load"]]
    first = flat[0]
    models = f"seed {_list(seeds)}"
    if not first["run"]["needs"]:
        own = [f"{name} {first['config'][name]}" for name in FIELDS]
        models = (
            f"one model, whose own setting is {_list(own)}, {first['run']['settings']['dtype']}"
        )
    if len(seeds) == 1:
        models += "; one training, so intervals do not hold the spread between trainings"
    return (
        f"{len(found.questions)} questions on {len(found.count)} frames of {first['split']} "
        f"({_list(sizes)}); {models}. Seconds: {_list(sorted({one['machine'] for one in flat}))}, "
        f"threads {_list(threads)}, load average {min(loads):.1f} to {max(loads):.1f}."
    )


def _list(values: Sequence[object]) -> str:
    return ", ".join(str(one) for one in values)


def open_note(choice: Choice) -> str:
    """What stands in the place of a table that no run has filled."""
    command = f"python -m training.design.train --choice {choice.name}"
    if choice.name in INFERENCE:
        command = f"python -m training.design.infer --model MODEL --choice {choice.name}"
    return tables.open_note(command, "python -m training.design.table --write docs/tiny_design.md")


def all_tables(
    work: Path, seeds: Sequence[int], *, split: str, limit: int | None
) -> dict[str, str]:
    """The table of each choice, or how to fill it."""
    out = {}
    for name, choice in INFERENCE.items():
        labels = [SETTINGS[row].label for row in choice.rows]
        text = choice_table(
            choice, labels, work, [0], lambda row, _: inference_id(row, split, limit)
        )
        out[name] = text or open_note(choice)
    for name, choice in TRAINED.items():
        labels = [VARIANTS[row].label for row in choice.rows]
        text = choice_table(
            choice, labels, work, seeds, lambda row, seed: score_id(row, seed, split, limit)
        )
        out[name] = text or open_note(choice)
    return out


def main(argv: list[str] | None = None) -> int:
    """Entry point; errors that a user can mend are one line on stderr and exit code 1."""
    parser = tables.table_arguments("training.design.table", work=WORK, split="val", seeds=[0])
    args = parser.parse_args(argv)
    titles = {name: choice.title for name, choice in {**INFERENCE, **TRAINED}.items()}
    return tables.show(
        lambda: all_tables(args.work, args.seeds, split=args.split, limit=args.limit),
        titles,
        name="design",
        kind="choice",
        page=args.write,
    )


if __name__ == "__main__":
    sys.exit(main())
