"""From linear light to an 8-bit photograph: exposure, white balance, shoulder, sRGB, noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)


@dataclass(frozen=True, kw_only=True)
class Development:
    """``key`` is the linear grey the scene's mean log luminance is brought to."""

    key: float = 0.2
    white_balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    noise: float = 0.0
    shoulder: float = 0.6


def srgb_encode(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """sRGB transfer function (IEC 61966-2-1) for values in [0, 1]."""
    low = linear * 12.92
    high = 1.055 * np.power(np.maximum(linear, 1e-8), 1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, low, high).astype(np.float32)


def develop(
    linear: NDArray[np.float32], development: Development, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """(H, W, 3) linear radiance, any scale, to (H, W, 3) uint8 sRGB.

    Highlights above ``shoulder`` are rolled off with tanh; ``noise`` is the standard deviation
    of Gaussian noise in 8-bit steps.

    Raises:
        ValueError: not (H, W, 3), or a value is not finite.
    """
    if linear.ndim != 3 or linear.shape[2] != 3:
        raise ValueError(f"image has shape {linear.shape}, needs (H, W, 3)")
    if not np.isfinite(linear).all():
        raise ValueError("image has values that are not finite")
    positive = np.maximum(linear.astype(np.float32), 0)
    luminance = positive @ LUMINANCE
    mean_log = float(np.exp(np.log(luminance + 1e-4).mean()))
    exposed = positive * (development.key / max(mean_log, 1e-4))
    exposed *= np.array(development.white_balance, dtype=np.float32)
    knee = development.shoulder
    rolled = knee + (1 - knee) * np.tanh((exposed - knee) / (1 - knee))
    encoded = srgb_encode(np.where(exposed <= knee, exposed, rolled)) * np.float32(255)
    if development.noise > 0:
        encoded += rng.normal(0, development.noise, encoded.shape).astype(np.float32)
    return np.clip(np.rint(encoded), 0, 255).astype(np.uint8)
