"""Counts of the built questions as Markdown: ``python -m training.homereason.stats DIR``."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from training.homereason.files import FOLDERS, read_questions
from training.homereason.question import KINDS, SUBSETS, Question


def table(found: Mapping[str, Sequence[Question]]) -> str:
    """Markdown: questions by split, subset and kind."""
    lines = [
        "| split | subset | frames | questions | categories | " + " | ".join(KINDS) + " |",
        "|---" * (5 + len(KINDS)) + "|",
    ]
    for split, questions in found.items():
        for subset in ("", *SUBSETS):
            some = [one for one in questions if one.subset == subset]
            if not some:
                continue
            kinds = Counter(one.kind for one in some)
            cells = [
                split,
                f"({subset}) {SUBSETS[subset]}" if subset else "training",
                len({one.frame for one in some}),
                len(some),
                len({category for one in some for category in one.categories}),
                *(kinds[kind] for kind in KINDS),
            ]
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def read(folder: Path, splits: Sequence[str] = FOLDERS) -> dict[str, Sequence[Question]]:
    """Questions of those splits that are there."""
    return {
        name: read_questions(folder / f"{name}.jsonl")
        for name in splits
        if (folder / f"{name}.jsonl").is_file()
    }


def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(
        prog="python -m training.homereason.stats", description=__doc__
    )
    parser.add_argument(
        "questions", type=Path, nargs="?", default=Path("data/homereason_questions")
    )
    folder = parser.parse_args(argv).questions
    found = read(folder)
    if not found:
        print(f"homereason: no question files in {folder}; build them first", file=sys.stderr)
        return 1
    print(table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
