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
from numpy.typing import NDArray
from torch import Tensor

from lisa_model.calibration import Calibration
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


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One mask of a validation question.

    Attributes:
        expected_iou: of the decoder, 0..1.
        presence: that what is under the mask is what was meant, 0..1.
        iou: with the target; 0 where nothing fits.
        fits: there is something to mark.
    """

    expected_iou: float
    presence: float
    iou: float
    fits: bool


class Witness(TinySegmenter):
    """Answers as ever and keeps what each mask's score would rest on."""

    def __init__(self, *, model: LisaModel, name: str, dtype: torch.dtype) -> None:
        super().__init__(model=model, name=name, dtype=dtype)
        self.seen: list[tuple[float, float]] = []

    def _judged(self, guess: Guess, prompt: Tensor) -> tuple[NDArray[np.float32], float]:
        self.seen.append((min(1.0, max(0.0, guess.score)), self._presence(guess, prompt)))
        return guess.logits, guess.score


def gather(segmenter: Witness, frames: Path, *, limit: int | None = None) -> list[Evidence]:
    """Evidence of all masks for one thing, and of masks where nothing fits.

    Args:
        segmenter: an uncalibrated model.
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
        for mask, (expected, presence) in zip(result.masks, segmenter.seen, strict=True):
            found = score_mask(mask, truth).iou if one.ids else 0.0
            out.append(
                Evidence(
                    expected_iou=expected, presence=presence, iou=found, fits=bool(one.targets)
                )
            )
    return out


def fit(evidence: Sequence[Evidence], *, most_refused: float = MOST_REFUSED) -> Calibration:
    """Logistic regression of "IoU >= 0.5", and the floor that refuses few good masks.

    The floor is the highest at which at most ``most_refused`` of the masks with IoU >= 0.5 would be
    withheld.

    Raises:
        ValueError: there are not both right and wrong masks.
    """
    inputs = np.array([[e.expected_iou, e.presence, 1.0] for e in evidence], dtype=np.float64)
    right = np.array([e.iou >= GOOD for e in evidence], dtype=np.float64)
    if not 0 < right.sum() < len(right):
        raise ValueError("calibration needs right and wrong masks on validation questions")
    weights = np.zeros(3)
    ridge = np.diag([1e-2, 1e-2, 0.0])
    for _ in range(100):  # Newton's method; the regression is convex
        p = 1.0 / (1.0 + np.exp(-np.clip(inputs @ weights, -60, 60)))
        slope = inputs.T @ (p - right) + ridge @ weights
        bend = (inputs * (p * (1 - p))[:, None]).T @ inputs + ridge + 1e-9 * np.eye(3)
        step = np.linalg.solve(bend, slope)
        weights -= step
        if np.abs(step).max() < 1e-9:
            break
    calibration = Calibration(
        iou_weight=float(weights[0]), presence_weight=float(weights[1]), bias=float(weights[2])
    )
    good = sorted(
        calibration.score(e.expected_iou, e.presence) for e in evidence if e.iou >= GOOD and e.fits
    )
    return replace(calibration, floor=good[int(most_refused * len(good))])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder of stage_joint")
    parser.add_argument("--frames", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=None, help="so many questions")
    args = parser.parse_args()
    witness = Witness.open(str(args.model), device=torch.device("cpu"), dtype=torch.bfloat16)
    witness.model.config = replace(witness.model.config, calibration=None)
    evidence = gather(witness, args.frames, limit=args.limit)
    calibration = fit(evidence)
    vain = [e for e in evidence if not e.fits]
    kept = [e for e in vain if calibration.score(e.expected_iou, e.presence) >= calibration.floor]
    print(f"{calibration}; of {len(vain)} masks of nothing, {len(kept)} stay", flush=True)
    fresh = LisaModel.from_trained(args.model)
    fresh.config = replace(fresh.config, calibration=calibration)
    fresh.save_trained(args.out)


if __name__ == "__main__":
    main()
