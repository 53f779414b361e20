"""``lisa eval``: its grammar. The benchmarks live in ``training``, which builds on this package."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

_ModelArguments = Callable[[argparse.ArgumentParser], None]
_REASON_SEG = Path("dataset/reason_seg/ReasonSeg")
_DATASET = Path("dataset")


def add_parser(
    commands: Any,
    model_arguments: _ModelArguments,
    model_options: Callable[[argparse.Namespace], dict[str, Any]],
) -> None:
    """Add the command with its benchmarks.

    Args:
        commands: what ``ArgumentParser.add_subparsers`` returned.
        model_arguments: adds --model and what belongs to it.
        model_options: their values as arguments of ``ReasoningSegmenter.from_pretrained``.
    """
    evaluate = commands.add_parser("eval", help="score a model on a benchmark")
    benchmarks = evaluate.add_subparsers(dest="benchmark", required=True)
    _add_household(benchmarks, model_arguments)
    _add_homereason(benchmarks, model_arguments)
    _add_photographs(benchmarks, model_arguments)

    reasonseg = benchmarks.add_parser(
        "reasonseg", help="reasoning segmentation, the LISA paper's Table 1"
    )
    reasonseg.add_argument(
        "--data", type=Path, default=_REASON_SEG, metavar="DIR", help=f"default: {_REASON_SEG}"
    )
    reasonseg.add_argument("--split", default="val", choices=("val", "test", "train"))
    _add_common(reasonseg, model_arguments)

    refer = benchmarks.add_parser("refer", help="referring segmentation, the LISA paper's Table 2")
    _add_root(refer)
    refer.add_argument(
        "--set", required=True, choices=("refcoco", "refcoco+", "refcocog", "refclef")
    )
    refer.add_argument(
        "--split",
        default="val",
        choices=("val", "testA", "testB", "test", "val-U", "test-U", "train"),
        help="refcocog has val (or val-U) and test (or test-U), of UMD's partition",
    )
    refer.add_argument(
        "--overlaps",
        default="sum",
        choices=("sum", "union"),
        help="pixels in two polygons of one object: no target (as in the official code), or target",
    )
    _add_common(refer, model_arguments)

    general = benchmarks.add_parser(
        "grefcoco", help="expressions that mean several things or nothing (GRES)"
    )
    _add_root(general)
    general.add_argument("--split", default="val", choices=("val", "testA", "testB", "train"))
    general.add_argument(
        "--least-pixels",
        type=int,
        default=1,
        metavar="N",
        help="an answer of fewer pixels counts as nothing",
    )
    _add_common(general, model_arguments)
    evaluate.set_defaults(model_options=model_options)


def _add_household(benchmarks: Any, model_arguments: _ModelArguments) -> None:
    household = benchmarks.add_parser("household", help="rendered household scenes")
    model_arguments(household)
    household.add_argument(
        "--data", type=Path, help="folder of frames; the shipped ones if left out"
    )
    household.add_argument("--split", default="test", choices=("val", "test"))
    household.add_argument("--limit", type=int, help="first N frames only")
    household.add_argument("--max-new-tokens", type=int, default=16, help="longest answer")
    household.add_argument("--json", type=Path, help="write the report here")
    household.add_argument(
        "--baseline", metavar="NAME", help="score a two-stage baseline in place of the model"
    )
    _add_baseline_options(household)
    household.set_defaults(run=run_household)


def _add_homereason(benchmarks: Any, model_arguments: _ModelArguments) -> None:
    parser = benchmarks.add_parser("homereason", help="household reasoning, see docs/homereason.md")
    model_arguments(parser)
    parser.add_argument(
        "--data", type=Path, default=Path("data/homereason"), metavar="DIR", help="of frames"
    )
    parser.add_argument(
        "--questions", type=Path, metavar="DIR", help="default: beside the frames, NAME_questions"
    )
    parser.add_argument("--split", default="test", choices=("val", "test"))
    parser.add_argument("--limit", type=_positive, metavar="N", help="N frames, evenly spread")
    parser.add_argument("--max-new-tokens", type=int, default=32, help="longest answer")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report here")
    parser.add_argument(
        "--records", type=Path, metavar="FILE", help="write each answer here, as JSON lines"
    )
    parser.add_argument(
        "--limits", type=Path, metavar="DIR", help="write what fails here, see docs/limits.md"
    )
    parser.add_argument(
        "--baseline", metavar="NAME", help="score a two-stage baseline in place of the model"
    )
    _add_baseline_options(parser)
    parser.set_defaults(run=run_homereason)


def _add_photographs(benchmarks: Any, model_arguments: _ModelArguments) -> None:
    parser = benchmarks.add_parser(
        "photographs",
        help="intents on real photographs, see docs/limits.md",
        description="Writes a page that shows every answer. FOLDER/intents.tsv has a line for each "
        "question: FILE<TAB>INTENT[<TAB>MASK.png], with - for the mask where nothing fits.",
    )
    parser.add_argument(
        "folder",
        type=Path,
        nargs="?",
        metavar="FOLDER",
        help="your photographs; left out: those of packages, pip install '.[photographs]'",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("out/photographs"), metavar="DIR", help="where it goes"
    )
    model_arguments(parser)
    parser.add_argument("--max-new-tokens", type=int, default=32, help="longest answer")
    parser.set_defaults(run=run_photographs)


def _add_baseline_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--baseline-option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="such as segmenter_folder=DIR; see docs/two_stage.md",
    )


def _add_root(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        type=Path,
        default=_DATASET,
        metavar="DIR",
        help=f"folder that holds refer_seg/; default: {_DATASET}",
    )


def _add_common(parser: argparse.ArgumentParser, model_arguments: _ModelArguments) -> None:
    model_arguments(parser)
    parser.description = (
        "Several GPUs: torchrun --nproc-per-node N -m lisa_model.cli eval ... . See "
        "docs/evaluation.md. Exit status 3: scored, but not all images could be read."
    )
    parser.add_argument(
        "--mode",
        choices=("teacher-forced", "free", "both"),
        help='teacher-forced: the answer "[SEG]." is given (official protocol; default for models '
        "in the official layout); free: the model writes it (default for others)",
    )
    parser.add_argument(
        "--baseline",
        action="append",
        default=[],
        metavar="NAME",
        help="score a two-stage baseline beside the model (--model none: instead of it)",
    )
    _add_baseline_options(parser)
    parser.add_argument("--max-new-tokens", type=int, metavar="N", help="longest free answer")
    parser.add_argument("--limit", type=_positive, metavar="N", help="N images, evenly spread")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report here")
    parser.add_argument("--table", type=Path, metavar="FILE", help="write the table here, too")
    parser.add_argument(
        "--records", type=Path, metavar="FILE", help="write each answer here, as JSON lines"
    )
    parser.add_argument("--resume", action="store_true", help="go on with that file of records")
    parser.add_argument("--worst", type=_positive, metavar="N", help="draw the N worst answers ...")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="... into this folder")
    parser.set_defaults(run=run_benchmark)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


def run_household(args: argparse.Namespace) -> None:
    """``lisa eval household``."""
    module = importlib.import_module("training.household.evaluate")
    module.run(
        data=args.data or module.shipped_frames(),
        split=args.split,
        model=args.model,
        options=args.model_options(args),
        json_file=args.json,
        limit=args.limit,
        max_new_tokens=args.max_new_tokens,
        baseline=args.baseline,
        baseline_options=args.baseline_option,
    )


def run_homereason(args: argparse.Namespace) -> None:
    """``lisa eval homereason``."""
    module = importlib.import_module("training.homereason.evaluate")
    module.run(
        data=args.data,
        split=args.split,
        model=args.model,
        options=args.model_options(args),
        questions=args.questions,
        json_file=args.json,
        records_file=args.records,
        limits_folder=args.limits,
        limit=args.limit,
        max_new_tokens=args.max_new_tokens,
        baseline=args.baseline,
        baseline_options=args.baseline_option,
    )


def run_photographs(args: argparse.Namespace) -> None:
    """``lisa eval photographs``."""
    module = importlib.import_module("training.photographs.command")
    module.run(
        folder=args.folder,
        out=args.out,
        model=args.model,
        options=args.model_options(args),
        max_new_tokens=args.max_new_tokens,
    )


def run_benchmark(args: argparse.Namespace) -> int:
    """``lisa eval reasonseg``, ``refer`` and ``grefcoco``."""
    command = importlib.import_module("training.evaluation.command")
    choices = command.Choices(
        model=args.model,
        options=args.model_options(args),
        mode=args.mode,
        baselines=tuple(args.baseline),
        baseline_options=tuple(args.baseline_option),
        max_new_tokens=args.max_new_tokens,
        limit=args.limit or 0,
        records=args.records,
        resume=args.resume,
        json_file=args.json,
        table_file=args.table,
        worst=args.worst or 0,
        pictures=args.pictures,
    )
    return int(command.run(_benchmark(args), choices))


def _benchmark(args: argparse.Namespace) -> Any:
    if args.benchmark == "reasonseg":
        module = importlib.import_module("training.evaluation.reason_seg")
        return module.ReasonSegBenchmark(args.data, args.split)
    module = importlib.import_module("training.evaluation.refer")
    if args.benchmark == "grefcoco":
        return module.ReferBenchmark(
            args.data, "grefcoco", args.split, least_pixels=args.least_pixels
        )
    return module.ReferBenchmark(args.data, args.set, args.split, overlaps=args.overlaps)
