"""The two stages, and the contender that joins them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from training.evaluation.contender import Ask, Reply


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A class that can be marked in an image.

    Attributes:
        title: what it is called towards namers.
        names: title and synonyms.
        log_presence: log-probability that the image shows it; 0 where that is certain.
    """

    title: str
    names: tuple[str, ...]
    log_presence: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Naming:
    """What a namer came to.

    Attributes:
        name: what the segmenter is to look for; "" for nothing.
        text: the model's own words; "" when it gave none.
    """

    name: str
    text: str


class Namer(Protocol):
    """First stage: names the thing that is asked for."""

    @property
    def name(self) -> str:
        """For tables and records."""
        ...

    def name_thing(self, image: NDArray[np.uint8], ask: Ask, offered: Sequence[Offer]) -> Naming:
        """Name the thing.

        Args:
            image: (H, W, 3) uint8 RGB; a namer that only reads ignores it.
            ask: the question.
            offered: classes that the segmenter can mark in this image, likeliest first; empty
                for a segmenter that takes any name.
        """
        ...


class OpenVocabularySegmenter(Protocol):
    """Second stage: marks what a name means."""

    @property
    def name(self) -> str:
        """For tables and records."""
        ...

    def offers(self, image: NDArray[np.uint8]) -> Sequence[Offer]:
        """Classes it can mark in the image, likeliest first; empty when it takes any name."""
        ...

    def segment(self, image: NDArray[np.uint8], name: str) -> NDArray[np.bool_]:
        """Everything of that name: (H, W) bool; empty when there is nothing.

        Args:
            image: (H, W, 3) uint8 RGB.
            name: not empty.
        """
        ...


class TwoStage:
    """A namer and a segmenter as one contender."""

    def __init__(self, *, namer: Namer, segmenter: OpenVocabularySegmenter, note: str = "") -> None:
        """Join them.

        Args:
            note: added to the protocol, such as that masks are the true ones.
        """
        self.namer = namer
        self.segmenter = segmenter
        self._note = note

    @property
    def name(self) -> str:
        """Both stages' names."""
        return f"two-stage: {self.namer.name}, then {self.segmenter.name}"

    @property
    def protocol(self) -> str:
        """How it answers."""
        plain = "two stages, one question at a time: a name as text, then all that has it"
        return f"{plain}; {self._note}" if self._note else plain

    def answer(self, image: NDArray[np.uint8], asks: Sequence[Ask]) -> list[Reply]:
        """See :meth:`training.evaluation.contender.Contender.answer`.

        ``marked`` says whether any pixel was marked: a name that the segmenter finds nothing for
        marks nothing.
        """
        offered = self.segmenter.offers(image)
        replies = []
        for ask in asks:
            naming = self.namer.name_thing(image, ask, offered)
            mask = np.zeros(image.shape[:2], dtype=bool)
            if naming.name:
                mask = self.segmenter.segment(image, naming.name)
            if mask.shape != image.shape[:2] or mask.dtype != np.bool_:
                raise ValueError(
                    f"{self.segmenter.name}: mask must be bool {image.shape[:2]}, got "
                    f"{mask.dtype} {mask.shape}"
                )
            replies.append(Reply(mask=mask, text=naming.text, marked=bool(mask.any())))
        return replies
