"""What the frames hold and what is asked about them: the counts of the data card.

Run: ``python -m training.homereason.census --frames data/homereason --write docs/homereason.md``
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from training.experiments import tables
from training.experiments.errors import ExperimentError
from training.homereason import stats
from training.homereason.files import FOLDERS, questions_folder
from training.household.taxonomy import load_categories
from training.markdown import head, line

TITLES = {"frames": "Frames", "licences": "Licences", "questions": "Questions"}
PERCENTILES = (5, 50, 95)


@dataclass
class Split:
    """What the frames of a split hold.

    Attributes:
        scenes, sizes, rooms, views: how many frames of each.
        things: of each frame, how many of the taxonomy are in view.
        areas: of all these, in pixels of 640 x 480.
        categories: how many frames show each.
        models: those in view, by licence and creator.
    """

    scenes: Counter[str] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)
    rooms: Counter[str] = field(default_factory=Counter)
    views: Counter[str] = field(default_factory=Counter)
    things: list[int] = field(default_factory=list)
    areas: list[float] = field(default_factory=list)
    categories: Counter[str] = field(default_factory=Counter)
    models: dict[str, tuple[str, str]] = field(default_factory=dict)

    def add(self, frame: Mapping[str, Any]) -> None:
        """Count a frame's JSON."""
        width, height = int(frame["width"]), int(frame["height"])
        self.scenes[frame["scene"]] += 1
        self.sizes[f"{width} x {height}"] += 1
        self.rooms[frame["room"]] += 1
        self.views[frame["view"]] += 1
        known = load_categories()
        mine = [one for one in frame["instances"] if one["category"] in known]
        self.things.append(len(mine))
        self.areas += [one["area"] * (640 * 480) / (width * height) for one in mine]
        self.categories.update({one["category"] for one in mine})
        for one in frame["instances"]:
            if one["model"]:  # what the renderer makes itself has none
                self.models[one["model"]] = (one["licence"], one["creator"])


def count(folder: Path) -> Split:
    """Count all frames of a folder.

    Raises:
        ExperimentError: it holds none.
    """
    out = Split()
    for path in sorted(folder.glob("*.json")):
        out.add(json.loads(path.read_text(encoding="utf-8")))
    if not out.things:
        raise ExperimentError(f"no frames in {folder}; render them: docs/homereason.md")
    return out


def frames_table(splits: Mapping[str, Split]) -> str:
    """A column for each split."""
    rows: dict[str, list[str]] = {}

    def row(name: str, cells: Iterable[object]) -> None:
        rows[name] = [str(one) for one in cells]

    every = list(splits.values())
    row("frames", (len(one.things) for one in every))
    row("scenes", (len(one.scenes) for one in every))
    row("pixels", (_ranked(one.sizes) for one in every))
    row("rooms", (_ranked(one.rooms) for one in every))
    row("views", (_ranked(one.views) for one in every))
    row("things in view of a frame", (_percentiles(one.things) for one in every))
    row("area of a thing [px of 640 x 480]", (_percentiles(one.areas) for one in every))
    row("categories", (len(one.categories) for one in every))
    row("frames of a category", (_percentiles(list(one.categories.values())) for one in every))
    row("3D models in view", (len(one.models) for one in every))
    seen = set(splits["train"].models) if "train" in splits else None
    if seen is not None:
        row("of these in no training frame", (len(set(one.models) - seen) for one in every))
    shown = ", ".join(str(one) for one in PERCENTILES)
    return "\n".join(
        [
            *head(["", *splits]),
            *(line([name, *cells]) for name, cells in rows.items()),
            "",
            f"Three numbers: percentiles {shown}. A thing counts as soon as one pixel shows it.",
            "",
        ]
    )


def licences_table(splits: Mapping[str, Split]) -> str:
    """Models in view of any frame, by licence."""
    models = {key: value for one in splits.values() for key, value in one.models.items()}
    lines = head(["licence", "3D models", "creators"])
    for licence, number in Counter(licence for licence, _ in models.values()).most_common():
        creators = {who for mine, who in models.values() if mine == licence}
        lines.append(line([licence, str(number), str(len(creators))]))
    return "\n".join([*lines, ""])


def _ranked(counts: Counter[str]) -> str:
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{name} {number}" for name, number in counts.most_common())


def _percentiles(values: Sequence[float]) -> str:
    return " / ".join(f"{value:.0f}" for value in np.percentile(values, PERCENTILES))


def main(argv: list[str] | None = None) -> int:
    """Entry point; errors that a user can mend are one line on stderr and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m training.homereason.census")
    parser.add_argument("--frames", type=Path, default=Path("data/homereason"))
    parser.add_argument("--questions", type=Path, help="default: beside the frames")
    parser.add_argument("--write", type=Path, help="page to write the tables into")
    args = parser.parse_args(argv)

    def made() -> dict[str, str]:
        splits = {name: count(args.frames / name) for name in FOLDERS}
        asked = stats.read(args.questions or questions_folder(args.frames))
        return {
            "frames": frames_table(splits),
            "licences": licences_table(splits),
            "questions": stats.table(asked) + "\n",
        }

    return tables.show(made, TITLES, name="homereason", kind="counts", page=args.write)


if __name__ == "__main__":
    sys.exit(main())
