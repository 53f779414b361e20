"""Trains and scores variants of lisa-tiny's design; what is finished is not made again.

Run: ``python -m training.design.train --choice lora --seeds 0 --frames data/homereason
--features data/tiny/features/train``
"""

from __future__ import annotations

import argparse
import sys

from training.design.infer import WORK
from training.design.plan import Budget, plan_training
from training.design.variants import TRAINED, Stage
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
from training.experiments.runs import Run


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = new_parser("training.design.train", __doc__)
    parser.add_argument("--choice", nargs="+", choices=(*TRAINED, "all"), default=["all"])
    add_scoring(parser, work=WORK, split="val")
    add_training(parser, seeds=[0], budget=Budget())
    return parser


def main(argv: list[str] | None = None) -> int:
    """Entry point; errors that a user can mend are one line on stderr and exit code 1."""
    args = arguments().parse_args(argv)
    places = training_places(args)

    def planned() -> list[Run]:
        runs = plan_training(
            chosen(args.choice, TRAINED),
            args.seeds,
            budget=read_budget(args, Budget),
            data=read_data(args, places),
        )
        check_features(places)
        return runs

    return drive(
        args,
        places,
        planned,
        package="training.design",
        last=[Stage.JOINT],
    )


if __name__ == "__main__":
    sys.exit(main())
