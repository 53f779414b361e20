"""Records of finished scores, and tables in a page of the documentation."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from training.experiments.errors import ExperimentError
from training.experiments.places import DONE_FILE, RECORDS, REPORT, RUN_FILE
from training.experiments.statistics import Measure, Scores, difference, interval

Records = list[dict[str, Any]]


def read_finished(work: Path, run_id: str) -> Records | None:
    """Records of a score; None where it is not finished."""
    folder = work / run_id
    if not ((folder / DONE_FILE).is_file() and (folder / REPORT).is_file()):
        return None
    lines = (folder / RECORDS).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def read_rows(
    work: Path, rows: Sequence[str], seeds: Sequence[int], run_id: Callable[[str, int], str]
) -> tuple[list[int], list[dict[int, Records]]]:
    """Seeds for which every row is finished, and each row's records of these seeds.

    Args:
        rows: keys of the rows.
        run_id: id of the score of a row and a seed.
    """
    found = [
        {
            seed: records
            for seed in seeds
            if (records := read_finished(work, run_id(row, seed))) is not None
        }
        for row in rows
    ]
    common = [seed for seed in seeds if all(seed in one for one in found)]
    return common, [{seed: one[seed] for seed in common} for one in found]


def steps_of(work: Path, ids: Sequence[str]) -> str:
    """How long the runs behind scores trained, from their files; "" where nothing was trained."""
    steps: dict[str, int] = {}
    left = list(ids)
    while left:
        run = json.loads((work / left.pop() / RUN_FILE).read_text(encoding="utf-8"))["run"]
        left += run["needs"]
        if "steps" in run["settings"]:
            steps[run["stage"]] = run["settings"]["steps"]
    if not steps:
        return ""
    return "Steps: " + ", ".join(f"{name} {count}" for name, count in sorted(steps.items())) + "."


def value_cell(found: Scores, measure: Measure) -> str:
    """Percent, with the interval."""
    low, high = interval(found, measure)
    return f"{100 * found.value(measure):.1f} ({100 * low:.1f} to {100 * high:.1f})"


def points_cell(better: Scores, worse: Scores) -> str:
    """Difference in gIoU, points, with the paired interval."""
    value, (low, high) = difference(better, worse, "giou")
    return f"{100 * value:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def fill(page: str, kind: str, tables: Mapping[str, str]) -> str:
    """The page with the blocks between ``<!-- KIND: NAME -->`` and ``<!-- end: NAME -->`` renewed.

    Args:
        kind: of the blocks.
        tables: by name, in the order of the page or another.

    Raises:
        ExperimentError: a table has no block, or a block no table.
    """
    block = re.compile(
        rf"(?P<start><!-- {kind}: (?P<name>\w+) -->\n).*?(?P<end><!-- end: (?P=name) -->)",
        re.DOTALL,
    )
    blocks = [found["name"] for found in block.finditer(page)]
    if sorted(blocks) != sorted(tables):
        raise ExperimentError(
            f"the page has blocks for {', '.join(blocks) or 'nothing'}, the tables are "
            f"{', '.join(tables)}; give each <!-- {kind}: NAME --> and <!-- end: NAME -->"
        )
    return block.sub(
        lambda found: f"{found['start']}\n{tables[found['name']]}\n{found['end']}", page
    )


def open_note(*commands: str) -> str:
    """What stands in the place of a table that no run has filled."""
    return "\n".join(["Not run yet. To fill this table:", "", "```bash", *commands, "```", ""])


def table_arguments(
    prog: str, *, work: str, split: str, seeds: Sequence[int]
) -> argparse.ArgumentParser:
    """The command line of the tables."""
    parser = argparse.ArgumentParser(prog=f"python -m {prog}")
    parser.add_argument("--work", type=Path, default=Path(work))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(seeds))
    parser.add_argument("--split", choices=("val", "test"), default=split)
    parser.add_argument("--limit", type=int, help="as the runs were made")
    parser.add_argument("--write", type=Path, help="page to write the tables into")
    return parser


def show(
    made: Callable[[], Mapping[str, str]],
    titles: Mapping[str, str],
    *,
    name: str,
    kind: str,
    page: Path | None,
) -> int:
    """Print the tables, and write them into a page; the exit code.

    Args:
        made: the tables by name; what it raises for mistakes is one line on stderr.
        titles: of the tables.
        name: before error messages.
        kind: of the page's blocks.
        page: None for none.
    """
    try:
        tables = made()
        for one, text in tables.items():
            print(f"## {titles[one]}\n\n{text}")
        if page is not None:
            page.write_text(fill(page.read_text(encoding="utf-8"), kind, tables), encoding="utf-8")
    except (ExperimentError, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    return 0
