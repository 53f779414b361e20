"""``lisa``: the command line.

lisa segment IMAGE "INTENT" [--model M --device D --out overlay.png --json result.json]
lisa convert SRC DST [--vision-tower DIR --dtype bfloat16]
lisa verify DIR
lisa eval household [--split test --json FILE]
lisa eval homereason [--split test --json FILE --records FILE]
lisa eval photographs [FOLDER --out DIR]
lisa eval reasonseg [--data DIR --split val|test --mode teacher-forced|free|both ...]
lisa eval refer --set refcoco [--data DIR --split val|testA|testB ...]
lisa eval grefcoco [--data DIR --split val|testA|testB ...]
lisa data check CONFIG [--json FILE --contact-sheet FILE --limit N]
lisa data rephrase CONFIG_OR_FOLDER --out FILE.json --model M [--endpoint URL --count N]
lisa train CONFIG [--resume-from DIR]
lisa merge RUN OUT [--base DIR --dtype bfloat16]
lisa export MODEL OUT [--dtype bfloat16]
lisa play RECORDING [--rate R --loop --start-paused --clock]
lisa record OUT.mcap
lisa view [--namespace NS --max-hz HZ --no-publish]
lisa doctor [--model M --device D --ns NS --json FILE]
lisa eval-3d RECORDING [--model M --every N --json FILE]
lisa bench {engine,load,soak,ordeal,faults,follow,data,train-memory,ros,transport} ...
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path
from typing import Any

from lisa_model.checkpoint.cli import add_parser as add_checkpoint_commands
from lisa_model.data_commands import add_parser as add_data_commands
from lisa_model.errors import LisaError
from lisa_model.eval_3d_command import add_parser as add_eval_3d
from lisa_model.eval_commands import add_parser as add_eval_commands
from lisa_model.ros_commands import add_parser as add_ros_commands
from lisa_model.training_commands import add_parser as add_training_commands

# `lisa bench NAME`: modules that depend on this package; main(arguments) returns the exit status.
BENCHMARKS = {
    "engine": "benchmarks.engine",
    "load": "benchmarks.loading",
    "soak": "benchmarks.soak",
    "ordeal": "benchmarks.ordeal",
    "faults": "benchmarks.faults",
    "follow": "benchmarks.follow",
    "ros": "benchmarks.ros_overhead",
    "transport": "benchmarks.transport",
    "data": "benchmarks.data_pipeline",
    "train-memory": "benchmarks.train_memory",
}


def _model_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default="lisa-tiny", help="preset name or folder of weights")
    parser.add_argument("--device", default="cpu", help="torch device, such as cpu or cuda:0")
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16", "float16"))
    official = parser.add_argument_group("official LISA checkpoints")
    official.add_argument("--vision-tower", type=Path, metavar="DIR", help="its CLIP model")
    official.add_argument(
        "--conversation", default="llava_v1", help="prompt template: llava_v1 or llava_llama_2"
    )
    official.add_argument("--quantization", choices=("int8", "int4", "nf4"), help="of the LLM")


def _model_options(args: argparse.Namespace) -> dict[str, Any]:
    """Keyword arguments of ``ReasoningSegmenter.from_pretrained``."""
    names = ("vision_tower", "device", "dtype", "conversation", "quantization")
    return {name: getattr(args, name) for name in names}


def build_parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    parser = argparse.ArgumentParser(prog="lisa", description="Reasoning segmentation.")
    commands = parser.add_subparsers(dest="command", required=True)

    segment = commands.add_parser("segment", help="masks of what a sentence means in an image")
    segment.add_argument("image", type=Path)
    segment.add_argument("intent")
    _model_arguments(segment)
    segment.add_argument("--max-new-tokens", type=int, help="longest answer")
    segment.add_argument("--explain", action="store_true", help="have the model say why")
    segment.add_argument(
        "--no-templates", action="store_true", help="send the intent as it stands, without wording"
    )
    segment.add_argument("--out", type=Path, help="write the image with its masks here (png, jpg)")
    segment.add_argument("--json", type=Path, help="write answer, boxes, areas and scores here")
    segment.set_defaults(run=run_segment)

    add_checkpoint_commands(commands)
    add_training_commands(commands)
    add_ros_commands(commands)
    add_eval_3d(commands, _model_arguments)

    add_eval_commands(commands, _model_arguments, _model_options)

    bench = commands.add_parser("bench", help="measure speed, memory and robustness")
    bench.add_argument("name", choices=tuple(BENCHMARKS), help="NAME --help tells more")
    bench.add_argument("options", nargs=argparse.REMAINDER)
    bench.set_defaults(run=run_bench)

    add_data_commands(commands)
    return parser


def run_segment(args: argparse.Namespace) -> None:
    """``lisa segment``."""
    import cv2

    from lisa_model.overlay import draw_masks, mask_box
    from lisa_model.rgbd import read_color
    from lisa_model.segmenter import ReasoningSegmenter

    image = read_color(args.image)
    segmenter = ReasoningSegmenter.from_pretrained(args.model, **_model_options(args))
    result = segmenter.segment(
        image,
        args.intent,
        max_new_tokens=args.max_new_tokens,
        explain=args.explain,
        templates=not args.no_templates,
    )
    instances: list[dict[str, Any]] = []
    for mask, score in zip(result.masks, result.scores, strict=True):
        left, top, width, height = mask_box(mask)
        box = [left, top, left + width, top + height] if width else None
        instances.append({"score": float(score), "area_px": int(mask.sum()), "box_xyxy": box})
    print(result.text)
    for number, item in enumerate(instances):
        print(
            f"  [{number}] {item['area_px']} px, box {item['box_xyxy']}, score {item['score']:.2f}"
        )
    if not instances:
        print("  no mask: the answer holds no [SEG]")
    if args.out:
        drawn = draw_masks(image, result.masks, caption=f"{args.intent} -> {result.text}")
        args.out.parent.mkdir(parents=True, exist_ok=True)
        if not cv2.imwrite(str(args.out), drawn[..., ::-1]):
            raise OSError(f"could not write {args.out}")
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        report = {
            "model": segmenter.name,
            "image": args.image.name,
            "intent": args.intent,
            "answer": result.text,
            "token_ids": result.token_ids,
            "instances": instances,
            "timings_s": result.timings,
        }
        args.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def run_bench(args: argparse.Namespace) -> int:
    """``lisa bench``: the exit status is the benchmark's."""
    module = importlib.import_module(BENCHMARKS[args.name])
    return int(module.main(args.options))


def main(argv: list[str] | None = None) -> int:
    """Entry point; errors that a user can mend are one line on stderr and exit code 1."""
    args = build_parser().parse_args(argv)
    try:
        status: int | None = args.run(args)
    except (LisaError, OSError, ValueError) as error:
        print(f"lisa: {error}", file=sys.stderr)
        return 1
    return status or 0


if __name__ == "__main__":
    sys.exit(main())
