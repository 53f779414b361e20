"""Question files: JSON lines beside the frames."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from training.homereason.question import Question, parse_question

UNSEEN = "test_models"
FOLDERS = ("train", "val", "test", UNSEEN)


def questions_folder(frames: Path) -> Path:
    """Where the questions of a folder of frames lie by default: beside it."""
    return frames.with_name(f"{frames.name}_questions")


def write_questions(path: Path, questions: Iterable[Question]) -> None:
    """One JSON object a line."""
    lines = [json.dumps(one.as_dict(), ensure_ascii=False) for one in questions]
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    part.replace(path)


def read_questions(path: Path) -> list[Question]:
    """Read them back.

    Raises:
        FileNotFoundError: there is no such file, saying how to make it.
        ValueError: a line is no question, naming file and line.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"no questions at {path}; write them with python -m training.homereason.build"
        )
    out = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            out.append(parse_question(json.loads(line)))
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
    return out
