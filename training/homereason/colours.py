"""Which colour names surely fit a thing in the picture, and which surely do not. Pure.

Room light is warm or cold and bright or dim, so a name is given only where most pixels lie well
inside its range of hues, and denied only where hardly any lies in a wider range. Brown and grey are
left out: under coloured light they cannot be told from orange, white and black.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

# Ranges of hue in degrees, from red through 360. Gaps are hues that people name differently.
HUES: dict[str, tuple[tuple[float, float], ...]] = {
    "red": ((0, 12), (348, 360)),
    "orange": ((18, 34),),
    "yellow": ((44, 66),),
    "green": ((82, 160),),
    "blue": ((198, 248),),
    "purple": ((262, 300),),
    "pink": ((312, 340),),
}
# White things in warm light look weakly orange or yellow: these two must be stronger.
SATURATION = {"orange": 0.75, "yellow": 0.6}
SATURATION_ELSE = 0.45
VALUE = 0.25
# The wider range in which a pixel might be called by the name.
WIDER_DEGREES = 14.0
WIDER_SATURATION = 0.2
WIDER_VALUE = 0.1
SURE_SHARE = 0.55  # most of the thing: a label or a handle of another colour does not matter
SURE_SHARE_PLAIN = 0.7  # white and black: highlights and shadows look like them
DENIED_SHARE = 0.06  # a stray highlight or the seam of the mask
NAMES = (*HUES, "white", "black")


def shares(pixels: NDArray[np.uint8]) -> dict[str, tuple[float, float]]:
    """Share of pixels surely, and possibly, of each colour name.

    Args:
        pixels: (n, 3) uint8 RGB, n at least 1.
    """
    hsv = cv2.cvtColor(
        np.ascontiguousarray(pixels[None]).astype(np.float32) / 255.0, cv2.COLOR_RGB2HSV
    )[0]
    hue, saturation, value = hsv[:, 0], hsv[:, 1], hsv[:, 2]
    out = {}
    for name, ranges in HUES.items():
        inside = np.zeros(len(hsv), bool)
        near = np.zeros(len(hsv), bool)
        for low, high in ranges:
            inside |= (hue >= low) & (hue <= high)
            off = np.minimum((low - hue) % 360, (hue - high) % 360)
            near |= ((hue >= low) & (hue <= high)) | (off <= WIDER_DEGREES)
        strong = saturation >= SATURATION.get(name, SATURATION_ELSE)
        sure = inside & strong & (value >= VALUE)
        maybe = near & (saturation >= WIDER_SATURATION) & (value >= WIDER_VALUE)
        out[name] = (float(sure.mean()), float(maybe.mean()))
    chroma = saturation * value
    out["white"] = (
        float(((saturation <= 0.12) & (value >= 0.75)).mean()),
        float(((saturation <= 0.4) & (value >= 0.45)).mean()),
    )
    out["black"] = (
        float(((value <= 0.2) & (chroma <= 0.08)).mean()),
        float((value <= 0.4).mean()),
    )
    return out


def named(
    found: Mapping[str, tuple[float, float]], painted: str | None = None
) -> dict[str, bool | None]:
    """For each colour name: True, False, or None where people might differ.

    Args:
        found: see :func:`shares`.
        painted: the colour that the renderer noted, if any. It can only confirm what the picture
            may show, and makes all other names doubtful at most where the picture shows them.
    """
    out: dict[str, bool | None] = {}
    for name, (sure, maybe) in found.items():
        limit = SURE_SHARE_PLAIN if name in ("white", "black") else SURE_SHARE
        value: bool | None = None
        if sure >= limit and painted in (None, name):
            value = True
        elif maybe <= DENIED_SHARE and painted != name:
            value = False
        out[name] = value
    return out
