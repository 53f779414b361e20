"""The pinhole camera: pixels and depths to points.  Pure numpy, no ROS.

Convention (REP-103, camera optical frame): x right, y down, z forward.  A pixel's centre has
integer coordinates, ``u`` is the column and ``v`` the row, so that for a depth ``z`` (planar, along
the optical axis)::

    x = (u - cx) / fx * z        y = (v - cy) / fy * z

Lens distortion is not modelled: the images have to be rectified, or nearly so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Intrinsics:
    """Pinhole intrinsics of an image, in pixels; ValueError names a field that cannot be."""

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int

    def __post_init__(self) -> None:
        for name in ("fx", "fy", "cx", "cy"):
            if not math.isfinite(getattr(self, name)):
                raise ValueError(f"intrinsics: {name} is {getattr(self, name)}; must be finite")
        for name in ("fx", "fy", "width", "height"):
            if getattr(self, name) <= 0:
                raise ValueError(f"intrinsics: {name} is {getattr(self, name)}; must be > 0")


def back_project(depth_m: NDArray[np.floating], intrinsics: Intrinsics) -> FloatArray:
    """Return the (H, W, 3) float64 points [m] of a planar depth image (H, W) [m].

    Invalid depths (0, NaN, inf) are carried through: the caller decides what is valid.

    Raises:
        ValueError: the depth image's size is not that of the intrinsics.
    """
    check_size("depth", depth_m.shape, intrinsics)
    pixels = np.indices(depth_m.shape, dtype=np.int64)
    axes = pixel_axes(pixels[1], pixels[0], depth_m.astype(np.float64), intrinsics)
    return np.moveaxis(axes, 0, -1)


def pixel_axes(
    columns: NDArray[np.int64], rows: NDArray[np.int64], depth: FloatArray, k: Intrinsics
) -> FloatArray:
    """Back-project pixels, arrays of any one shape, to (3,) + that shape.

    Each axis lies in one piece, which is faster to sort.
    """
    return np.stack(((columns - k.cx) * (depth / k.fx), (rows - k.cy) * (depth / k.fy), depth))


def check_size(name: str, shape: tuple[int, ...], intrinsics: Intrinsics) -> None:
    """Check that an image has the size of the intrinsics.

    Raises:
        ValueError: naming the image.
    """
    expected = (intrinsics.height, intrinsics.width)
    if shape != expected:
        raise ValueError(f"{name}: shape is {shape}; the intrinsics are of an image {expected}")
