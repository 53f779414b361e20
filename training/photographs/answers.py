"""Asks what is to be asked, and scores where it is known what is right."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lisa_model.metrics import score_mask
from training.homereason.scoring import GOOD
from training.household.evaluate import FOUND, Answering
from training.photographs.photograph import Intent, Photograph


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One intent's answer.

    Attributes:
        intent: what was asked.
        text: what the model wrote.
        masks: (n, H, W) bool, one for each [SEG].
        scores: (n,) in 0..1, what the model expects of its masks.
        seconds: from the intent to the masks; a photograph's first one includes seeing it.
    """

    intent: Intent
    text: str
    masks: NDArray[np.bool_]
    scores: tuple[float, ...]
    seconds: float

    @property
    def refused(self) -> bool:
        """It marks nothing."""
        return not self.masks.any()

    @property
    def iou(self) -> float | None:
        """All masks joined against the truth; None where there is no truth, or nothing fits."""
        truth = self.intent.truth
        if truth is None or self.intent.in_vain:
            return None
        mask: NDArray[np.bool_] = np.asarray(self.masks.any(axis=0))
        return score_mask(mask, truth).iou

    @property
    def verdict(self) -> str:
        """In words, for people."""
        if self.intent.in_vain:
            return "right: marks nothing" if self.refused else "wrong: nothing fits"
        if self.iou is None:
            return "not judged"
        if self.iou > GOOD:
            return "good"
        return "found, poor mask" if self.iou > FOUND else "not found"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "intent": self.intent.text,
            "answer": self.text,
            "masks_px": [int(mask.sum()) for mask in self.masks],
            "scores": list(self.scores),
            "nothing_fits": self.intent.in_vain,
            "target_px": None if self.intent.truth is None else int(self.intent.truth.sum()),
            "iou": self.iou,
            "verdict": self.verdict,
            "seconds": self.seconds,
        }


@dataclass(frozen=True, kw_only=True)
class Answered:
    """A photograph with an answer to each of its intents, in their order."""

    photograph: Photograph
    answers: tuple[Answer, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        height, width = self.photograph.image.shape[:2]
        return {
            "name": self.photograph.name,
            "width": width,
            "height": height,
            "credit": self.photograph.credit,
            "answers": [one.as_dict() for one in self.answers],
        }


def ask_all(
    segmenter: Answering,
    photographs: Iterable[Photograph],
    *,
    max_new_tokens: int | None,
    progress: Callable[[str], None] = print,
) -> Iterator[Answered]:
    """Ask each intent of each photograph, one at a time; no photograph is kept."""
    for photograph in photographs:
        answers = []
        for intent in photograph.intents:
            clock = time.perf_counter()
            said = segmenter.segment(photograph.image, intent.text, max_new_tokens=max_new_tokens)
            seconds = time.perf_counter() - clock
            answers.append(
                Answer(
                    intent=intent,
                    text=said.text,
                    masks=np.asarray(said.masks, dtype=bool),
                    scores=tuple(float(score) for score in said.scores),
                    seconds=seconds,
                )
            )
        progress(f"{photograph.name}: {len(answers)} intents")
        yield Answered(photograph=photograph, answers=tuple(answers))


def summarise(photographs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Counts and figures over all photographs; None for what no intent tells.

    Args:
        photographs: of :meth:`Answered.as_dict`.
    """
    answers = [one for some in photographs for one in some["answers"]]
    ious = [one["iou"] for one in answers if one["iou"] is not None]
    vain = [one for one in answers if one["nothing_fits"]]
    first = [some["answers"][0]["seconds"] for some in photographs]
    later = [one["seconds"] for some in photographs for one in some["answers"][1:]]
    return {
        "photographs": len(photographs),
        "intents": len(answers),
        "with_mask": {
            "n": len(ious),
            "giou": float(np.mean(ious)) if ious else None,
            "found": sum(iou > FOUND for iou in ious),
            "good": sum(iou > GOOD for iou in ious),
        },
        "nothing_fits": {
            "n": len(vain),
            "marked_nothing": sum(not any(one["masks_px"]) for one in vain),
        },
        "not_judged": len(answers) - len(ious) - len(vain),
        "median_s_first": float(np.median(first)) if first else None,
        "median_s_later": float(np.median(later)) if later else None,
    }
