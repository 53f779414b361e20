"""Depth of one camera seen from another: what a driver's "align depth to colour" does.

Pure numpy.  Conventions as in ``lisa_model.geometry``: optical frames (x right, y down, z forward),
pixel centres at integer coordinates, planar depth along the optical axis.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lisa_model.geometry import Intrinsics

# A depth pixel fills at most this many colour pixels along a side; more are needed only within a
# few centimetres of the colour camera, where depth cameras see nothing.
MAX_FOOTPRINT_PX = 8


def register_depth(
    depth_m: NDArray[np.floating],
    depth_intrinsics: Intrinsics,
    color_intrinsics: Intrinsics,
    color_from_depth: NDArray[np.floating] | None = None,
) -> NDArray[np.float32]:
    """Return the depth image as the colour camera would see it.

    Each depth pixel is a small square at its depth; it is projected into the colour image and fills
    the pixels whose centres it covers, at least the nearest one.  Where several land on a pixel the
    nearest surface wins (z-buffer).  The square's tilt is neglected, as usual.

    Args:
        depth_m: (h, w) planar depth [m] of the depth camera; 0, negative, NaN and inf are invalid.
        depth_intrinsics: of the depth image.
        color_intrinsics: of the colour image.
        color_from_depth: (4, 4) rigid transform, points of the depth camera's optical frame to the
            colour camera's [m]; None is the identity.

    Returns:
        (H, W) float32 planar depth [m] along the colour camera's axis; 0 where nothing lands.

    Raises:
        ValueError: the depth image's size is not that of its intrinsics, or the transform is not a
            finite (4, 4) matrix.
    """
    if depth_m.shape != (depth_intrinsics.height, depth_intrinsics.width):
        raise ValueError(
            f"depth: shape is {depth_m.shape}; its intrinsics are of an image "
            f"{(depth_intrinsics.height, depth_intrinsics.width)}"
        )
    transform = np.eye(4) if color_from_depth is None else np.asarray(color_from_depth, np.float64)
    if transform.shape != (4, 4) or not np.isfinite(transform).all():
        raise ValueError("color_from_depth: must be a finite 4 x 4 matrix")

    rows, columns = np.nonzero(np.isfinite(depth_m) & (depth_m > 0))
    z = depth_m[rows, columns].astype(np.float64)
    k = depth_intrinsics
    points = np.stack(((columns - k.cx) / k.fx * z, (rows - k.cy) / k.fy * z, z))
    x_c, y_c, z_c = transform[:3, :3] @ points + transform[:3, 3:]
    before = z_c > 0
    x_c, y_c, z_c, z = x_c[before], y_c[before], z_c[before], z[before]

    c = color_intrinsics
    spread = z / z_c
    first_u, last_u = _covered(c.fx * x_c / z_c + c.cx, 0.5 * c.fx / k.fx * spread, c.width)
    first_v, last_v = _covered(c.fy * y_c / z_c + c.cy, 0.5 * c.fy / k.fy * spread, c.height)
    nearest = np.full(c.height * c.width, np.inf)
    for dv in range(_largest(first_v, last_v)):
        for du in range(_largest(first_u, last_u)):
            u, v = first_u + du, first_v + dv
            inside = (u <= last_u) & (v <= last_v)
            inside &= (u >= 0) & (u < c.width) & (v >= 0) & (v < c.height)
            np.minimum.at(nearest, v[inside] * c.width + u[inside], z_c[inside])
    nearest[np.isinf(nearest)] = 0.0
    return nearest.reshape(c.height, c.width).astype(np.float32)


def _covered(
    centre: NDArray[np.float64], half: NDArray[np.float64], size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first and the last pixel (inclusive) whose centres lie in centre -+ half."""
    # Far outside is all the same, and must not overflow an integer.
    centre = np.clip(centre, -2.0 * size, 3.0 * size)
    half = np.minimum(half, MAX_FOOTPRINT_PX / 2)
    nearest = np.rint(centre)
    first = np.minimum(np.ceil(centre - half), nearest)
    last = np.maximum(np.ceil(centre + half) - 1, nearest)
    return first.astype(np.int64), last.astype(np.int64)


def _largest(first: NDArray[np.int64], last: NDArray[np.int64]) -> int:
    return int((last - first).max(initial=-1)) + 1
