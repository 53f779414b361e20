"""Scores of generalised referring segmentation: an expression may mean several things, or nothing.

Source: Liu, Ding, Jiang, "GRES: Generalized Referring Expression Segmentation" (CVPR 2023,
arXiv:2306.00968) and the evaluation that its authors published with it (ReLA):

* gIoU: mean IoU over all expressions; one without a target has 1 where nothing is predicted, or
  else 0;
* cIoU: summed intersection over summed union; what is predicted for an expression without a target
  adds to the union;
* N-acc: of the expressions without a target, the share where nothing is predicted;
* T-acc: of those with a target, the share where something is predicted.

ReLA predicts "nothing" by an output of its own. Here it is an answer whose mask has no pixel, be it
that the answer holds no [SEG] or that its mask is empty.

LISA's own rule (:class:`lisa_model.metrics.MaskScore`) gives an empty target the same 1 or 0, and
has 1e-5 in the denominator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lisa_model.metrics import MaskScore, score_mask


@dataclass(frozen=True)
class GresScore(MaskScore):
    """Pixels of an answer against its truth.

    Attributes:
        wanted: whether there is a target.
        given: whether something is predicted.
    """

    wanted: bool
    given: bool

    @property
    def iou(self) -> float:
        """IoU; without a target 1 where nothing is predicted, or else 0."""
        if not self.wanted:
            return float(not self.given)
        return self.intersection / self.union


def gres_score(
    mask: NDArray[np.bool_], truth: NDArray[np.uint8], *, least_pixels: int = 1
) -> GresScore:
    """Compare an answer with its target.

    Args:
        mask: (H, W) bool.
        truth: (H, W) uint8, 1 where the target is.
        least_pixels: an answer of fewer is none.

    Raises:
        ValueError: when the shapes differ.
    """
    given = int(mask.sum()) >= least_pixels
    score = score_mask(mask if given else np.zeros_like(mask), truth)
    return GresScore(score.intersection, score.union, bool((truth == 1).any()), given)


def n_acc(scores: Sequence[MaskScore]) -> float:
    """Share of expressions without a target where nothing is predicted; NaN if all have one."""
    return _share([not s.given for s in scores if isinstance(s, GresScore) and not s.wanted])


def t_acc(scores: Sequence[MaskScore]) -> float:
    """Share of expressions with a target where something is predicted; NaN if none has one."""
    return _share([s.given for s in scores if isinstance(s, GresScore) and s.wanted])


def lisa_giou(scores: Sequence[MaskScore]) -> float:
    """gIoU by the rule of LISA's official evaluation."""
    return float(np.mean([MaskScore(s.intersection, s.union).iou for s in scores]))


def _share(hits: Sequence[bool]) -> float:
    return float(np.mean(hits)) if hits else float("nan")
