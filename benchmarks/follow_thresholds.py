"""Confidences of follow mode with and without the target in view, to choose its thresholds by.

    python -m benchmarks.follow_thresholds [--data data/household/val --targets 30 --json FILE]

A household scene has two views. Of each scene, things that the model finds in the first view are
looked for in the second one (they are there) and in a view of another scene (they are not): near a
place, and by a search of the whole image. The LLM is asked about both again: what does it mean when
the thing is not there? Validation frames only: the thresholds must not know test frames.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.origin import write_report
from lisa_model.follow_target import (
    FollowConfig,
    Sight,
    State,
    Target,
    sight_in,
    window_around,
)
from lisa_model.metrics import score_mask
from lisa_model.rgbd import Instance, RgbdFrame, load_frame
from lisa_model.segmenter import ReasoningSegmenter
from lisa_model.zoom import CropWindow

# A thing of fewer pixels, or one that fills the view, is not followed with a hand-held camera.
MIN_AREA, MAX_SHARE = 300, 0.2
GOOD_IOU = 0.5
PER_SCENE = 2
QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)


@dataclass
class Samples:
    """Confidences by (what was looked for, where), and cosines of queries."""

    values: dict[str, list[float]] = field(
        default_factory=lambda: {
            f"{what}_{where}": [] for what in ("present", "absent") for where in ("near", "search")
        }
    )

    looks_only: dict[str, list[float]] = field(
        default_factory=lambda: {"present": [], "absent": []}
    )
    meanings: dict[str, list[float]] = field(default_factory=lambda: {"present": [], "absent": []})

    def areas(self) -> dict[str, float]:
        """Area under the ROC curve, present against absent near a place; also by looks alone."""
        near = self.values["present_near"], self.values["absent_near"]
        looks = self.looks_only["present"], self.looks_only["absent"]
        return {"near": roc_area(*near), "near_looks_only": roc_area(*looks)}

    def report(self) -> dict[str, Any]:
        """Number and quantiles of each kind."""
        return {
            name: {
                "n": len(values),
                "quantiles": dict(zip(QUANTILES, np.quantile(values, QUANTILES), strict=True)),
            }
            for name, values in {
                **self.values,
                **{f"looks_only_{what}": found for what, found in self.looks_only.items()},
                **{f"query_{what}": cosines for what, cosines in self.meanings.items()},
            }.items()
            if values
        }


def roc_area(present: Sequence[float], absent: Sequence[float]) -> float:
    """Share of the pairs in which the present one has more; ties count half; NaN without pairs."""
    ahead = np.subtract.outer(np.array(present), np.array(absent))
    return float(np.mean((ahead > 0) + 0.5 * (ahead == 0))) if ahead.size else float("nan")


def scenes(data: Path) -> list[tuple[RgbdFrame, RgbdFrame]]:
    """Both views of every scene."""
    firsts = sorted(data.glob("*_0.json"))
    pairs = [(one, one.with_name(one.name.replace("_0.json", "_1.json"))) for one in firsts]
    return [
        (load_frame(a, depth=False), load_frame(b, depth=False)) for a, b in pairs if b.is_file()
    ]


def candidates(first: RgbdFrame, second: RgbdFrame) -> Iterator[Instance]:
    """Things that both views show large enough."""
    large = MAX_SHARE * first.ids.size
    shown = {one.id for one in second.instances if MIN_AREA <= one.area <= large}
    for one in first.instances:
        if one.id in shown and MIN_AREA <= one.area <= large:
            yield one


def collect(
    segmenter: ReasoningSegmenter, pairs: Sequence[tuple[RgbdFrame, RgbdFrame]], targets: int
) -> Samples:
    """Look for up to ``targets`` things."""
    samples, config, done = Samples(), FollowConfig(), 0
    for number, (first, second) in enumerate(pairs):
        other = pairs[(number + 1) % len(pairs)][0]
        foreign = {one.category for one in other.instances}
        found = 0
        for thing in candidates(first, second):
            if found == PER_SCENE or done == targets:
                break
            if thing.category in foreign:
                continue
            target = _found(segmenter, first, thing, config)
            if target is None:
                continue
            found, done = found + 1, done + 1
            _look(segmenter, target, second, second.mask((thing.id,)), samples, config)
            _look(segmenter, target, other, None, samples, config)
            for frame, what in ((second, "present"), (other, "absent")):
                samples.meanings[what].append(_likeness(segmenter, target, frame, thing))
            print(f"{done}/{targets} {first.name}: {thing.title}", file=sys.stderr)
    return samples


def _found(
    segmenter: ReasoningSegmenter, frame: RgbdFrame, thing: Instance, config: FollowConfig
) -> Target | None:
    """The thing as a target, None when the model does not find it."""
    answer = segmenter.segment(frame.color, f"Find the {thing.title.lower()}.")
    if not len(answer.masks):
        return None
    mask = answer.masks[0]
    if score_mask(mask, frame.mask((thing.id,))).iou < GOOD_IOU:
        return None
    region = window_around(mask, config)
    look = segmenter.look(frame.color, answer.queries[:1], region=region)
    seen = replace(sight_in(look), mask=mask, score=float(answer.scores[0]))
    # Lost: that it moved or grew since then is no reason for doubt.
    return Target(1, answer.queries[0], look.appearances[0], seen, state=State.LOST)


def _look(
    segmenter: ReasoningSegmenter,
    target: Target,
    frame: RgbdFrame,
    truth: np.ndarray | None,
    samples: Samples,
    config: FollowConfig,
) -> None:
    height, width = frame.ids.shape
    place = truth
    if place is None:
        # Where the target was in its own scene: as good a place as any.
        place = target.last.mask[:height, :width]
        if place.shape != (height, width) or not place.any():
            return
    near = _sight(segmenter, target, frame, window_around(place, config))
    _note(samples.values, target.confidence(near, config), near, truth, "_near")
    alone = target.confidence(replace(near, presence=None), config)
    _note(samples.looks_only, alone, near, truth, "")
    far = _sight(segmenter, target, frame, None)
    confidence = target.confidence(far, config)
    if confidence > 0:  # as a follower searches: a closer look must agree
        close = _sight(segmenter, target, frame, window_around(far.mask, config))
        confidence = min(confidence, target.confidence(close, config))
    _note(samples.values, confidence, far, truth, "_search")


def _likeness(
    segmenter: ReasoningSegmenter, target: Target, frame: RgbdFrame, thing: Instance
) -> float:
    """Cosine of the target's query and that of the same words about another frame."""
    answer = segmenter.segment(frame.color, f"Find the {thing.title.lower()}.")
    if not len(answer.queries):
        return 0.0
    other = answer.queries[0]
    return float(target.query @ other / np.linalg.norm(target.query) / np.linalg.norm(other))


def _sight(
    segmenter: ReasoningSegmenter, target: Target, frame: RgbdFrame, region: CropWindow | None
) -> Sight:
    return sight_in(segmenter.look(frame.color, target.query[None], region=region))


def _note(
    values: dict[str, list[float]],
    confidence: float,
    sight: Sight,
    truth: np.ndarray | None,
    where: str,
) -> None:
    # A mask of another thing is no sight of the target, also when the target is in view.
    right = truth is not None and score_mask(sight.mask, truth).iou >= GOOD_IOU
    values[f"{'present' if right else 'absent'}{where}"].append(confidence)


def main(arguments: Sequence[str]) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.follow_thresholds", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--data", type=Path, default=Path("data/household/val"))
    parser.add_argument("--model", default="lisa-tiny")
    parser.add_argument("--targets", type=int, default=30)
    parser.add_argument("--json", type=Path, help="write the report here")
    args = parser.parse_args(arguments)
    pairs = scenes(args.data)
    if len(pairs) < 2:
        print(f"no scenes with two views in {args.data}; see training/household", file=sys.stderr)
        return 2
    samples = collect(ReasoningSegmenter.from_pretrained(args.model), pairs, args.targets)
    report, areas = samples.report(), samples.areas()
    for name, found in report.items():
        values = " ".join(f"{q:.0%}:{v:.2f}" for q, v in found["quantiles"].items())
        print(f"{name:14} n={found['n']:3}  {values}")
    for name, area in areas.items():
        print(f"area under ROC, {name}: {area:.3f}")
    if args.json:
        write_report(args.json, {**report, "roc_area": areas})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
