"""LLaVA as the first stage, through transformers: it sees the image and writes a name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import LlavaForConditionalGeneration, LlavaProcessor

from training.evaluation.contender import Ask
from training.evaluation.two_stage.folders import on_model, open_folder
from training.evaluation.two_stage.parts import Naming, Offer
from training.evaluation.two_stage.wording import clean_name

SENTENCE = (
    "{text}\nWhich one thing in the image is meant? Answer with its name only, in a few words. "
    "If it is not in the image, answer: nothing."
)
PHRASE = (
    "Which thing in the image is this: {text}? Answer with its name only, in a few words. "
    "If it is not in the image, answer: nothing."
)
# Of LLaVA-1.5, for folders that bring no chat template.
PLAIN = "USER: {image}\n{question} ASSISTANT:"


class LlavaNamer:
    """Greedy answer to the question about the image."""

    name = "LLaVA"

    def __init__(self, *, model: Any, processor: Any, max_new_tokens: int = 20) -> None:
        """Wrap a model of transformers.

        Args:
            max_new_tokens: longest answer.

        Raises:
            ValueError: no token is allowed.
        """
        if max_new_tokens < 1:
            raise ValueError(f"max_new_tokens must be at least 1, got {max_new_tokens}")
        self._model = model.eval()
        self._processor = processor
        self._max_new_tokens = max_new_tokens

    @classmethod
    def open(
        cls, folder: str | Path | None, *, device: str, dtype: str, max_new_tokens: int = 20
    ) -> LlavaNamer:
        """Open a local folder.

        Raises:
            WeightsMissingError: it is not there.
        """
        classes = LlavaForConditionalGeneration, LlavaProcessor
        model, processor = open_folder(*classes, folder, "namer_folder", device=device, dtype=dtype)
        return cls(model=model, processor=processor, max_new_tokens=max_new_tokens)

    def prompt(self, ask: Ask) -> str:
        """The whole prompt; the image's token occurs once, whatever the question holds."""
        image = self._processor.image_token
        text = " ".join(ask.text.replace(image, " ").split())
        wording = SENTENCE if ask.is_sentence else PHRASE
        question = wording.format(text=text if ask.is_sentence else text.rstrip("?."))
        if self._processor.chat_template is None:
            return PLAIN.format(image=image, question=question)
        content = [{"type": "image"}, {"type": "text", "text": question}]
        return str(
            self._processor.apply_chat_template(
                [{"role": "user", "content": content}], add_generation_prompt=True
            )
        )

    @torch.inference_mode()
    def name_thing(self, image: NDArray[np.uint8], ask: Ask, offered: Sequence[Offer]) -> Naming:
        """See :class:`Namer`; it answers from the image, not from what is offered."""
        inputs = on_model(
            self._processor(images=image, text=self.prompt(ask), return_tensors="pt"), self._model
        )
        out = self._model.generate(**inputs, max_new_tokens=self._max_new_tokens, do_sample=False)
        ids = out[0, inputs["input_ids"].shape[1] :]
        text = str(self._processor.tokenizer.decode(ids, skip_special_tokens=True)).strip()
        return Naming(name=clean_name(text), text=text)
