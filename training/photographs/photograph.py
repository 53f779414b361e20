"""A photograph and what is asked about it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Intent:
    """What is asked, and what would be right.

    Attributes:
        text: in plain words.
        truth: (H, W) bool, all that is meant; no pixel where nothing fits; None when not judged.
    """

    text: str
    truth: NDArray[np.bool_] | None = None

    @property
    def in_vain(self) -> bool:
        """Nothing in the picture fits."""
        return self.truth is not None and not self.truth.any()


@dataclass(frozen=True, kw_only=True)
class Photograph:
    """A picture with its intents.

    Attributes:
        name: for people, such as its file name.
        image: (H, W, 3) uint8 RGB.
        intents: at least one.
        credit: where it is from, and its licence; "" when not known.

    Raises:
        DataError: it has no intent, or a truth of another size.
    """

    name: str
    image: NDArray[np.uint8]
    intents: tuple[Intent, ...]
    credit: str = ""

    def __post_init__(self) -> None:
        if not self.intents:
            raise DataError(f"{self.name}: no intents; say at least one")
        size = self.image.shape[:2]
        for one in self.intents:
            if not one.text.strip():
                raise DataError(f"{self.name}: an intent is empty; say what is wanted")
            if one.truth is not None and one.truth.shape != size:
                raise DataError(
                    f"{self.name}: the mask of {one.text!r} is {_size(one.truth.shape)}, the "
                    f"picture {_size(size)}; draw it on the picture as it is"
                )


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[0]}"
