"""``lisa eval homereason``: a model or a two-stage baseline on HomeReason, next to trivial ones."""

from __future__ import annotations

import json
import platform
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lisa_model.metrics import score_mask
from lisa_model.rgbd import RgbdFrame, load_frame
from training.evaluation.items import evenly
from training.evaluation.timing import median_seconds, seconds_line
from training.homereason.files import UNSEEN, questions_folder, read_questions
from training.homereason.limits.report import Collector, write_limits
from training.homereason.question import SUBSETS, Question
from training.homereason.scoring import (
    MOST_MASKS,
    Outcome,
    match,
    point_error_mm,
    summarise,
)
from training.household.evaluate import Answering, baseline_masks, open_answering

MODEL = "model"
PROTOCOL = "free generation, one question at a time, all masks of the answer joined"

# An image and a question about it -> an answer as of ``Answering.segment``.
Asking = Callable[[NDArray[np.uint8], Question], Any]
# The frame's JSON, the frame, a question, the masks (n, H, W) of the model's answer, its outcome.
Watching = Callable[[Path, RgbdFrame, Question, NDArray[np.bool_], Outcome], None]


def load_questions(
    data: Path, split: str, questions: Path | None = None, *, limit: int | None = None
) -> dict[Path, list[Question]]:
    """Questions by frame (its JSON), in file order; the test split includes the unseen models.

    Args:
        limit: so many frames, evenly spread; None for all.

    Raises:
        ValueError: an unknown split, or a limit below 1.
        FileNotFoundError: there are no questions, or none of the frames they ask about.
    """
    if split not in ("val", "test"):
        raise ValueError(f"split must be 'val' or 'test', got {split!r}")
    folder = questions or questions_folder(data)
    out: dict[Path, list[Question]] = {}
    for name in (split, UNSEEN) if split == "test" else (split,):
        path = folder / f"{name}.jsonl"
        if name == UNSEEN and not path.is_file():
            continue  # subset b is missing from the report then
        for one in read_questions(path):
            out.setdefault(data / name / f"{one.frame}.json", []).append(one)
    return out if limit is None else spread(out, limit)


def evaluate(
    *,
    segmenter: Answering,
    questions: Mapping[Path, Sequence[Question]],
    max_new_tokens: int | None,
    joined: bool = False,
    asking: Asking | None = None,
    watching: Watching | None = None,
    progress: Callable[[str], None] = print,
) -> dict[str, list[Outcome]]:
    """Ask every question of every frame.

    Args:
        joined: the segmenter gives one mask for all targets and no score, as contenders do: then
            two-target score and calibration are not defined.
        asking: in place of the segmenter, for what is told more than the question's text.
        watching: told each answer of the model.

    Returns:
        outcomes by method: ``model`` and the baselines.
    """
    out: dict[str, list[Outcome]] = {}
    started = time.monotonic()
    for number, (path, asked) in enumerate(questions.items(), start=1):
        frame = load_frame(path, depth=path.with_suffix(".depth.png").is_file())
        rng = random.Random(f"baseline/{frame.name}")
        for one in asked:
            clock = time.perf_counter()
            if asking is not None:
                result = asking(frame.color, one)
            else:
                result = segmenter.segment(frame.color, one.text, max_new_tokens=max_new_tokens)
            seconds = time.perf_counter() - clock
            masks = np.asarray(result.masks, dtype=bool)
            scores = np.asarray(result.scores, dtype=np.float64)
            mine = _outcome(one, frame, masks, None if joined else scores, result.text, seconds)
            if mine.refused and (held := getattr(result, "withheld", None)) is not None:
                mine = replace(mine, withheld_iou=withheld_iou(held, frame.mask(one.ids)))
            out.setdefault(MODEL, []).append(mine)
            if watching is not None:
                watching(path, frame, one, masks, mine)
            for name, mask in baseline_masks(frame, rng).items():
                out.setdefault(name, []).append(_outcome(one, frame, mask[None], None, "", 0.0))
        if number % 10 == 0:
            each = (time.monotonic() - started) / number
            left = each * (len(questions) - number) / 60
            progress(f"{number}/{len(questions)} frames, {each:.1f} s each, {left:.1f} min left")
    return out


def withheld_iou(withheld: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float | None:
    """IoU of the masks that an answer withholds (n, H, W) with all targets; None without any."""
    if not withheld.any():
        return None
    return score_mask(np.asarray(withheld.any(axis=0)), truth).iou


def _outcome(
    one: Question,
    frame: RgbdFrame,
    masks: NDArray[np.bool_],
    scores: NDArray[np.float64] | None,
    text: str,
    seconds: float,
) -> Outcome:
    truth = frame.mask(one.ids)
    truths = [frame.mask(target) for target in one.targets]
    mask: NDArray[np.bool_] = np.asarray(masks.any(axis=0))
    matched = confidence = error = None
    if scores is not None:
        if len(truths) > 1:
            matched = match(masks[np.argsort(-scores, kind="stable")[:MOST_MASKS]], truths)
        confidence = float(scores.max()) if len(scores) else None
    if len(truths) == 1 and frame.depth.any():
        error = point_error_mm(mask, truth, frame.depth, frame.intrinsics)
    return Outcome(
        frame=one.frame,
        subset=one.subset,
        kind=one.kind,
        text=one.text,
        score=score_mask(mask, truth),
        refused=not mask.any(),
        fits=bool(truths),
        matched=matched,
        confidence=confidence,
        error_mm=error,
        answer=text,
        seconds=seconds,
    )


def report(
    outcomes: Mapping[str, Sequence[Outcome]], *, split: str, model: str, protocol: str = PROTOCOL
) -> dict[str, Any]:
    """Everything that is written to JSON."""
    methods: dict[str, Any] = {}
    for method, rows in outcomes.items():
        by_subset = {subset: [one for one in rows if one.subset == subset] for subset in SUBSETS}
        by_kind = {
            kind: [one for one in rows if one.kind == kind] for kind in {r.kind: 0 for r in rows}
        }
        methods[method] = {
            "subsets": {name: summarise(some) for name, some in by_subset.items() if some},
            "kinds": {name: summarise(some) for name, some in sorted(by_kind.items())},
            "all": summarise(rows),
        }
    return {
        "benchmark": "homereason",
        "split": split,
        "model": model,
        "protocol": protocol,
        "frames": len({one.frame for one in outcomes[MODEL]}),
        "subsets": dict(SUBSETS),
        **median_seconds((one.frame, one.seconds) for one in outcomes[MODEL]),
        "machine": f"{platform.machine()} {platform.system()}, Python {platform.python_version()}",
        "methods": methods,
    }


def table(result: Mapping[str, Any]) -> str:
    """The report as text."""
    lines = [
        f"homereason {result['split']}: {result['frames']} frames, model {result['model']}, "
        f"{result['protocol']}",
        "",
        f"{'method':16} {'subset':6} {'n':>5}  gIoU  (95% interval)   cIoU  (95% interval)   "
        "right  refused  N-acc",
    ]
    for method, groups in result["methods"].items():
        for subset, g in groups["subsets"].items():
            low, high = g["giou_95"]
            c_low, c_high = g["ciou_95"]
            lines.append(
                f"{method:16} {subset:6} {g['n']:5}  {g['giou']:.3f} ({low:.3f}-{high:.3f})   "
                f"{g['ciou']:.3f} ({c_low:.3f}-{c_high:.3f})   {_cell(g, 'right_object')}  "
                f"{_cell(g, 'refused')}    {_cell(g, 'n_acc')}"
            )
    everything = result["methods"][MODEL]["all"]
    points = everything.get("points", {})
    lines += [
        "",
        *(f"({letter}) {text}" for letter, text in result["subsets"].items()),
        f"good masks (IoU >= 0.5) that are withheld: {_cell(everything, 'withheld_good')}",
        f"two targets, best assignment: {_cell(everything, 'two_target_iou')}",
        f"calibration error, score against IoU >= 0.5: {_cell(everything, 'calibration_error')}",
    ]
    if points.get("n"):
        lines.append(
            f"3D point where IoU >= 0.5: median error {points['median_error_mm']:.0f} mm "
            f"(n={points['n']}); without such a point: {points['share_without']:.1%}"
        )
    lines.append(seconds_line(result))
    return "\n".join(lines)


def run(
    *,
    data: Path,
    split: str = "test",
    model: str = "lisa-tiny",
    options: Mapping[str, Any] | None = None,
    questions: Path | None = None,
    json_file: Path | None = None,
    records_file: Path | None = None,
    limits_folder: Path | None = None,
    limit: int | None = None,
    max_new_tokens: int | None = 32,
    baseline: str | None = None,
    baseline_options: Sequence[str] = (),
) -> dict[str, Any]:
    """Evaluate and print; see ``lisa eval homereason --help``.

    Args:
        options: of :meth:`ReasoningSegmenter.from_pretrained`.
        limits_folder: where figures and pictures of the failures go, see docs/limits.md.
        limit: so many frames, evenly spread.
        baseline: name of a two-stage baseline in the place of the model.
        baseline_options: its options, as "namer=match".

    Raises:
        FileNotFoundError: there are no questions, saying how to make them.
        ValueError: an option does not fit.
    """
    asked = load_questions(data, split, questions, limit=limit)
    if not asked:
        raise FileNotFoundError(f"there are no questions of split {split}; build them first")
    opened = open_answering(
        model=model,
        options=options or {},
        protocol=PROTOCOL,
        baseline=baseline,
        baseline_options=baseline_options,
        frames=list(asked),
    )
    collector = Collector() if limits_folder is not None else None
    outcomes = evaluate(
        segmenter=opened.segmenter,
        questions=asked,
        max_new_tokens=max_new_tokens,
        joined=baseline is not None,
        watching=collector,
    )
    result = report(outcomes, split=split, model=opened.name, protocol=opened.protocol)
    print(table(result))
    if json_file is not None:
        _write(json_file, json.dumps(result, indent=1) + "\n")
    if records_file is not None:
        write_records(records_file, [as_record(one) for one in outcomes[MODEL]])
    if limits_folder is not None and collector is not None:
        write_limits(limits_folder, collector.findings, result)
    return result


def spread(asked: Mapping[Path, list[Question]], limit: int) -> dict[Path, list[Question]]:
    """The questions of so many frames, evenly spread.

    Raises:
        ValueError: a limit below 1.
    """
    if limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
    return {path: asked[path] for path in evenly(list(asked), limit)}


def as_record(one: Outcome) -> dict[str, Any]:
    """An outcome for JSON."""
    return asdict(one) | {"iou": one.score.iou}


def write_records(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """One record a line, as JSON."""
    _write(path, "".join(json.dumps(row) + "\n" for row in rows))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _cell(figures: Mapping[str, Any], name: str) -> str:
    value = figures.get(name)
    return "  -  " if value is None else f"{value:.3f}"
