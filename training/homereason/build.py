"""Writes the questions of all frames: ``python -m training.homereason.build --frames DIR``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from training.homereason.choose import Balance, scored_questions, training_questions
from training.homereason.files import FOLDERS, UNSEEN, questions_folder, write_questions
from training.homereason.layout import write_item
from training.homereason.question import Question
from training.homereason.scene import read_json, read_scene
from training.homereason.small_talk import turns
from training.household.taxonomy import Split


def models_of(folder: Path) -> set[str]:
    """Every model in a folder's frames, also hidden ones."""
    out: set[str] = set()
    for path in sorted(folder.glob("*.json")):
        meta = read_json(path)
        out.update(str(item["model"]) for item in meta["instances"])
        out.update(str(one) for one in meta.get("models", ()))
    return out


def questions_of(
    folder: Path,
    *,
    seen_models: set[str],
    seed: str = "0",
    progress: Callable[[str], None] = lambda _: None,
) -> list[Question]:
    """All questions of a folder of frames, in the order of their names.

    Args:
        folder: ``train``, ``val``, ``test`` or ``test_models``.
        seen_models: of the training frames; in ``test_models`` only others are asked for.
        seed: of the training questions; those of the other splits are fixed.
    """
    out: list[Question] = []
    balance = Balance()
    paths = sorted(folder.glob("*.json"))
    unseen = models_of(folder) - seen_models if folder.name == UNSEEN else None
    split: Split = "test" if folder.name == UNSEEN else folder.name  # type: ignore[assignment]
    for number, path in enumerate(paths, start=1):
        scene = read_scene(path)
        if split == "train":
            out += training_questions(scene, seed=seed)
        else:
            out += scored_questions(scene, split, balance, unseen=unseen)
        if number % 500 == 0:
            progress(f"{folder.name}: {number} of {len(paths)} frames")
    return out


def write_small_talk(path: Path) -> None:
    """Turns without an image that want no mask, for training and tests, one JSON object a line."""
    lines = [
        json.dumps({"split": split, "kind": "small_talk", "text": text, "answer": reply})
        for split in ("train", "val", "test")
        for text, reply in turns(split)  # type: ignore[arg-type]
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def build(
    frames: Path,
    out: Path,
    *,
    reason_seg: Path | None = None,
    seed: str = "0",
    only: str | None = None,
    progress: Callable[[str], None] = print,
) -> dict[str, int]:
    """Write the question files, and the ReasonSeg layout if asked for.

    Args:
        frames: folder of the splits.
        out: where question files go.
        reason_seg: where the other layout goes.
        seed: of the training questions.
        only: write this split's file and nothing else.
        progress: told what was done.

    Returns:
        number of questions by folder.

    Raises:
        FileNotFoundError: none of the folders has a frame.
    """
    there = [name for name in FOLDERS if any((frames / name).glob("*.json"))]
    if not there:
        raise FileNotFoundError(
            f"no frames in {frames}: needs at least one of {', '.join(FOLDERS)} with NAME.json "
            "(training/household/README.md tells how to render them)"
        )
    if UNSEEN in there and "train" not in there:
        raise FileNotFoundError(
            f"{frames / 'train'} has no frames: without them nobody knows which models are unseen"
        )
    seen = models_of(frames / "train") if UNSEEN in there else set()
    counts = {}
    for name in [one for one in there if only in (None, one)]:
        found = questions_of(frames / name, seen_models=seen, seed=seed, progress=progress)
        write_questions(out / f"{name}.jsonl", found)
        counts[name] = len(found)
        progress(f"{name}: {len(found)} questions")
        if reason_seg is not None:
            numbers: dict[str, int] = {}
            for one in found:
                number = numbers[one.frame] = numbers.get(one.frame, -1) + 1
                write_item(one, number, frames / name, reason_seg / name)
    if only is None:
        write_small_talk(out / "small_talk.jsonl")
    return counts


def main(argv: list[str] | None = None) -> int:
    """Entry point; errors that a user can mend are one line on stderr and exit code 1."""
    parser = argparse.ArgumentParser(
        prog="python -m training.homereason.build", description=__doc__
    )
    parser.add_argument("--frames", type=Path, default=Path("data/homereason"))
    parser.add_argument("--out", type=Path, help="default: beside the frames, NAME_questions")
    parser.add_argument(
        "--reasonseg", type=Path, metavar="DIR", help="write the layout of ReasonSeg here as well"
    )
    parser.add_argument("--seed", default="0", help="of the training questions")
    parser.add_argument("--only", choices=FOLDERS, help="this split only")
    args = parser.parse_args(argv)
    try:
        out = args.out or questions_folder(args.frames)
        build(args.frames, out, reason_seg=args.reasonseg, seed=args.seed, only=args.only)
    except (OSError, ValueError) as error:
        print(f"homereason: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
