"""Colour names as directions: which way in RGB a thing must lie to be "the red one".

Among things of one kind the reddest is meant by "the red one", so a direction suffices.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from training.homereason.colours import NAMES

Tint = tuple[float, float, float]

# What the names are given to in training/homereason/colours.py, at about half saturation.
_RGB: Mapping[str, Tint] = {
    "red": (0.8, 0.2, 0.2),
    "orange": (0.9, 0.5, 0.1),
    "yellow": (0.9, 0.8, 0.2),
    "green": (0.2, 0.7, 0.3),
    "blue": (0.2, 0.4, 0.8),
    "purple": (0.5, 0.2, 0.8),
    "pink": (0.9, 0.4, 0.7),
    "white": (0.9, 0.9, 0.9),
    "black": (0.1, 0.1, 0.1),
}


def _directions() -> dict[str, Tint]:
    rgb = np.array([_RGB[name] for name in NAMES])
    away = rgb - rgb.mean(0)
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    return {
        name: (float(r), float(g), float(b)) for name, (r, g, b) in zip(NAMES, away, strict=True)
    }


TINTS: Mapping[str, Tint] = _directions()
"""Of each colour name: away from the mean of all, of unit length."""


def tint_of(proof: Sequence[str]) -> Tint | None:
    """One of :data:`TINTS`, by a question's proof (:mod:`training.homereason.attributes`, and
    :mod:`training.homereason.absent` of a colour that nothing has); None where no colour
    decides."""
    named = re.search(r"^(\w+): one only|, not (\w+)$", proof[-1]) if proof else None
    return TINTS.get(named[1] or named[2]) if named else None
