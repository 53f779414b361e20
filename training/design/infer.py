"""Tries choices of inference on one trained model, without training.

Run: ``python -m training.design.infer --model data/tiny/seed0/joint --frames data/homereason
--limit 40``
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from lisa_model.config import CONFIG_FILE, WEIGHTS_FILE, LisaConfig
from training.design.plan import plan_inference
from training.design.settings import INFERENCE
from training.experiments.command import add_scoring, chosen, drive, new_parser, read_data
from training.experiments.errors import ExperimentError
from training.experiments.places import Places
from training.experiments.runner import fingerprint
from training.experiments.runs import Run
from training.homereason.files import questions_folder

WORK = "data/design"


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = new_parser("training.design.infer", __doc__)
    add = parser.add_argument
    add("--choice", nargs="+", choices=(*INFERENCE, "all"), default=["all"])
    add("--model", type=Path, required=True, help="folder of a trained model")
    add_scoring(parser, work=WORK, split="val")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Entry point; errors that a user can mend are one line on stderr and exit code 1."""
    args = arguments().parse_args(argv)
    places = Places(
        work=args.work,
        frames=args.frames,
        features=Path(),
        questions=(),
        scored=args.scored or questions_folder(args.frames),
        model=str(args.model),
    )

    def planned() -> list[Run]:
        files = [args.model / CONFIG_FILE, args.model / WEIGHTS_FILE]
        model = fingerprint(files, remedy="--model must be a folder that training wrote")
        return plan_inference(
            chosen(args.choice, INFERENCE),
            data=read_data(args, places),
            model=model,
            concepts=_config(files[0]).concepts,
        )

    return drive(
        args,
        places,
        planned,
        package="training.design",
    )


def _config(path: Path) -> LisaConfig:
    try:
        return LisaConfig.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (TypeError, ValueError) as error:
        raise ExperimentError(f"--model: {path} is not one of lisa-tiny's kind: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
