"""``python3 -m lisa_model.base_weights``: get, check or make again the base weights."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from lisa_model.base_weights.sources import SOURCES
from lisa_model.base_weights.store import (
    ensure_base_weights,
    remake_base_weights,
    verify_base_weights,
)
from lisa_model.errors import LisaError


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python3 -m lisa_model.base_weights",
        description="Fetch, check and convert the base weights into the user's cache. Does nothing "
        "to weights that are there already.",
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"which ones ({', '.join(SOURCES)}); without a name those needed for running",
    )
    parser.add_argument(
        "--training", action="store_true", help="without a name: also those needed for training"
    )
    parser.add_argument(
        "--verify", action="store_true", help="also check the SHA-256 of every converted file"
    )
    parser.add_argument(
        "--force", action="store_true", help="fetch and convert again, replacing what is there"
    )
    parser.add_argument("--cache-dir", help="cache folder (else LISA_CACHE, else the user's cache)")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; prints one line ``NAME FOLDER`` a set of weights.

    Returns:
        exit status: 0, or 1 after an error (its message is on stderr).
    """
    parser = build_parser()
    arguments = parser.parse_args(argv)
    unknown = [name for name in arguments.names if name not in SOURCES]
    if unknown:
        parser.error(f"unknown base weights {', '.join(unknown)}; known: {', '.join(SOURCES)}")
    names = arguments.names or [
        name
        for name, source in SOURCES.items()
        if source.needed_for == "running" or arguments.training
    ]
    make = remake_base_weights if arguments.force else ensure_base_weights
    for name in names:
        try:
            options = {"cache_dir": arguments.cache_dir, "progress": not arguments.quiet}
            folder = make(name, **options)
            if arguments.verify:
                verify_base_weights(name, **options)
        except LisaError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        print(name, folder)
    return 0
