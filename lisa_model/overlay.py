"""Masks drawn over an image, for people."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# Distinct, colour-blind safe (Okabe & Ito 2008), RGB.
PALETTE = ((213, 94, 0), (0, 114, 178), (0, 158, 115), (204, 121, 167), (240, 228, 66))


def draw_masks(
    image: NDArray[np.uint8],
    masks: NDArray[np.bool_],
    *,
    caption: str = "",
    opacity: float = 0.45,
) -> NDArray[np.uint8]:
    """A copy of the image with masks tinted and outlined.

    Args:
        image: (H, W, 3) uint8 RGB.
        masks: (n, H, W) bool.
        caption: one line written at the top; characters outside ASCII become '?'.
        opacity: of the tint, 0 to 1.
    """
    out = image.copy()
    for number, mask in enumerate(masks):
        color = PALETTE[number % len(PALETTE)]
        tint = np.array(color, dtype=np.float32)
        out[mask] = (out[mask] * (1 - opacity) + tint * opacity).astype(np.uint8)
        outlines, _ = cv2.findContours(
            mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        cv2.drawContours(out, outlines, -1, (255, 255, 255), 3, cv2.LINE_AA)
        cv2.drawContours(out, outlines, -1, color, 2, cv2.LINE_AA)
    if caption:
        text = caption.encode("ascii", "replace").decode()
        scale = max(0.4, image.shape[1] / 1200)
        (_, height), base = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
        out[: height + base + 10] = out[: height + base + 10] // 3
        cv2.putText(
            out, text, (8, height + 5), cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 1,
            cv2.LINE_AA,
        )  # fmt: skip
    return out
