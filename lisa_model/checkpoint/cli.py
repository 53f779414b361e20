"""``lisa convert`` and ``lisa verify``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

DTYPES = ("bfloat16", "float16", "float32")


def add_parser(commands: Any) -> None:
    """Add the two commands.

    Args:
        commands: what ``ArgumentParser.add_subparsers`` returned.
    """
    convert = commands.add_parser(
        "convert",
        help="an official LISA checkpoint as safetensors with checksums",
        description="Writes DST: the same tensors as safetensors, config and tokenizer files, "
        "MANIFEST.json and SHA256SUMS. Run it again after an interruption: it goes on.",
    )
    convert.add_argument("source", type=Path, metavar="SRC", help="folder of the checkpoint")
    convert.add_argument("target", type=Path, metavar="DST", help="new folder")
    convert.add_argument(
        "--vision-tower", type=Path, metavar="DIR", help="folder of the CLIP model, to include"
    )
    convert.add_argument("--dtype", choices=DTYPES, help="cast the weights; kept if left out")
    convert.add_argument(
        "--lora-alpha",
        type=float,
        metavar="ALPHA",
        help="of a training run whose LoRA part is not merged and has no adapter_config.json",
    )
    convert.add_argument("--quiet", action="store_true", help="no progress")
    convert.set_defaults(run=run_convert)

    verify = commands.add_parser("verify", help="check every file of a converted checkpoint")
    verify.add_argument("folder", type=Path, metavar="DIR")
    verify.add_argument("--quiet", action="store_true", help="no progress")
    verify.set_defaults(run=run_verify)


def run_convert(args: argparse.Namespace) -> None:
    """``lisa convert``."""
    import torch

    from lisa_model.checkpoint.convert import convert

    manifest = convert(
        args.source,
        args.target,
        vision_tower=args.vision_tower,
        dtype=getattr(torch, args.dtype) if args.dtype else None,
        lora_alpha=args.lora_alpha,
        progress=not args.quiet,
    )
    total = sum(entry.bytes for entry in manifest.files.values())
    print(f"{args.target}: {len(manifest.files)} files, {total / 1e9:.2f} GB")
    if args.vision_tower is None:
        print("  the vision tower is not included; name it with --vision-tower at each use")


def run_verify(args: argparse.Namespace) -> None:
    """``lisa verify``."""
    from lisa_model.checkpoint.manifest import verify

    manifest = verify(args.folder, progress=not args.quiet)
    print(f"{args.folder}: all {len(manifest.files)} files are as they were written")
