"""Scoring with the answer given, as the official validation of LISA does it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from lisa_model.language import copy_cache
from lisa_model.segmenter import frame_key
from lisa_model.tiny_segmenter import EncodedImage, TinySegmenter
from training.homereason.question import Question, answer_for
from training.household.evaluate import Answer
from training.tiny.packing import pack_question
from training.tiny.question_store import spoken_answer

PROTOCOL = "teacher-forced: an answer with one [SEG] for each target, and at least one, is given"


def given_answer(question: Question) -> str:
    """The trained answer; where nothing fits, one that marks something all the same.

    The official protocol has a [SEG] in every answer. The trained refusal would give away what is
    asked.
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
        self._last: tuple[bytes, EncodedImage] | None = None

    def ask(self, image: NDArray[np.uint8], question: Question) -> Answer:
        """Masks of the given answer's [SEG].

        Args:
            image: (H, W, 3) uint8 RGB.
            question: with its targets, of which only the number and the names are used; the names
                stand behind the last [SEG], so that no mask depends on them.

        Returns:
            the answer and masks (n, H, W), n at least 1.
        """
        segmenter, model = self._segmenter, self._segmenter.model
        key = frame_key(image)
        if self._last is None or self._last[0] != key:
            self._last = (key, segmenter.encode(image))
        encoded, language = self._last[1], model.language
        answer = given_answer(question)
        text = " ".join(question.text.split())
        packed = pack_question(language, text, answer, whole=False)
        with (
            torch.inference_mode(),
            torch.autocast(
                segmenter.device.type,
                torch.bfloat16,
                enabled=segmenter.dtype is not torch.float32,
            ),
        ):
            ids = torch.tensor([packed.ids], device=segmenter.device)
            states = language.states(language.embed(ids), cache=copy_cache(encoded.prefix))
            rows = states[0, list(packed.segs)]
            presence = None
            if language.codebook is not None:
                presence = model.mask_head.log_presence(encoded.seen.features, language.codebook)
            prompts = language.prompts(rows, presence)
            logits, scores = segmenter.masks(encoded, prompts, referents=language.referents(rows))
        return Answer(answer, logits > 0, scores)
