"""What an evaluation asks, and what answers it: LISA, a two-stage baseline, anything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One question about an image.

    Attributes:
        text: as the data set has it, without any wording of a prompt.
        is_sentence: a question or an order ("what keeps the coffee warm?"), not a phrase that
            names something ("the left cup").
    """

    text: str
    is_sentence: bool


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came back.

    Attributes:
        mask: (H, W) bool, all masks of the answer joined; empty where nothing was marked.
        text: the answer in words; "" where the contender gives none.
        marked: whether the answer marks anything at all (for LISA: holds a [SEG]). A mask can be
            empty all the same.
    """

    mask: NDArray[np.bool_]
    text: str
    marked: bool


class Contender(Protocol):
    """Anything that can be scored."""

    @property
    def name(self) -> str:
        """For tables and records."""
        ...

    @property
    def protocol(self) -> str:
        """How it answers, in a few words: "teacher-forced", "free generation", ..."""
        ...

    def answer(self, image: NDArray[np.uint8], asks: Sequence[Ask]) -> list[Reply]:
        """Answer all questions about one image.

        Args:
            image: (H, W, 3) uint8 RGB.
            asks: at least one.

        Returns:
            One reply for each question, in order; masks have the size of the image.
        """
        ...
