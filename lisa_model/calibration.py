"""What speaks for a mask, weighed: how likely it is right, and how likely anything fits.

SAM's IoU head expects much of clean masks, also of a wrong thing; whether what is under the mask
looks like what was meant tells these apart, and so does how surely the LLM said that there is
something to mark. Logistic regressions of them are fitted on validation questions
(:mod:`training.tiny.calibrate`). There are two, for two questions: a mask of the wrong one of three
mugs is not right, but there is something that fits, so nothing is to be withheld.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Beyond these log-odds an answer counts as certain.
MOST_CERTAIN = 6.0
# Below this share the agreement makes no difference.
LEAST_AGREEMENT = 1e-3
# Of a regression, in the order of Evidence.inputs.
WEIGHTS = ("iou_weight", "presence_weight", "agreement_weight", "certainty_weight", "tint_weight")


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What speaks for a mask.

    Attributes:
        expected_iou: of the decoder; may leave 0..1 a little.
        presence: 0..1 that what is under the mask is what was marked for, see
            :func:`lisa_model.look.presence`; 1 where any thing will do.
        agreement: 0..1, how well it is what the words alone mean, see
            :func:`lisa_model.meaning.agreement`; 1 where any thing will do.
        certainty: 0..1, the probability of the answer that led to its [SEG], see
            :class:`lisa_model.language.Generated`.
        tint: -1..1, how far what is under the mask has the colour that the words name; below 0 for
            another one, about 0 where they name none.
    """

    expected_iou: float
    presence: float
    agreement: float
    certainty: float
    tint: float = 0.0

    def inputs(self) -> tuple[float, float, float, float, float]:
        """What a regression weighs: clipped IoU, presence, log of the agreement, log-odds of the
        certainty, tint."""
        clipped = min(1.0, max(0.0, self.expected_iou))
        agreed = math.log(max(LEAST_AGREEMENT, self.agreement))
        return clipped, self.presence, agreed, log_odds(self.certainty), self.tint


@dataclass(frozen=True, kw_only=True)
class Regression:
    """Probability = sigmoid of the weighted :meth:`Evidence.inputs` and the bias."""

    iou_weight: float
    presence_weight: float
    bias: float
    agreement_weight: float = 0.0
    certainty_weight: float = 0.0
    tint_weight: float = 0.0

    def __post_init__(self) -> None:
        for name in (*WEIGHTS, "bias"):
            if not math.isfinite(getattr(self, name)):
                raise ValueError(f"calibration: {name} must be finite, got {getattr(self, name)}")

    def probability(self, evidence: Evidence) -> float:
        """Of a mask, 0..1."""
        weights = (getattr(self, name) for name in WEIGHTS)
        weighed = sum(w * x for w, x in zip(weights, evidence.inputs(), strict=True))
        return _sigmoid(weighed + self.bias)


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How masks are scored, and which are withheld.

    Attributes:
        right: gives a mask's score, the probability that it is right (IoU >= 0.5).
        fits: gives the probability that there is something that fits.
        floor: masks for which that is lower are withheld: the answer then marks nothing there. 0
            for none.
    """

    right: Regression
    fits: Regression
    floor: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.floor < 1.0:
            raise ValueError(f"calibration.floor must be in 0..1, got {self.floor}")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """Of a model's configuration.

        Raises:
            TypeError: on an unknown or missing key.
        """
        parts = {name: Regression(**values[name]) for name in ("right", "fits") if name in values}
        return cls(**{**values, **parts})

    def score(self, evidence: Evidence) -> float:
        """Probability that a mask is right, 0..1."""
        return self.right.probability(evidence)

    def withholds(self, evidence: Evidence) -> bool:
        """Whether a mask is not to be shown, for nothing seems to fit."""
        return self.fits.probability(evidence) < self.floor


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
