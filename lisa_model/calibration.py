"""A mask's score as a probability: all that speaks for the mask, weighed.

SAM's IoU head expects much of clean masks, also of a wrong thing; whether what is under the mask
looks like what was meant tells these apart, and so does how surely the LLM said that there is
something to mark. A logistic regression of them, fitted on validation questions
(:mod:`training.tiny.calibrate`), gives the probability that the mask is right (IoU >= 0.5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

# Beyond these log-odds an answer counts as certain.
MOST_CERTAIN = 6.0
# Of a calibration, in the order of Evidence.inputs.
WEIGHTS = ("iou_weight", "presence_weight", "agreement_weight", "certainty_weight")


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What speaks for a mask.

    Attributes:
        expected_iou: of the decoder; may leave 0..1 a little.
        presence: 0..1 that what is under the mask is what was marked for, see
            :func:`lisa_model.look.presence`; 1 where any thing will do.
        agreement: 0..1 that it is what the words alone mean, see
            :func:`lisa_model.meaning.agreement`; 1 where any thing will do.
        certainty: 0..1, the probability of the answer that led to its [SEG], see
            :class:`lisa_model.language.Generated`.
    """

    expected_iou: float
    presence: float
    agreement: float
    certainty: float

    def inputs(self) -> tuple[float, float, float, float]:
        """What the regression weighs: clipped IoU, presence, agreement, log-odds of certainty."""
        clipped = min(1.0, max(0.0, self.expected_iou))
        return clipped, self.presence, self.agreement, log_odds(self.certainty)


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Score = sigmoid of the weighted :meth:`Evidence.inputs` and the bias.

    Attributes:
        iou_weight, presence_weight, agreement_weight, certainty_weight, bias: of the regression.
        floor: masks with a lower score are withheld: the answer then marks nothing there. 0 for
            none.
    """

    iou_weight: float
    presence_weight: float
    bias: float
    agreement_weight: float = 0.0
    certainty_weight: float = 0.0
    floor: float = 0.0

    def __post_init__(self) -> None:
        for name in (*WEIGHTS, "bias"):
            if not math.isfinite(getattr(self, name)):
                raise ValueError(f"calibration.{name} must be finite, got {getattr(self, name)}")
        if not 0.0 <= self.floor < 1.0:
            raise ValueError(f"calibration.floor must be in 0..1, got {self.floor}")

    def score(self, evidence: Evidence) -> float:
        """Probability that a mask is right, 0..1."""
        weights = (getattr(self, name) for name in WEIGHTS)
        weighed = sum(w * x for w, x in zip(weights, evidence.inputs(), strict=True))
        return _sigmoid(weighed + self.bias)


def log_odds(probability: float) -> float:
    """log(p / (1 - p)) within +-:data:`MOST_CERTAIN`; probability 0..1."""
    edge = 1.0 / (1.0 + math.exp(MOST_CERTAIN))
    held = min(1.0 - edge, max(edge, probability))
    return math.log(held / (1.0 - held))


def _sigmoid(x: float) -> float:
    if x >= 0:
        return 1.0 / (1.0 + math.exp(-x))
    grown = math.exp(x)
    return grown / (1.0 + grown)
