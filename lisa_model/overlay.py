"""Masks drawn over an image, for people; the command line and the ROS node share it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# Colours (RGB) that stay apart for colour-blind eyes (Okabe & Ito 2008).
PALETTE = ((213, 94, 0), (0, 114, 178), (0, 158, 115), (204, 121, 167), (240, 228, 66))
OPACITY = 0.45
_FONT = cv2.FONT_HERSHEY_SIMPLEX

Colour = tuple[int, int, int]


def mask_box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Left, top, width, height of a mask's bounding box [px], all 0 when it is empty."""
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return 0, 0, 0, 0
    left, top = int(columns[0]), int(rows[0])
    return left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1


def tint_mask(
    picture: NDArray[np.uint8], mask: NDArray[np.bool_], colour: Colour, *, thickness: int = 2
) -> None:
    """Tint a mask (H, W) in a picture (H, W, 3), in place, and draw its outline."""
    blended = picture[mask] * (1.0 - OPACITY) + np.array(colour) * OPACITY
    picture[mask] = blended.astype(np.uint8)
    outline_mask(picture, mask, ((255, 255, 255), thickness + 1), (colour, thickness))


def outline_mask(
    picture: NDArray[np.uint8], mask: NDArray[np.bool_], *pens: tuple[Colour, int]
) -> None:
    """Draw a mask's outline in a picture (H, W, 3), in place, with each (colour, px) in turn."""
    outlines, _ = cv2.findContours(
        mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    for colour, thickness in pens:
        cv2.drawContours(picture, outlines, -1, colour, thickness, cv2.LINE_AA)


def resized_mask(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """A mask at another size (width, height), by its nearest pixels."""
    small: NDArray[np.bool_] = (
        cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    )
    return small


def write_line(
    picture: NDArray[np.uint8],
    text: str,
    at: tuple[int, int],
    *,
    scale: float,
    colour: Colour = (255, 255, 255),
) -> None:
    """Write one line with a dark rim, in place; characters outside ASCII become '?'."""
    line = text.encode("ascii", "replace").decode()[:120]
    thickness = max(1, round(1.5 * scale))
    cv2.putText(picture, line, at, _FONT, scale, (0, 0, 0), thickness + 2, cv2.LINE_AA)
    cv2.putText(picture, line, at, _FONT, scale, colour, thickness, cv2.LINE_AA)


def draw_masks(
    image: NDArray[np.uint8], masks: NDArray[np.bool_], *, caption: str = ""
) -> NDArray[np.uint8]:
    """A copy of the image with masks tinted and outlined.

    Args:
        image: (H, W, 3) uint8 RGB.
        masks: (n, H, W) bool.
        caption: one line written at the top.
    """
    out = image.copy()
    for number, mask in enumerate(masks):
        tint_mask(out, mask, PALETTE[number % len(PALETTE)])
    if caption:
        scale = max(0.4, image.shape[1] / 1200)
        write_line(out, caption, (8, round(30 * scale) + 5), scale=scale)
    return out
