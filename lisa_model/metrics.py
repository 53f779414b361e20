"""gIoU and cIoU as LISA reports them, and bootstrap intervals over samples.

Source of the definitions: the official evaluation of LISA (per-mask IoU with 1e-5 in the
denominator, 1 where prediction and truth are both empty; cIoU as summed intersection over summed
union with 1e-10; pixels labelled 255 are left out).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IGNORE = 255


@dataclass(frozen=True)
class MaskScore:
    """Pixels of one predicted mask against its truth."""

    intersection: int
    union: int

    @property
    def iou(self) -> float:
        """IoU; 1 when neither mask has a pixel."""
        if self.union == 0:
            return 1.0
        return self.intersection / (self.union + 1e-5)


def score_mask(
    predicted: NDArray[np.bool_], truth: NDArray[np.uint8] | NDArray[np.bool_]
) -> MaskScore:
    """Compare a mask with a label image.

    Args:
        predicted: (H, W) bool.
        truth: (H, W) uint8, 0 background, 1 target, 255 ignored (bool is taken as 0 and 1).

    Raises:
        ValueError: when the shapes differ.
    """
    if predicted.shape != truth.shape:
        raise ValueError(f"predicted mask is {predicted.shape}, truth is {truth.shape}")
    counted = truth != IGNORE if truth.dtype != np.bool_ else np.ones(truth.shape, dtype=bool)
    wanted = (truth == 1) & counted
    given = predicted & counted
    return MaskScore(int((wanted & given).sum()), int((wanted | given).sum()))


def g_iou(scores: Sequence[MaskScore]) -> float:
    """Mean IoU over masks."""
    if not scores:
        raise ValueError("gIoU of no masks is not defined")
    return float(np.mean([score.iou for score in scores]))


def c_iou(scores: Sequence[MaskScore]) -> float:
    """Summed intersection over summed union."""
    intersection = sum(score.intersection for score in scores)
    union = sum(score.union for score in scores)
    return intersection / (union + 1e-10)


def bootstrap_interval(
    groups: Sequence[Sequence[MaskScore]],
    statistic: Callable[[Sequence[MaskScore]], float] = g_iou,
    *,
    samples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float]:
    """Percentile bootstrap interval of a statistic.

    Args:
        groups: scores grouped by what is drawn independently (all questions of one frame are one
            group: they share the picture, so drawing single questions would flatter the interval).
        statistic: of a flat list of scores.
    """
    rng = np.random.default_rng(seed)
    filled = [list(group) for group in groups if group]
    values = []
    for _ in range(samples):
        drawn = rng.integers(0, len(filled), len(filled))
        values.append(statistic([score for k in drawn for score in filled[k]]))
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
