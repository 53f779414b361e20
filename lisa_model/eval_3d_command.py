"""``lisa eval-3d``: its grammar and its report."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def add_parser(commands: Any, model_arguments: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add the command.

    Args:
        commands: what ``ArgumentParser.add_subparsers`` returned.
        model_arguments: adds --model and what belongs to it.
    """
    parser = commands.add_parser(
        "eval-3d", help="score masks and 3D points over a recording with instance annotation"
    )
    parser.add_argument(
        "path",
        type=Path,
        help="an exported ScanNet scan with instance-filt/ and its aggregation.json, a folder of "
        "scannet_frames_25k, or a folder of household frames",
    )
    model_arguments(parser)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each N-th frame")
    parser.add_argument("--limit", type=int, metavar="N", help="the first N of those frames only")
    parser.add_argument(
        "--min-area", type=int, default=300, metavar="PX", help="ask for no smaller objects"
    )
    parser.add_argument("--score-threshold", type=float, default=0.3, help="as in the node")
    parser.add_argument("--max-new-tokens", type=int, default=16, help="longest answer")
    parser.add_argument("--json", type=Path, help="write the report here")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """``lisa eval-3d``."""
    # PyTorch takes seconds to import: wrong paths and options are told before.
    from lisa_model.eval_3d import EvalConfig, evaluate, summarise
    from lisa_model.recordings import open_recording
    from lisa_model.recordings.questions import questions_of

    config = EvalConfig(
        every=args.every,
        limit=args.limit,
        min_area_px=args.min_area,
        score_threshold=args.score_threshold,
        max_new_tokens=args.max_new_tokens,
    )
    recording = open_recording(args.path)
    questions = questions_of(recording)

    from lisa_model.segmenter import ReasoningSegmenter

    segmenter = ReasoningSegmenter.from_pretrained(
        args.model,
        vision_tower=args.vision_tower,
        device=args.device,
        dtype=args.dtype,
        conversation=args.conversation,
        quantization=args.quantization,
    )
    records = evaluate(segmenter, recording, questions, config)
    report = {"model": segmenter.name, "recording": args.path.name} | summarise(records)
    print(json.dumps(report, indent=1))
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        report["questions"] = [record.as_dict() for record in records]
        args.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
