"""What real cameras do to a picture and the renderer does not: exposure, tint, blur, noise, JPEG.

Hue is hardly touched: questions about colours were proved on the clean picture.
"""

from __future__ import annotations

import random

import cv2
import numpy as np
from numpy.typing import NDArray

# Share of the views that are given faults; the others stay clean, as depth cameras' demos are.
FAULTY_SHARE = 0.5


def with_faults(color: NDArray[np.uint8], rng: random.Random) -> NDArray[np.uint8]:
    """A picture as a worse camera would have taken it; each fault comes with its own chance.

    Args:
        color: (H, W, 3) uint8 RGB.
        rng: the only source of chance.

    Returns:
        (H, W, 3) uint8 RGB, a new array.
    """
    out = color.astype(np.float32) / 255.0
    if rng.random() < 0.7:  # exposure and tone curve
        out = np.clip(out * rng.uniform(0.75, 1.25), 0.0, 1.0) ** rng.uniform(0.75, 1.35)
    if rng.random() < 0.5:  # white balance that is a little off
        out = out * np.array([rng.uniform(0.92, 1.08) for _ in range(3)], dtype=np.float32)
    if rng.random() < 0.5:  # out of focus, or moved
        out = _blurred(out, rng)
    if (
        rng.random() < 0.6
    ):  # photon noise grows with the square root of light; read-out noise does not
        strength = rng.uniform(0.005, 0.04)
        noise = np.random.default_rng(rng.getrandbits(32)).standard_normal(out.shape, np.float32)
        out = out + noise * strength * np.sqrt(np.clip(out, 0.0, 1.0) + 0.05)
    picture = (np.clip(out, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
    if rng.random() < 0.5:
        picture = _compressed(picture, rng.randint(35, 90))
    return picture


def _blurred(picture: NDArray[np.float32], rng: random.Random) -> NDArray[np.float32]:
    if rng.random() < 0.6:
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.3)))
    length, angle = rng.randint(3, 7), rng.uniform(0.0, 180.0)
    line = np.zeros((length, length), dtype=np.float32)
    line[length // 2] = 1.0
    middle = (length - 1) / 2
    turn = cv2.getRotationMatrix2D((middle, middle), angle, 1.0)
    kernel = cv2.warpAffine(line, turn, (length, length))
    return np.asarray(cv2.filter2D(picture, -1, kernel / kernel.sum()))


def _compressed(picture: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    done, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done, "OpenCV writes JPEG"
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.ascontiguousarray(decoded[..., ::-1]).astype(np.uint8)
