"""One training sample, the same for every data set: an image, conversations, masks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lisa_model.config import IM_END_TOKEN, IM_START_TOKEN, SEG_TOKEN
from lisa_model.llava.tokenizer import CONTROL_TOKENS, IMAGE_TOKEN

# A question and its answer, and the turns of one conversation.
Turn = tuple[str, str]
Conversation = tuple[Turn, ...]

# As plain text these would end a turn or stand for pixels once they are tokenised.
_RESERVED = re.compile("|".join(map(re.escape, (*CONTROL_TOKENS, IM_START_TOKEN, IM_END_TOKEN))))


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where a sample comes from.

    Attributes:
        family: semantic, referring, vqa or reasoning.
        set: name of the data set.
        key: the item within it: a file, or an entry of its annotation file.
    """

    family: str
    set: str
    key: str

    def __str__(self) -> str:
        return f"{self.set}: {self.key}"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """An image with what is asked about it.

    The image is in memory rather than read later: only so is a broken file noticed while another
    sample can still be drawn in its place.

    Attributes:
        image_file: where the image was read from.
        image: (H, W, 3) uint8 RGB.
        conversations: each begins with the image placeholder ``<image>`` in its first question;
            all are about this image, and none continues another.
        masks: (n, H, W) uint8, one per [SEG] of the answers in reading order; n may be 0. Values
            above 1 occur where polygons of one referred object overlap.
        ignore: (H, W) bool, pixels that the annotators left open; None where a set has no such
            thing. Losses count them as background, as the official training does.
        provenance: for reports.

    Raises:
        ValueError: the parts do not fit together; the message says which.
    """

    image_file: Path
    image: NDArray[np.uint8]
    conversations: tuple[Conversation, ...]
    masks: NDArray[np.uint8]
    provenance: Provenance
    ignore: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if self.image.dtype != np.uint8 or self.image.ndim != 3 or self.image.shape[2] != 3:
            raise ValueError(
                f"{self.provenance}: image must be (H, W, 3) uint8, got {self.image.shape} "
                f"{self.image.dtype}"
            )
        size = self.image.shape[:2]
        if self.masks.dtype != np.uint8 or self.masks.ndim != 3 or self.masks.shape[1:] != size:
            raise ValueError(
                f"{self.provenance}: masks must be (n, {size[0]}, {size[1]}) uint8, got "
                f"{self.masks.shape} {self.masks.dtype}"
            )
        if self.ignore is not None and (
            self.ignore.dtype != np.bool_ or self.ignore.shape != self.image.shape[:2]
        ):
            raise ValueError(
                f"{self.provenance}: ignore must be {size} bool, got {self.ignore.shape} "
                f"{self.ignore.dtype}"
            )
        if not self.conversations or not all(self.conversations):
            raise ValueError(f"{self.provenance}: there is a conversation without a turn")
        for conversation in self.conversations:
            self._check_texts(conversation)
        count = self.seg_count
        if count != len(self.masks):
            raise ValueError(
                f"{self.provenance}: the answers hold {count} {SEG_TOKEN}, but there are "
                f"{len(self.masks)} masks"
            )

    @property
    def seg_count(self) -> int:
        """Number of [SEG] in all answers."""
        return sum(answer.count(SEG_TOKEN) for turns in self.conversations for _, answer in turns)

    def _check_texts(self, conversation: Conversation) -> None:
        for number, (question, answer) in enumerate(conversation):
            placeholders = question.count(IMAGE_TOKEN)
            if placeholders != (number == 0) or IMAGE_TOKEN in answer:
                raise ValueError(
                    f"{self.provenance}: the first question of a conversation holds {IMAGE_TOKEN} "
                    f"once, nothing else does: {question[:60]!r}"
                )
            # A [SEG] in a question would get a mask of its own.
            if SEG_TOKEN in question:
                raise ValueError(f"{self.provenance}: {SEG_TOKEN} in a question: {question[:60]!r}")
            if not question.replace(IMAGE_TOKEN, "").strip() or not answer.strip():
                raise ValueError(f"{self.provenance}: a turn without a question or an answer")
            if found := _RESERVED.search(question + "\n" + answer):
                raise ValueError(f"{self.provenance}: the text holds the token {found[0]!r}")


def no_masks(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(0, H, W): the masks of an image that is only talked about."""
    return np.zeros((0, *image.shape[:2]), np.uint8)
