"""Samples as a batch of a training step, see :mod:`training.official.forward`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lisa_model.config import IM_END_TOKEN, IM_START_TOKEN, SEG_TOKEN
from lisa_model.llava.conversation import DEFAULT_TEMPLATE, prompt_text
from lisa_model.llava.preprocessing import SAM_MEAN, SAM_STD, sam_pixels
from lisa_model.llava.tokenizer import IMAGE_TOKEN, LegacyTokenizer
from training.data.sample import Conversation, Provenance, Sample
from training.official.forward import Picture
from training.official.labels import TextBatch, text_batch


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What :func:`training.official.forward.training_losses` takes, before the CLIP tower ran.

    Attributes:
        text: all conversations of all pictures.
        clip_pixels: (pictures, 3, s, s) float32; each picture once, however many conversations.
        pictures: SAM's input and the masks.
        picture_of: of each conversation, the number of its picture; ascending.
        ignore: (H, W) bool of each picture, or None; not used by the official losses.
        provenance: of each picture.
    """

    text: TextBatch
    clip_pixels: Tensor
    pictures: tuple[Picture, ...]
    picture_of: tuple[int, ...]
    ignore: tuple[Tensor | None, ...]
    provenance: tuple[Provenance, ...]


@dataclass(frozen=True, kw_only=True)
class Collator:
    """Makes batches for one model.

    Attributes:
        tokenizer: of the checkpoint.
        clip_pixels: the CLIP tower's preprocessing, (H, W, 3) uint8 -> (3, s, s).
        patches: image tokens of the tower.
        sam_size: side of the input of SAM's image encoder, or of what is in its place.
        sam_mean, sam_std: of the input's channels, 0 to 255.
        template: of the conversations.
        max_length: longest sequence with the image; longer ones lose their end.
    """

    tokenizer: LegacyTokenizer
    clip_pixels: Callable[[NDArray[np.uint8]], Tensor]
    patches: int
    sam_size: int
    template: str = DEFAULT_TEMPLATE
    max_length: int = 512
    sam_mean: tuple[float, ...] = SAM_MEAN
    sam_std: tuple[float, ...] = SAM_STD

    def __call__(self, samples: Sequence[Sample]) -> Batch:
        """A batch of samples.

        Raises:
            ValueError: there is none, or one does not fit (see :meth:`refuse`).
        """
        if not samples:
            raise ValueError("a batch needs at least one sample")
        for sample in samples:
            if reason := self.refuse(sample):
                raise ValueError(f"{sample.provenance}: {reason}")
        texts, picture_of, pictures = [], [], []
        for number, sample in enumerate(samples):
            texts += [self._text(turns) for turns in sample.conversations]
            picture_of += [number] * len(sample.conversations)
            pixels, resized = sam_pixels(
                sample.image, self.sam_size, mean=self.sam_mean, std=self.sam_std
            )
            masks = torch.from_numpy(sample.masks.astype(np.float32))
            pictures.append(Picture(sam=pixels, resized=resized, masks=masks))
        return Batch(
            text=text_batch(
                texts,
                self.tokenizer,
                template=self.template,
                patches=self.patches,
                max_length=self.max_length,
            ),
            clip_pixels=torch.stack([self.clip_pixels(sample.image) for sample in samples]),
            pictures=tuple(pictures),
            picture_of=tuple(picture_of),
            ignore=tuple(
                None if sample.ignore is None else torch.from_numpy(sample.ignore)
                for sample in samples
            ),
            provenance=tuple(sample.provenance for sample in samples),
        )

    def refuse(self, sample: Sample) -> str | None:
        """Why a sample cannot be trained on: its text is so long that a [SEG] would be cut off.

        Give this to the mixture, which then draws another sample.
        """
        room = self.max_length - (self.patches - 1)
        for turns in sample.conversations:
            if not any(SEG_TOKEN in answer for _, answer in turns):
                continue
            ids = self.tokenizer.encode_prompt(self._text(turns))
            last = len(ids) - 1 - ids[::-1].index(self.tokenizer.seg_id)
            if last >= room:
                return (
                    f"{SEG_TOKEN} is token {last + 1}, but only {room} fit beside the image: "
                    f"{turns[0][0][:60]!r}"
                )
        return None

    def _text(self, turns: Conversation) -> str:
        marked = [
            (question.replace(IMAGE_TOKEN, IM_START_TOKEN + IMAGE_TOKEN + IM_END_TOKEN), answer)
            for question, answer in turns
        ]
        return prompt_text(marked, self.template)
