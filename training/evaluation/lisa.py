"""LISA as a contender: with the answer given, or with an answer of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lisa_model.errors import LisaError
from lisa_model.llava.segmenter import LisaSegmenter
from lisa_model.llava.templates import VALIDATION_ANSWER, validation_question
from lisa_model.segmenter import ReasoningSegmenter, SegmentationResult
from training.evaluation.contender import Ask, Reply

TEACHER_FORCED = "teacher-forced"
FREE = "free generation"
MODES = {"teacher-forced": (TEACHER_FORCED,), "free": (FREE,), "both": (TEACHER_FORCED, FREE)}


def official_turn(ask: Ask) -> tuple[str, str]:
    """Question and answer of the official validation; without the image placeholder."""
    return validation_question(ask.text, is_sentence=ask.is_sentence), VALIDATION_ANSWER


class TeacherForced:
    """The official protocol: the answer "[SEG]." is given, and the mask of its [SEG] is scored.

    Raises:
        LisaError: the model is none in the official layout.
    """

    protocol = TEACHER_FORCED

    def __init__(self, segmenter: ReasoningSegmenter) -> None:
        if not isinstance(segmenter, LisaSegmenter):
            raise LisaError(
                f"{segmenter.name} has no teacher-forced mode, only models in the layout of "
                "official checkpoints have; use --mode free"
            )
        self._segmenter = segmenter
        self.name = segmenter.name

    def answer(self, image: NDArray[np.uint8], asks: Sequence[Ask]) -> list[Reply]:
        """See :class:`training.evaluation.contender.Contender`."""
        return [_reply(self._segmenter.score(image, *official_turn(ask))) for ask in asks]


class FreeGeneration:
    """The model writes its answer, and all masks of it are joined.

    Models in the official layout are asked the question of the official validation, so that only
    the answer differs between the two protocols; others are asked the bare text, as they were
    trained.

    Args:
        max_new_tokens: longest answer; None for the model's own default.
    """

    protocol = FREE

    def __init__(self, segmenter: ReasoningSegmenter, max_new_tokens: int | None = None) -> None:
        self._segmenter = segmenter
        self._official = isinstance(segmenter, LisaSegmenter)
        self._tokens = max_new_tokens
        self.name = segmenter.name

    def answer(self, image: NDArray[np.uint8], asks: Sequence[Ask]) -> list[Reply]:
        """See :class:`training.evaluation.contender.Contender`."""
        return [
            _reply(
                self._segmenter.segment(
                    image,
                    official_turn(ask)[0] if self._official else ask.text,
                    max_new_tokens=self._tokens,
                    templates=not self._official,
                )
            )
            for ask in asks
        ]


def default_mode(segmenter: ReasoningSegmenter) -> str:
    """Teacher-forced for models in the official layout, free for others."""
    return "teacher-forced" if isinstance(segmenter, LisaSegmenter) else "free"


def _reply(result: SegmentationResult) -> Reply:
    # Without a mask this is an empty one of the image's size.
    joined = np.asarray(result.masks.any(axis=0), dtype=bool)
    return Reply(mask=joined, text=result.text, marked=len(result.masks) > 0)
