"""Scoring with the answer given, as the official validation of LISA does it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from lisa_model.language import copy_cache
from lisa_model.tiny_segmenter import TinySegmenter
from training.homereason.question import Question, answer_for
from training.household.evaluate import Answer
from training.tiny.packing import pack_question
from training.tiny.question_store import spoken_answer

PROTOCOL = "teacher-forced: an answer with one [SEG] for each target, and at least one, is given"


def given_answer(question: Question) -> str:
    """The trained answer; where nothing fits, one that marks something all the same.

    The official protocol has a [SEG] in every answer. The refusal that the question comes with
    would give away what is asked.
    """
    return spoken_answer(question) if question.targets else answer_for([()])


class TeacherForced:
    """lisa-tiny, given its answers.

    Args:
        segmenter: the model; its way of decoding masks is unchanged.
    """

    protocol = PROTOCOL

    def __init__(self, segmenter: TinySegmenter) -> None:
        self._segmenter = segmenter
        self.name = segmenter.name

    def ask(self, image: NDArray[np.uint8], question: Question) -> Answer:
        """Masks of the given answer's [SEG].

        Args:
            image: (H, W, 3) uint8 RGB.
            question: with its targets, of which only the number and the names are used; the names
                stand behind the last [SEG], so that no mask depends on them.

        Returns:
            the answer and masks (n, H, W), n at least 1.
        """
        segmenter, language = self._segmenter, self._segmenter.model.language
        encoded = segmenter.kept(image)
        answer = given_answer(question)
        text = " ".join(question.text.split())
        packed = pack_question(language, text, answer, whole=False)
        with segmenter.autocast():
            ids = torch.tensor([packed.ids], device=segmenter.device)
            states = language.states(language.embed(ids), cache=copy_cache(encoded.prefix))
            # A given answer is certain.
            rows, certainty = states[0, list(packed.segs)], [1.0] * len(packed.segs)
            _, marks = segmenter.mark(encoded, rows, certainty)
        return Answer(answer, marks.logits > 0, marks.scores)
