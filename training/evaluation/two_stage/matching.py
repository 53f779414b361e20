"""Which of the offered classes a text means, by sentence embeddings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from training.evaluation.two_stage.parts import Offer

# Texts -> (n, dim) unit vectors.
Embed = Callable[[list[str]], Tensor]


class ClassSegmenter(Protocol):
    """Masks of the classes that a model, or a file, knows."""

    @property
    def name(self) -> str:
        """For tables and records."""
        ...

    def classes(self, image: NDArray[np.uint8]) -> Sequence[Offer]:
        """Classes believed visible, likeliest first."""
        ...

    def mask(self, image: NDArray[np.uint8], title: str) -> NDArray[np.bool_]:
        """(H, W) bool of one of :meth:`classes`."""
        ...


def minilm(sentences: list[str]) -> Tensor:
    """MiniLM's unit vectors (n, 384), from the pinned base weights ``minilm-l6-v2``."""
    from training.tiny.name_space import embed_sentences

    return embed_sentences(sentences)


class Matcher:
    """Cosine of a text against every name of every class; the best name counts for its class."""

    def __init__(
        self, *, embed: Embed = minilm, threshold: float, presence_weight: float = 0.0
    ) -> None:
        """Set up.

        Args:
            embed: a sentence encoder.
            threshold: cosine below which a text means none of the classes, -1..1.
            presence_weight: how much a class's log-presence adds to its cosine when classes are
                compared (not when the best one is held against the threshold).

        Raises:
            ValueError: threshold outside -1..1 or a negative weight.
        """
        if not -1.0 <= threshold <= 1.0:
            raise ValueError(f"threshold must be a cosine, -1..1, got {threshold}")
        if presence_weight < 0.0:
            raise ValueError(f"presence_weight must not be negative, got {presence_weight}")
        self.threshold = threshold
        self.presence_weight = presence_weight
        self._embed = embed
        self._known: dict[str, Tensor] = {}
        self._cosines: dict[tuple[str, tuple[str, ...]], float] = {}

    def vectors(self, texts: Sequence[str]) -> list[Tensor]:
        """Unit vectors; each text is embedded once."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, self._embed(new), strict=True))
        return [self._known[text] for text in texts]

    def cosine(self, text: str, offer: Offer) -> float:
        """Of the class's best name; 1 for a name as it stands."""
        if text.lower() in (name.lower() for name in offer.names):
            return 1.0
        key = (text, offer.names)
        if key not in self._cosines:
            mine, *theirs = self.vectors([text, *offer.names])
            self._cosines[key] = max(float(mine @ other) for other in theirs)
        return self._cosines[key]

    def best(self, text: str, offers: Sequence[Offer]) -> Offer | None:
        """The class that ``text`` means; None when it means none of them."""
        if not offers:
            return None
        rows = [(self.cosine(text, offer), offer) for offer in offers]
        cosine, offer = max(
            rows, key=lambda row: row[0] + self.presence_weight * row[1].log_presence
        )
        return offer if cosine >= self.threshold else None


class MatchedSegmenter:
    """A :class:`ClassSegmenter` that takes any name: the class closest in meaning is marked."""

    def __init__(self, *, classes: ClassSegmenter, matcher: Matcher) -> None:
        self.classes = classes
        self.matcher = matcher

    @property
    def name(self) -> str:
        """Of the class segmenter."""
        return self.classes.name

    def offers(self, image: NDArray[np.uint8]) -> Sequence[Offer]:
        """The visible classes."""
        return self.classes.classes(image)

    def segment(self, image: NDArray[np.uint8], name: str) -> NDArray[np.bool_]:
        """See :class:`training.evaluation.two_stage.parts.OpenVocabularySegmenter`."""
        offer = self.matcher.best(name, self.classes.classes(image))
        if offer is None:
            return np.zeros(image.shape[:2], dtype=bool)
        return self.classes.mask(image, offer.title)
