"""How answers are scored, and the figures of a group of questions. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lisa_model.geometry import Intrinsics, Target3D, TargetConfig, estimate_target
from lisa_model.metrics import MaskScore, bootstrap_interval, c_iou, g_iou, score_mask
from training.household.evaluate import FOUND

GOOD = 0.5  # IoU from which a mask counts as right, for calibration and 3D points
BINS = 10
# Of an answer with more masks, only the best scored ones are matched with the targets.
MOST_MASKS = 6


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One question's outcome, for one method.

    Attributes:
        frame, subset, kind, text: of the question.
        score: all masks of the answer joined, against all targets joined.
        refused: the answer marks nothing.
        fits: there is something to mark.
        withheld_iou: of what an answer that marks nothing withholds; None where that is nothing.
        matched: mean IoU over two targets under the best assignment of masks; None for others, and
            where the method has one joined mask only.
        confidence: highest score of the masks; None without a score or mask.
        error_mm: distance of the 3D points of mask and truth; None without either.
        answer: in words.
        seconds: from question to masks.
    """

    frame: str
    subset: str
    kind: str
    text: str
    score: MaskScore
    refused: bool
    fits: bool
    withheld_iou: float | None = None
    matched: float | None = None
    confidence: float | None = None
    error_mm: float | None = None
    answer: str = ""
    seconds: float = 0.0


def match(masks: NDArray[np.bool_], truths: Sequence[NDArray[np.bool_]]) -> float:
    """Mean IoU over the targets under the best assignment; a target without a mask counts 0.

    Args:
        masks: (n, H, W) bool, n may be 0.
        truths: (H, W) bool each, at least one.
    """
    ious = [[score_mask(mask, truth).iou for mask in masks] for truth in truths]
    free = len(truths)  # as many places for "no mask" as there are targets
    best = 0.0
    for chosen in itertools.permutations(range(len(masks) + free), len(truths)):
        got = [row[k] if k < len(masks) else 0.0 for row, k in zip(ious, chosen, strict=True)]
        best = max(best, sum(got) / len(truths))
    return best


def point_error_mm(
    mask: NDArray[np.bool_],
    truth: NDArray[np.bool_],
    depth_m: NDArray[np.float32],
    intrinsics: Intrinsics,
) -> float | None:
    """Distance between the 3D points of two masks, as the node computes them; None without one."""
    found = estimate_target(mask, depth_m, intrinsics, TargetConfig())
    true = estimate_target(truth, depth_m, intrinsics, TargetConfig())
    if not isinstance(found, Target3D) or not isinstance(true, Target3D):
        return None
    return float(np.linalg.norm(found.point - true.point)) * 1000.0


def expected_calibration_error(confidence: Sequence[float], right: Sequence[bool]) -> float | None:
    """Mean gap of confidence and share of right answers over 10 equal bins, weighted by answers.

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, equation 3.
    """
    if not confidence:
        return None
    values = np.asarray(confidence, dtype=np.float64)
    hits = np.asarray(right, dtype=np.float64)
    bins = np.minimum((values * BINS).astype(int), BINS - 1)
    gaps = [
        abs(values[bins == k].mean() - hits[bins == k].mean()) * (bins == k).mean()
        for k in range(BINS)
        if (bins == k).any()
    ]
    return float(sum(gaps))


def summarise(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Figures of one group of questions.

    gIoU follows the convention of :mod:`lisa_model.metrics`: nothing marked where nothing fits
    counts 1. Intervals draw whole frames, for questions of a frame share its picture.
    """
    groups: dict[str, list[Outcome]] = {}
    for one in outcomes:
        groups.setdefault(one.frame, []).append(one)
    scores = [[one.score for one in group] for group in groups.values()]
    flat = [score for group in scores for score in group]
    fitting = [one for one in outcomes if one.fits]
    vain = [one for one in outcomes if not one.fits]
    out: dict[str, Any] = {
        "n": len(outcomes),
        "frames": len(groups),
        "giou": g_iou(flat),
        "giou_95": bootstrap_interval(scores),
        "ciou": c_iou(flat),
        "ciou_95": bootstrap_interval(scores, c_iou),
    }
    if fitting:
        out["right_object"] = float(np.mean([one.score.iou > FOUND for one in fitting]))
        out["refused"] = float(np.mean([one.refused for one in fitting]))
        out["withheld_good"] = withheld_good(fitting)
        good = [one for one in fitting if one.score.iou >= GOOD and asks_for_one(one)]
        placed = [one.error_mm for one in good if one.error_mm is not None]
        out["points"] = {
            "n": len(placed),
            "median_error_mm": float(np.median(placed)) if placed else None,
            # Of the questions for one thing: where there is no such mask, or no point.
            "share_without": 1 - len(placed) / max(1, sum(asks_for_one(one) for one in fitting)),
        }
        sure = [one for one in fitting if one.confidence is not None and asks_for_one(one)]
        out["calibration_error"] = expected_calibration_error(
            [one.confidence for one in sure if one.confidence is not None],
            [one.score.iou >= GOOD for one in sure],
        )
        pairs = [one.matched for one in fitting if one.matched is not None]
        out["two_target_iou"] = float(np.mean(pairs)) if pairs else None
    if vain:
        out["n_acc"] = float(np.mean([one.refused for one in vain]))
    return out


def withheld_good(fitting: Sequence[Outcome]) -> float | None:
    """Of the good masks (IoU >= 0.5) that were found for answerable questions, the share that was
    withheld; None where none was found."""
    kept = sum(one.score.iou >= GOOD for one in fitting)
    lost = sum((one.withheld_iou or 0.0) >= GOOD for one in fitting)
    return lost / (kept + lost) if kept + lost else None


def asks_for_one(one: Outcome) -> bool:
    """Does the question ask for one thing?"""
    return one.kind != "two_targets"
