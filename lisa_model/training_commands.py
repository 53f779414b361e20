"""``lisa train``, ``lisa merge`` and ``lisa export``; they live in ``training``."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path
from typing import Any

DTYPES = ("bfloat16", "float16", "float32")


def add_parser(commands: Any) -> None:
    """Add the three commands.

    Args:
        commands: what ``ArgumentParser.add_subparsers`` returned.
    """
    train = commands.add_parser(
        "train",
        help="train or fine-tune a LISA model",
        description="Trains as CONFIG says, see docs/training.md. Started again, it goes on where "
        "it stopped. Several GPUs: torchrun --nproc-per-node N -m lisa_model.cli train CONFIG.",
    )
    train.add_argument("config", type=Path, help="such as config/train/lisa_7b.yaml")
    train.add_argument(
        "--resume-from", type=Path, metavar="DIR", help="a checkpoint, or another run's folder"
    )
    train.set_defaults(run=run_train)

    merge = commands.add_parser("merge", help="a training run's model as one safetensors file")
    merge.add_argument("source", type=Path, metavar="RUN", help="a run, or a checkpoint of one")
    merge.add_argument("target", type=Path, metavar="OUT", help="new folder")
    merge.add_argument(
        "--base", type=Path, metavar="DIR", help="what the run began with, if it was moved"
    )
    merge.add_argument("--dtype", choices=DTYPES, help="of the weights; that of the base if not")
    merge.add_argument(
        "--best",
        action="store_true",
        help="the best checkpoint by validation, not the newest",
    )
    merge.set_defaults(run=run_merge)

    export = commands.add_parser("export", help="a model in the layout of the official code")
    export.add_argument("source", type=Path, metavar="MODEL", help="such as lisa merge wrote")
    export.add_argument("target", type=Path, metavar="OUT", help="new folder")
    export.add_argument("--dtype", choices=DTYPES, help="cast the weights; kept if left out")
    export.set_defaults(run=run_export)


def run_train(args: argparse.Namespace) -> None:
    """``lisa train``."""
    module = importlib.import_module("training.run.command")
    module.run_train(args.config, resume_from=args.resume_from)


def run_merge(args: argparse.Namespace) -> None:
    """``lisa merge``."""
    module = importlib.import_module("training.run.command")
    module.run_merge(args.source, args.target, base=args.base, dtype=args.dtype, best=args.best)


def run_export(args: argparse.Namespace) -> None:
    """``lisa export``."""
    module = importlib.import_module("training.run.command")
    module.run_export(args.source, args.target, dtype=args.dtype)
