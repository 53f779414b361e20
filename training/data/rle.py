"""Masks of COCO annotations: run lengths (plain and compressed) and polygons.

Format: the public COCO mask API (cocodataset.org). Masks are run-length encoded column by column,
background first. The compressed text writes every count, from the third on as the difference to
the count two before, in groups of five bits: characters from "0" (48), bit 5 set when more groups
follow, sign in the last group's bit 4.

Polygons follow that API's rule too, so that masks agree with it pixel by pixel: corners on a grid
five times as fine, edges walked in steps of the longer axis, a column's boundary where the walk
crosses the column's middle.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FINE = 5  # grid points per pixel


def counts_of_text(text: str | bytes) -> list[int]:
    """Run lengths of COCO's compressed text.

    Raises:
        ValueError: a character is outside the alphabet, or the text ends within a number.
    """
    raw = text.encode("ascii", "replace") if isinstance(text, str) else text
    counts: list[int] = []
    value, shift = 0, 0
    for byte in raw:
        group = byte - 48
        if not 0 <= group < 64:
            raise ValueError(f"compressed run lengths hold the character {chr(byte)!r}")
        value |= (group & 31) << shift
        shift += 5
        if group & 32:
            continue
        if group & 16:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value, shift = 0, 0
    if shift:
        raise ValueError("compressed run lengths end within a number")
    return counts


def mask_of_counts(counts: Sequence[int], height: int, width: int) -> NDArray[np.uint8]:
    """(height, width) mask of run lengths.

    Raises:
        ValueError: the runs are not those of such a mask.
    """
    lengths = np.asarray(counts, dtype=np.int64)
    if lengths.ndim != 1 or (lengths < 0).any() or int(lengths.sum()) != height * width:
        raise ValueError(
            f"run lengths add up to {int(lengths.sum())} pixels, the mask has {height * width}"
        )
    values = np.arange(len(lengths)) % 2
    flat = np.repeat(values.astype(np.uint8), lengths)
    return np.ascontiguousarray(flat.reshape(width, height).T)


def mask_of_polygon(corners: Sequence[float], height: int, width: int) -> NDArray[np.uint8]:
    """(height, width) mask of one closed polygon, as COCO's API draws it.

    Args:
        corners: x0, y0, x1, y1, ... in pixels, from the outer corner of the first pixel.

    Raises:
        ValueError: an odd number of values, or one that is not finite.
    """
    points = np.asarray(corners, dtype=np.float64)
    if points.ndim != 1 or points.size % 2 or not np.isfinite(points).all():
        raise ValueError(f"a polygon of {points.size} values: needs pairs of finite x, y")
    if points.size < 6:  # a point or a line has no inside
        return np.zeros((height, width), np.uint8)
    # Truncation, not rounding down, as C converts to int.
    fine = (_FINE * points.reshape(-1, 2) + 0.5).astype(np.int64)
    x, y = _outline(fine)
    step = np.flatnonzero(np.diff(x))
    left = np.minimum(x[step], x[step + 1]).astype(np.float64)
    column = (left + 0.5) / _FINE - 0.5
    row = (np.minimum(y[step], y[step + 1]) + 0.5) / _FINE - 0.5
    inside = (column == np.floor(column)) & (column >= 0) & (column <= width - 1)
    column = column[inside].astype(np.int64)
    row = np.ceil(np.clip(row[inside], 0, height)).astype(np.int64)
    # Every crossing switches between outside and inside, from its row on down the columns.
    switches = np.bincount(column * height + row, minlength=height * width + 1)
    flat = (np.cumsum(switches)[: height * width] % 2).astype(np.uint8)
    return np.ascontiguousarray(flat.reshape(width, height).T)


def _outline(fine: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All grid points (x, y) along the closed outline, in order."""
    xs, ys = [], []
    for start, end in zip(fine, np.roll(fine, -1, axis=0), strict=True):
        dx, dy = abs(int(end[0] - start[0])), abs(int(end[1] - start[1]))
        main, other = (0, 1) if dx >= dy else (1, 0)
        length = max(dx, dy)
        # Interpolation always runs in the direction of growth: rounding then does not depend on
        # the direction in which the outline is walked.
        backward = start[main] > end[main]
        low, high = (end, start) if backward else (start, end)
        slope = (high[other] - low[other]) / length if length else 0.0
        along = np.arange(length + 1)
        if backward:
            along = along[::-1]
        across = (low[other] + slope * along + 0.5).astype(np.int64)
        pair = (along + low[main], across)
        xs.append(pair[main])
        ys.append(pair[other])
    return np.concatenate(xs), np.concatenate(ys)


def segmentation_masks(segmentation: Any, height: int, width: int) -> NDArray[np.uint8]:
    """The parts of an annotation's ``segmentation``, each as a mask.

    Args:
        segmentation: a list of polygons, one run-length object {size, counts}, or a list of such
            objects (refCLEF has it so).

    Returns:
        (n, height, width) uint8 of 0 and 1; n is 0 for an empty list.

    Raises:
        ValueError, KeyError, TypeError: it is none of these, or does not fit the image.
    """
    parts = [segmentation] if isinstance(segmentation, dict) else segmentation
    if not isinstance(parts, list):
        raise TypeError(f"segmentation is {type(segmentation).__name__}, not a list or an object")
    masks = [
        _of_object(part, height, width)
        if isinstance(part, dict)
        else mask_of_polygon(part, height, width)
        for part in parts
    ]
    return np.stack(masks) if masks else np.zeros((0, height, width), np.uint8)


def _of_object(part: dict[str, Any], height: int, width: int) -> NDArray[np.uint8]:
    if [int(side) for side in part["size"]] != [height, width]:
        raise ValueError(f"run lengths of size {part['size']}, the image has {[height, width]}")
    counts = part["counts"]
    if isinstance(counts, str | bytes):
        counts = counts_of_text(counts)
    return mask_of_counts(counts, height, width)
