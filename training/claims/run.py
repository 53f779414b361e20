"""Makes the runs of one or more of the paper's claims; what is finished is not made again.

Run: ``python -m training.claims.run --claim reasoning --seeds 0 1 2 --frames data/homereason
--features data/tiny/features/train --work data/claims``
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from training.claims.plan import Budget, Stage, plan
from training.claims.registry import CLAIMS
from training.experiments.command import (
    add_scoring,
    add_training,
    check_features,
    chosen,
    drive,
    new_parser,
    read_budget,
    read_data,
    training_places,
)
from training.experiments.errors import ExperimentError
from training.experiments.places import Places
from training.experiments.runs import Run


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = new_parser("training.claims.run", __doc__)
    add = parser.add_argument
    add("--claim", nargs="+", choices=(*CLAIMS, "all"), default=["all"])
    add_scoring(parser, work="data/claims", split="test")
    add_training(parser, seeds=[0, 1, 2], budget=Budget())
    add("--vision", default="", help='trained vision stages, as "data/tiny/seed{seed}/vision.pt"')
    return parser


def main(argv: list[str] | None = None) -> int:
    """Entry point; errors that a user can mend are one line on stderr and exit code 1."""
    args = arguments().parse_args(argv)
    places = training_places(args, own_vision=args.vision)

    def planned() -> list[Run]:
        runs = plan(
            chosen(args.claim, CLAIMS),
            args.seeds,
            budget=read_budget(args, Budget),
            data=read_data(args, places),
        )
        check_features(places)
        _check_vision(places, args.seeds)
        return runs

    return drive(
        args,
        places,
        planned,
        package="training.claims",
        last=[Stage.FINETUNE],
    )


def _check_vision(places: Places, seeds: Sequence[int]) -> None:
    if places.own_vision:
        for seed in seeds:
            path = Path(places.own_vision.format(seed=seed))
            if not path.is_file():
                raise ExperimentError(f"--vision: there is no {path}")


if __name__ == "__main__":
    sys.exit(main())
