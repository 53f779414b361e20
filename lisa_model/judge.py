"""What lisa-tiny's guesses are worth: a score for each mask, and which masks are withheld."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from lisa_model.calibration import Evidence
from lisa_model.look import OUTSIDE, presence
from lisa_model.mask_head import PRESENCE_SCALE
from lisa_model.meaning import Meaning, agreement
from lisa_model.model import LisaModel
from lisa_model.reference_keys import tints
from lisa_model.tiny_masks import Guess


@dataclass(frozen=True)
class Judged:
    """A mask as it is shown.

    Attributes:
        logits: (H, W) float32; of an empty mask where it is withheld.
        score: 0..1 but for a model without calibration, which may leave that a little.
        withheld: (H, W) bool, the mask that is withheld; None where it is shown.
    """

    logits: NDArray[np.float32]
    score: float
    withheld: NDArray[np.bool_] | None = None


class Judge:
    """Scores guesses by a model's concepts and calibration."""

    def __init__(self, *, model: LisaModel) -> None:
        """``model``: its config's calibration and its codebook are read when they are needed."""
        self.model = model

    def worth(self, meaning: Meaning, guess: Guess) -> float:
        """The score of a guess: calibrated, or the decoder's own for a model without calibration.

        Args:
            meaning: what the guess is of.
            guess: a mask and what is known of it.
        """
        calibration = self.model.config.calibration
        if calibration is None:
            return guess.score
        return calibration.score(self.evidence(meaning, guess))

    def evidence(self, meaning: Meaning, guess: Guess) -> Evidence:
        """What speaks for a guess; of a model that has concepts. Arguments as for :meth:`worth`."""
        language = self.model.language
        assert language.codebook is not None, "a calibrated model has concepts"
        appearance, shown, agreed = torch.from_numpy(guess.appearance), 0.0, 0.0
        if appearance.any():
            concepts = F.normalize(language.codebook.float().cpu(), dim=-1)
            prompt = meaning.prompt.float().cpu()
            shown = float(presence(appearance, prompt, concepts, scale=PRESENCE_SCALE))
            # No matrix product: autocast would make half precision of it.
            looks = PRESENCE_SCALE * (concepts * appearance).sum(-1)
            meant = language.concept_logits(meaning.words.float()).cpu()
            agreed = float(agreement(meant, looks))
            shown += meaning.generic * (1.0 - shown)
            agreed += meaning.generic * (1.0 - agreed)
        tint = 0.0
        if meaning.reference is not None:
            along = tints(meaning.reference.float())[0].cpu() * torch.from_numpy(guess.colour)
            tint = min(1.0, max(-1.0, float(along.sum())))
        return Evidence(
            expected_iou=guess.score,
            presence=shown,
            agreement=agreed,
            certainty=meaning.certainty,
            tint=tint,
        )

    def judged(self, meaning: Meaning, guess: Guess) -> Judged:
        """What of a guess is shown."""
        calibration = self.model.config.calibration
        if calibration is None:
            return Judged(guess.logits, guess.score)
        evidence = self.evidence(meaning, guess)
        score = calibration.score(evidence)
        if calibration.withholds(evidence):
            return Judged(np.minimum(guess.logits, OUTSIDE), score, guess.logits > 0)
        return Judged(guess.logits, score)

    def presences(
        self, appearances: NDArray[np.float32], queries: NDArray[np.float32]
    ) -> NDArray[np.float32] | None:
        """How likely what looks like this (n, dim) is what the queries (n, dim) mean; None for a
        model without concepts."""
        codebook = self.model.language.codebook
        if codebook is None:
            return None
        concepts = codebook.float().cpu()
        rows = zip(torch.from_numpy(appearances), torch.from_numpy(queries), strict=True)
        return np.array(
            [float(presence(look, query, concepts, scale=PRESENCE_SCALE)) for look, query in rows],
            dtype=np.float32,
        )
