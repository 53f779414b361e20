"""``lisa data check`` and ``lisa data rephrase``; they live in ``training``."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path
from typing import Any


def add_parser(commands: Any) -> None:
    """Add ``lisa data``.

    Args:
        commands: what ``ArgumentParser.add_subparsers`` returned.
    """
    data = commands.add_parser("data", help="training data of official LISA models")
    actions = data.add_subparsers(dest="action", required=True)

    check = actions.add_parser("check", help="is a download whole and readable?")
    check.add_argument("config", type=Path, help="such as config/data/lisa_paper.yaml")
    check.add_argument("--json", type=Path, help="write the report here")
    check.add_argument(
        "--contact-sheet", type=Path, metavar="FILE", help="write samples with their masks here"
    )
    check.add_argument("--limit", type=int, help="read only N items of each set, evenly spread")
    check.set_defaults(run=run_check)

    rephrase = actions.add_parser(
        "rephrase",
        help="have a language model rephrase ReasonSeg's instructions",
        description="Writes paraphrases of every instruction into a file to be reviewed and "
        "trained on (rephrased: FILE), see docs/data.md. Run again, it goes on where it stopped.",
    )
    rephrase.add_argument(
        "source", type=Path, metavar="CONFIG_OR_FOLDER", help="a data configuration, or a split"
    )
    rephrase.add_argument("--out", type=Path, required=True, metavar="FILE.json")
    rephrase.add_argument("--count", type=int, default=5, help="paraphrases of each (5)")
    rephrase.add_argument(
        "--model",
        required=True,
        help="folder of a language model; with --endpoint the server's name of it",
    )
    rephrase.add_argument(
        "--endpoint",
        metavar="URL",
        help="OpenAI-compatible server, such as http://localhost:8000/v1",
    )
    rephrase.add_argument(
        "--key-env", metavar="NAME", help="environment variable of the key (OPENAI_API_KEY)"
    )
    rephrase.add_argument("--seed", type=int, default=0, help="of sampling")
    rephrase.add_argument("--temperature", type=float, default=0.7, help="of sampling (0.7)")
    rephrase.add_argument("--timeout", type=float, default=60.0, help="of a request [s]")
    rephrase.add_argument("--limit", type=int, help="the first N instructions only")
    rephrase.set_defaults(run=run_rephrase)


def run_check(args: argparse.Namespace) -> None:
    """``lisa data check``."""
    module = importlib.import_module("training.data.check")
    module.run(args.config, json_file=args.json, sheet_file=args.contact_sheet, limit=args.limit)


def run_rephrase(args: argparse.Namespace) -> None:
    """``lisa data rephrase``."""
    module = importlib.import_module("training.data.rephrase.command")
    module.run(
        args.source,
        out=args.out,
        count=args.count,
        model=args.model,
        endpoint=args.endpoint,
        key_env=args.key_env,
        seed=args.seed,
        temperature=args.temperature,
        timeout_s=args.timeout,
        limit=args.limit,
    )
