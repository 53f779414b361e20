"""What the command lines of experiments have in common."""

from __future__ import annotations

import argparse
import sys
from argparse import Namespace
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from training.experiments.errors import ExperimentError
from training.experiments.places import Places
from training.experiments.runner import alone_in, fingerprint, in_own_process, is_done, make
from training.experiments.runs import Data, Run
from training.homereason.files import UNSEEN, questions_folder

_BUILD = "write the questions with python -m training.homereason.build"


def new_parser(module: str, description: str | None) -> argparse.ArgumentParser:
    """A parser that shows the module's own text as it stands."""
    return argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def chosen(wanted: Sequence[str], known: Iterable[str]) -> list[str]:
    """What a command line names, or all of it."""
    return list(known) if "all" in wanted else list(wanted)


def add_scoring(parser: argparse.ArgumentParser, *, work: str, split: str) -> None:
    """Options of all experiments: what is scored, and where the runs are."""
    add = parser.add_argument
    add("--frames", type=Path, default=Path("data/homereason"), help="folder of the splits")
    add("--scored", type=Path, help="folder of questions to score; default: FRAMES_questions")
    add("--split", choices=("val", "test"), default=split)
    add("--limit", type=int, help="score so many frames, evenly spread")
    add("--work", type=Path, default=Path(work))
    add("--dry-run", action="store_true", help="list the runs, make none")


def add_training(parser: argparse.ArgumentParser, *, seeds: Sequence[int], budget: Any) -> None:
    """Options of experiments that train; one for each number of the budget."""
    add = parser.add_argument
    add("--seeds", nargs="+", type=int, default=list(seeds))
    add("--features", type=Path, default=Path("data/tiny/features/train"))
    add("--questions", type=Path, nargs="+", help="of training; default: FRAMES_questions")
    add("--no-compile", action="store_true", help="where no C++ compiler is")
    for one in fields(budget):
        value = getattr(budget, one.name)
        add(f"--{one.name.replace('_', '-')}", type=type(value), default=value)


def read_budget(args: Namespace, kind: Callable[..., Any]) -> Any:
    """The budget of the command line; ``kind`` is its dataclass."""
    return kind(**{one.name: getattr(args, one.name) for one in fields(kind)})  # type: ignore[arg-type]


def training_places(args: Namespace, *, own_vision: str = "") -> Places:
    """Places of an experiment that trains."""
    folder = questions_folder(args.frames)
    return Places(
        work=args.work,
        frames=args.frames,
        features=args.features,
        questions=tuple(args.questions or [folder / "train.jsonl"]),
        scored=args.scored or folder,
        own_vision=own_vision,
        compiled=not args.no_compile,
    )


def read_data(args: Namespace, places: Places) -> Data:
    """What the runs rest on.

    Raises:
        ExperimentError: question files are missing.
    """
    training = fingerprint(places.questions, remedy=_BUILD) if places.questions else ""
    return Data(
        training=training,
        scored=fingerprint(_scored_files(places.scored, args.split), remedy=_BUILD),
        split=args.split,
        limit=args.limit,
        own_vision=places.own_vision,
    )


def _scored_files(folder: Path, split: str) -> list[Path]:
    files = [folder / f"{split}.jsonl"]
    unseen = folder / f"{UNSEEN}.jsonl"
    return [*files, unseen] if split == "test" and unseen.is_file() else files


def check_features(places: Places) -> None:
    """Raise :class:`ExperimentError` where no features are."""
    if not any(places.features.glob("*.npz")):
        raise ExperimentError(
            f"--features: no features in {places.features}; compute them with "
            "python -m training.tiny.cache_features"
        )


def drive(
    args: Namespace,
    places: Places,
    planned: Callable[[], Sequence[Run]],
    *,
    package: str,
    last: Collection[str] = (),
) -> int:
    """Plan and make the runs, or list them; the exit code.

    Args:
        planned: the runs; what it raises for mistakes is one line on stderr.
        package: of the experiment; its last name stands before error messages, its ``stages``
            carries out a run, its ``table`` makes the tables.
        last: see :func:`training.experiments.runner.make`.
    """
    try:
        runs = planned()
        if args.dry_run:
            for run in runs:
                print(("done " if is_done(run, places) else "open ") + run.id)
            return 0
        with alone_in(places.work):
            made = make(
                runs,
                places,
                carry=in_own_process(f"{package}.stages"),
                last=last,
                progress=lambda text: print(text, flush=True),
            )
    except (ExperimentError, OSError) as error:
        print(f"{package.split('.')[-1]}: {error}", file=sys.stderr)
        return 1
    print(f"{made} runs made; tables: python -m {package}.table --work {args.work}")
    return 0
