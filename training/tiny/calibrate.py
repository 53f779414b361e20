"""Last stage: what a mask's score is worth, fitted on validation questions.

Run: ``python -m training.tiny.calibrate --model data/tiny/joint --frames data/homereason
--out data/tiny/model``
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from lisa_model.calibration import WEIGHTS, Calibration, Evidence, Regression
from lisa_model.judge import Judge, Judged
from lisa_model.meaning import Meaning
from lisa_model.metrics import score_mask
from lisa_model.model import LisaModel
from lisa_model.rgbd import load_frame
from lisa_model.tiny_masks import Guess
from lisa_model.tiny_segmenter import TinySegmenter
from training.homereason.evaluate import load_questions
from training.homereason.question import Question
from training.homereason.scoring import GOOD

# Good questions that may be refused by the floor.
MOST_REFUSED = 0.04
ROUNDS = 2


@dataclass(frozen=True, kw_only=True)
class Case:
    """One mask of a validation question.

    Attributes:
        evidence: what speaks for the mask.
        iou: with the target; 0 where nothing fits.
        fits: there is something to mark.
    """

    evidence: Evidence
    iou: float
    fits: bool


class WitnessingJudge(Judge):
    """Judges as ever and keeps what each mask's score would rest on."""

    def __init__(self, *, model: LisaModel) -> None:
        super().__init__(model=model)
        self.seen: list[Evidence] = []

    def judged(self, meaning: Meaning, guess: Guess) -> Judged:
        """See :meth:`Judge.judged`."""
        self.seen.append(self.evidence(meaning, guess))
        return super().judged(meaning, guess)


class Witness(TinySegmenter):
    """Answers as ever and keeps what each mask's score would rest on, in :attr:`seen`."""

    def __init__(self, *, model: LisaModel, name: str, dtype: torch.dtype) -> None:
        super().__init__(model=model, name=name, dtype=dtype)
        self.judge: WitnessingJudge = WitnessingJudge(model=self.model)

    @property
    def seen(self) -> list[Evidence]:
        """Of every mask since it was cleared."""
        return self.judge.seen


def gather(segmenter: Witness, frames: Path, *, limit: int | None = None) -> list[Case]:
    """All masks for one thing, and the masks where nothing fits.

    Args:
        segmenter: a model that withholds no mask.
        frames: folder with ``val`` and questions beside it.
        limit: only so many questions, drawn at random (seed 0); None for all.
    """
    asked: list[tuple[Path, Question]] = [
        (path, one)
        for path, group in load_questions(frames, "val").items()
        for one in group
        if len(one.targets) <= 1
    ]
    if limit is not None:
        chosen = sorted(random.Random(0).sample(range(len(asked)), min(limit, len(asked))))
        asked = [asked[k] for k in chosen]
    out = []
    frame, shown = None, None
    for path, one in asked:
        if frame is None or path != shown:  # questions of a frame stand together
            frame, shown = load_frame(path, depth=False), path
        segmenter.seen.clear()
        result = segmenter.segment(frame.color, one.text)
        truth = frame.mask(one.ids)
        for mask, evidence in zip(result.masks, segmenter.seen, strict=True):
            found = score_mask(mask, truth).iou if one.ids else 0.0
            out.append(Case(evidence=evidence, iou=found, fits=bool(one.targets)))
    return out


def fit(cases: Sequence[Case], *, most_refused: float = MOST_REFUSED) -> Calibration:
    """Logistic regressions of "IoU >= 0.5" among all masks, and of "something fits" among good ones
    and those in vain; and the floor that refuses few good masks.

    The floor is the highest at which at most ``most_refused`` of the masks with IoU >= 0.5 would be
    withheld.

    Raises:
        ValueError: there are not both right and wrong masks, and some where nothing fits.
    """
    good = [one for one in cases if one.fits and one.iou >= GOOD]
    vain = [one for one in cases if not one.fits]
    right = regression([one.evidence for one in cases], [one.iou >= GOOD for one in cases])
    clear = [*good, *vain]
    fits = regression([one.evidence for one in clear], [one.fits for one in clear])
    sure = sorted(fits.probability(one.evidence) for one in good)
    return Calibration(right=right, fits=fits, floor=sure[int(most_refused * len(sure))])


def regression(evidence: Sequence[Evidence], true: Sequence[bool]) -> Regression:
    """Logistic regression of what is ``true`` of masks.

    Raises:
        ValueError: it is true of all or of none.
    """
    inputs = np.array([[*one.inputs(), 1.0] for one in evidence], dtype=np.float64)
    right = np.array(true, dtype=np.float64)
    if not 0 < right.sum() < len(right):
        raise ValueError(
            "calibration needs right and wrong masks on validation questions, and masks of some "
            "that nothing fits"
        )
    weights = np.zeros(len(WEIGHTS) + 1)
    ridge = np.diag([*(1e-2 for _ in WEIGHTS), 0.0])
    for _ in range(100):  # Newton's method; the regression is convex
        p = 1.0 / (1.0 + np.exp(-np.clip(inputs @ weights, -60, 60)))
        slope = inputs.T @ (p - right) + ridge @ weights
        bend = (inputs * (p * (1 - p))[:, None]).T @ inputs + ridge + 1e-9 * np.eye(len(weights))
        step = np.linalg.solve(bend, slope)
        weights -= step
        if np.abs(step).max() < 1e-9:
            break
    *found, bias = (float(one) for one in weights)
    return Regression(**dict(zip(WEIGHTS, found, strict=True)), bias=bias)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder of stage_joint")
    parser.add_argument("--frames", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=None, help="so many questions")
    args = parser.parse_args()
    witness = Witness.open(str(args.model), device=torch.device("cpu"), dtype=torch.bfloat16)
    # The score also chooses among the looks that a mask comes from: what is fitted is asked again.
    calibration = None
    for _ in range(ROUNDS):
        witness.model.config = replace(witness.model.config, calibration=calibration)
        cases = gather(witness, args.frames, limit=args.limit)
        fitted = fit(cases)
        calibration = replace(fitted, floor=0.0)
        vain = [one for one in cases if not one.fits]
        kept = sum(not fitted.withholds(one.evidence) for one in vain)
        right = sum(one.iou >= GOOD for one in cases if one.fits) / (len(cases) - len(vain))
        print(f"{fitted}; {right:.3f} of masks right; of {len(vain)} in vain, {kept} stay")
    fresh = LisaModel.from_trained(args.model)
    fresh.config = replace(fresh.config, calibration=fitted)
    fresh.save_trained(args.out)


if __name__ == "__main__":
    main()
