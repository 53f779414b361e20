"""A mask's score as a probability: what the decoder expects and what the mask looks like, weighed.

SAM's IoU head expects much of clean masks, also of a wrong thing; whether what is under the mask
looks like what was meant tells these apart. A logistic regression of both, fitted on
validation questions (:mod:`training.tiny.calibrate`), gives the probability that the mask is
right (IoU >= 0.5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Score = sigmoid(iou_weight x expected IoU + presence_weight x presence + bias).

    Attributes:
        iou_weight, presence_weight, bias: of the regression.
        floor: masks with a lower score are withheld: the answer then marks nothing there. 0 for
            none.
    """

    iou_weight: float
    presence_weight: float
    bias: float
    floor: float = 0.0

    def __post_init__(self) -> None:
        for name in ("iou_weight", "presence_weight", "bias"):
            if not math.isfinite(getattr(self, name)):
                raise ValueError(f"calibration.{name} must be finite, got {getattr(self, name)}")
        if not 0.0 <= self.floor < 1.0:
            raise ValueError(f"calibration.floor must be in 0..1, got {self.floor}")

    def score(self, expected_iou: float, presence: float) -> float:
        """Probability that a mask is right, 0..1.

        Args:
            expected_iou: of the decoder; clipped to 0..1.
            presence: 0..1 that what is under the mask is what was meant, see
                :func:`lisa_model.look.presence`.
        """
        clipped = min(1.0, max(0.0, expected_iou))
        return _sigmoid(self.iou_weight * clipped + self.presence_weight * presence + self.bias)


def _sigmoid(x: float) -> float:
    if x >= 0:
        return 1.0 / (1.0 + math.exp(-x))
    grown = math.exp(x)
    return grown / (1.0 + grown)
