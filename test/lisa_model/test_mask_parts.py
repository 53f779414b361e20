"""Boxes of masks, and how masks lie to each other and to the border."""

from __future__ import annotations

import numpy as np
import pytest

from lisa_model.mask_parts import body_box, box_of, cut_off, overlap


def block(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    mask = np.zeros((20, 30), dtype=bool)
    mask[y0:y1, x0:x1] = True
    return mask


def test_the_body_leaves_stray_pixels_out():
    mask = block(5, 5, 15, 10)
    mask[18, 28] = True
    assert box_of(mask) == (5, 5, 29, 19)
    assert body_box(mask) == (5, 5, 15, 10)
    assert body_box(block(5, 5, 9, 9) | block(20, 10, 23, 14)) == (5, 5, 23, 14), "both are large"
    assert box_of(block(0, 0, 0, 0)) == body_box(block(0, 0, 0, 0)) == (0, 0, 0, 0)


def test_only_masks_at_the_border_are_cut_off():
    assert not cut_off(block(1, 1, 29, 19))
    for box in ((0, 5, 4, 9), (26, 5, 30, 9), (5, 0, 9, 4), (5, 16, 9, 20)):
        assert cut_off(block(*box))


def test_overlap_is_the_iou():
    assert overlap(block(0, 0, 10, 10), block(5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert overlap(block(0, 0, 0, 0), block(0, 0, 0, 0)) == 0.0
