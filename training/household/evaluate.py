"""``lisa eval household``: the model, or a two-stage baseline, next to trivial baselines."""

from __future__ import annotations

import itertools
import json
import platform
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lisa_model.metrics import MaskScore, bootstrap_interval, c_iou, g_iou, score_mask
from lisa_model.rgbd import RgbdFrame, load_frame
from lisa_model.segmenter import ReasoningSegmenter
from training.evaluation.contender import Ask, Contender
from training.evaluation.timing import median_seconds, seconds_line
from training.household.language import frame_questions

AREA_EDGES = (0, 300, 800, 2000, 6000, 10**9)
REFERENCE_AREA = 640 * 480  # areas are reported as if every frame had this many pixels
FREE_GENERATION = "free generation, one question at a time, all [SEG] masks joined"
FOUND = 0.1  # IoU above which the right object was meant


@dataclass(frozen=True)
class Answer:
    """What a segmenter says: the part of ``SegmentationResult`` that is scored.

    Attributes:
        text: the answer in words.
        masks: (n, H, W) bool.
        scores: (n,) float32.
    """

    text: str
    masks: NDArray[np.bool_]
    scores: NDArray[np.float32]


class Answering(Protocol):
    """Whatever answers an intent about an image: a segmenter, or a baseline behind an adapter."""

    def segment(
        self, image: NDArray[np.uint8], prompt: str, *, max_new_tokens: int | None = None
    ) -> Any:
        """An :class:`Answer`, or a result that has its attributes."""
        ...


class AskedContender:
    """A contender of ``training.evaluation`` behind the interface of a segmenter."""

    def __init__(self, contender: Contender) -> None:
        self._contender = contender

    def segment(
        self, image: NDArray[np.uint8], prompt: str, *, max_new_tokens: int | None = None
    ) -> Answer:
        """Its reply; it has no score. The length of its answers is its own option."""
        ask = Ask(text=prompt, is_sentence=is_sentence(prompt))
        reply = self._contender.answer(image, [ask])[0]
        masks = reply.mask[None] if reply.marked else reply.mask[None][:0]
        return Answer(reply.text, masks, np.zeros(len(masks), dtype=np.float32))


def is_sentence(text: str) -> bool:
    """Whether an intent is a question, an order or a remark, by its last character."""
    return text.rstrip().endswith((".", "?", "!"))


@dataclass(frozen=True)
class Record:
    """One question's outcome, for one method."""

    frame: str
    intent: str
    kind: str
    area: float
    score: MaskScore
    answer: str = ""
    confidence: float = 0.0

    @property
    def explicit(self) -> bool:
        """Was the thing named?"""
        return self.kind == "explicit"


def shipped_frames() -> Path:
    """Folder of the frames that come with the package: val and test, colour and ids."""
    return Path(__file__).parent / "frames"


def questions_of(frame: RgbdFrame, split: str) -> list[dict[str, Any]]:
    """The frame's stored questions, or the split's fixed ones when it stores none."""
    if frame.questions:
        return frame.meta["questions"]  # type: ignore[no-any-return]
    if split not in ("val", "test"):
        raise ValueError(f"split must be 'val' or 'test', got {split!r}")
    return frame_questions(frame.meta, split=split)  # type: ignore[arg-type]


def reference_area(mask: NDArray[np.bool_]) -> float:
    """Area of a mask (H, W) in pixels of 640 x 480."""
    return float(mask.sum()) * REFERENCE_AREA / mask.size


def baseline_masks(frame: RgbdFrame, rng: random.Random) -> dict[str, NDArray[np.bool_]]:
    """What needs no model: the whole image, the largest thing, a random thing (perfect masks)."""
    largest = max(frame.instances, key=lambda item: item.area)
    chosen = rng.choice(frame.instances)
    return {
        "whole image": np.ones(frame.ids.shape, dtype=bool),
        "largest object": frame.ids == largest.id,
        "random object": frame.ids == chosen.id,
    }


def evaluate(
    *,
    segmenter: Answering,
    frames: Sequence[Path],
    split: str,
    max_new_tokens: int = 16,
    progress: Callable[[str], None] = print,
) -> tuple[dict[str, list[Record]], dict[str, float | None]]:
    """Ask every question of every frame.

    Returns:
        records by method (``model`` and the baselines), and median seconds, see
        :func:`training.evaluation.timing.median_seconds`.
    """
    records: dict[str, list[Record]] = {}
    seconds: list[tuple[str, float]] = []
    started = time.time()
    for number, path in enumerate(frames):
        frame = load_frame(path, depth=False)
        if not frame.instances:
            continue
        rng = random.Random(f"baseline/{frame.name}")
        for item in questions_of(frame, split):
            truth = frame.mask(tuple(item["instances"]))
            area = reference_area(truth)
            clock = time.perf_counter()
            result = segmenter.segment(frame.color, item["intent"], max_new_tokens=max_new_tokens)
            seconds.append((frame.name, time.perf_counter() - clock))
            masks = baseline_masks(frame, rng)
            masks["model"] = np.asarray(result.masks.any(axis=0), dtype=bool)
            for method, mask in masks.items():
                mine = method == "model"
                records.setdefault(method, []).append(
                    Record(
                        frame=frame.name,
                        intent=item["intent"],
                        kind=item["kind"],
                        area=area,
                        score=score_mask(mask, truth),
                        answer=result.text if mine else "",
                        confidence=float(result.scores.max(initial=0.0)) if mine else 0.0,
                    )
                )
        if (number + 1) % 10 == 0:
            each = (time.time() - started) / (number + 1)
            left = each * (len(frames) - number - 1) / 60
            progress(f"{number + 1}/{len(frames)} frames, {each:.1f} s each, {left:.1f} min left")
    return records, median_seconds(seconds)


def summarise(records: Sequence[Record]) -> dict[str, Any]:
    """Figures of one group of questions."""
    scores = [record.score for record in records]
    by_frame: dict[str, list[MaskScore]] = {}
    for record in records:
        by_frame.setdefault(record.frame, []).append(record.score)
    groups = list(by_frame.values())
    by_area = {}
    for low, high in itertools.pairwise(AREA_EDGES):
        inside = [r.score for r in records if low <= r.area < high]
        name = f"{low}-{high}" if high < 10**9 else f"{low}+"
        by_area[name] = {"n": len(inside), "giou": g_iou(inside) if inside else None}
    return {
        "n": len(scores),
        "giou": g_iou(scores),
        "giou_95": bootstrap_interval(groups),
        "ciou": c_iou(scores),
        "ciou_95": bootstrap_interval(groups, c_iou),
        "right_object": float(np.mean([score.iou > FOUND for score in scores])),
        "right_object_95": bootstrap_interval(
            groups, lambda drawn: float(np.mean([score.iou > FOUND for score in drawn]))
        ),
        "giou_by_area_px": by_area,
    }


def report(
    records: dict[str, list[Record]],
    *,
    seconds: Mapping[str, float | None],
    split: str,
    model: str,
    protocol: str = FREE_GENERATION,
) -> dict[str, Any]:
    """Everything that is written to JSON."""
    methods: dict[str, Any] = {}
    for method, rows in records.items():
        explicit = [r for r in rows if r.explicit]
        implicit = [r for r in rows if not r.explicit]
        kinds = sorted({r.kind for r in implicit})
        methods[method] = {
            "explicit": summarise(explicit),
            "implicit": summarise(implicit),
            "implicit_by_kind": {k: summarise([r for r in implicit if r.kind == k]) for k in kinds},
        }
    return {
        "benchmark": "household",
        "split": split,
        "model": model,
        "protocol": protocol,
        "frames": len({r.frame for r in records["model"]}),
        **seconds,
        "machine": f"{platform.machine()} {platform.system()}, Python {platform.python_version()}",
        "methods": methods,
    }


def table(result: dict[str, Any]) -> str:
    """The report as text."""
    lines = [
        f"household {result['split']}: {result['frames']} frames, model {result['model']}, "
        f"{result['protocol']}",
        "",
        f"{'method':16} {'intents':10} {'n':>5}  gIoU  (95% interval)   cIoU   right object",
    ]
    for method, groups in result["methods"].items():
        for kind in ("explicit", "implicit"):
            g = groups[kind]
            low, high = g["giou_95"]
            lines.append(
                f"{method:16} {kind:10} {g['n']:5}  {g['giou']:.3f} ({low:.3f}-{high:.3f})   "
                f"{g['ciou']:.3f}   {g['right_object']:.3f}"
            )
    lines += ["", "model, gIoU by target area (pixels of 640x480):"]
    for kind in ("explicit", "implicit"):
        cells = [
            f"{name}: {cell['giou']:.2f} (n={cell['n']})"
            for name, cell in result["methods"]["model"][kind]["giou_by_area_px"].items()
            if cell["n"]
        ]
        lines.append(f"  {kind}: " + ", ".join(cells))
    lines.append(seconds_line(result))
    return "\n".join(lines)


@dataclass(frozen=True, kw_only=True)
class Opened:
    """What is scored, with its name and how it answers."""

    segmenter: Answering
    name: str
    protocol: str


def open_answering(
    *,
    model: str,
    options: Mapping[str, Any],
    protocol: str,
    baseline: str | None,
    baseline_options: Sequence[str],
    frames: Sequence[Path],
) -> Opened:
    """Open a model, or a two-stage baseline in its place.

    Args:
        model, options: of :meth:`ReasoningSegmenter.from_pretrained`; a baseline takes device and
            dtype.
        protocol: how a model is asked; a baseline tells its own.
        baseline: name; None for the model.
        baseline_options: as "namer=match".
        frames: that are asked about, for the baseline that knows their truth.

    Raises:
        ValueError: options for a baseline without one, or an option does not fit.
    """
    if baseline is None:
        if baseline_options:
            raise ValueError("--baseline-option needs a --baseline")
        opened = ReasoningSegmenter.from_pretrained(model, **options)
        return Opened(segmenter=opened, name=opened.name, protocol=protocol)
    from training.evaluation.two_stage import registry

    given = registry.read_options(baseline_options)
    if baseline == registry.ORACLE:
        given["frames"] = frames
    device, dtype = str(options.get("device", "cpu")), str(options.get("dtype", "float32"))
    contender = registry.build(baseline, device=device, dtype=dtype, **given)
    return Opened(
        segmenter=AskedContender(contender), name=contender.name, protocol=contender.protocol
    )


def run(
    *,
    data: Path,
    split: str = "test",
    model: str = "lisa-tiny",
    options: Mapping[str, Any] | None = None,
    json_file: Path | None = None,
    limit: int | None = None,
    max_new_tokens: int = 16,
    baseline: str | None = None,
    baseline_options: Sequence[str] = (),
) -> dict[str, Any]:
    """Evaluate and print; see ``lisa eval household --help``.

    Args:
        options: of :meth:`ReasoningSegmenter.from_pretrained`.
        baseline: a two-stage baseline (docs/two_stage.md) in the place of the model.
        baseline_options: its options, as "namer=match".

    Raises:
        FileNotFoundError: when ``data`` has no frames of the split, saying how to get them.
    """
    folder = data / split if (data / split).is_dir() else data
    frames = sorted(folder.glob("*.json"))[:limit]
    if not frames:
        raise FileNotFoundError(
            f"no frames in {folder}. Render them (training/household/README.md) or point --data "
            "at a folder of NAME.jpg, NAME.depth.png, NAME.ids.png, NAME.json."
        )
    opened = open_answering(
        model=model,
        options=options or {},
        protocol=FREE_GENERATION,
        baseline=baseline,
        baseline_options=baseline_options,
        frames=frames,
    )
    records, seconds = evaluate(
        segmenter=opened.segmenter, frames=frames, split=split, max_new_tokens=max_new_tokens
    )
    result = report(
        records, seconds=seconds, split=split, model=opened.name, protocol=opened.protocol
    )
    print(table(result))
    if json_file is not None:
        rows = [
            {
                "frame": r.frame,
                "intent": r.intent,
                "kind": r.kind,
                "area": r.area,
                "iou": r.score.iou,
                "answer": r.answer,
                "confidence": r.confidence,
            }
            for r in records["model"]
        ]
        json_file.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(result | {"records": rows}, indent=1)
        json_file.write_text(text + "\n", encoding="utf-8")
    return result
