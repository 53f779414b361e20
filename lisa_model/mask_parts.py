"""Boxes of masks, and how masks lie to each other and to the image's border. Pure."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lisa_model.overlay import mask_box

Box = tuple[float, float, float, float]
# Parts of a mask that are smaller than this share of its largest part are strays.
LARGE_PART = 0.25


def box_of(mask: NDArray[np.bool_]) -> Box:
    """x0, y0, x1, y1 of a mask (the last two exclusive); all 0 for an empty one."""
    left, top, width, height = mask_box(mask)
    return (left, top, left + width, top + height)


def body_box(mask: NDArray[np.bool_]) -> Box:
    """Box of a mask's large parts; all 0 for an empty one.

    A few stray pixels far off would make the next region large, and its mask worse.
    """
    parts, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if parts <= 2:
        return box_of(mask)
    areas = stats[1:, cv2.CC_STAT_AREA]
    large = 1 + np.flatnonzero(areas >= LARGE_PART * areas.max())
    return box_of(np.isin(labels, large))


def cut_off(mask: NDArray[np.bool_]) -> bool:
    """Does a mask reach the image's border?"""
    return bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())


def overlap(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """IoU of two masks; 0 for two empty ones."""
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 0.0
