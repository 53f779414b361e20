from __future__ import annotations

import numpy as np

from lisa_model.overlay import draw_masks, mask_box


def test_the_box_of_a_mask_holds_it_and_nothing_more():
    mask = np.zeros((8, 10), bool)
    mask[2:5, 3:9] = True
    mask[6, 4] = True
    assert mask_box(mask) == (3, 2, 6, 5)


def test_the_box_of_an_empty_mask_is_empty():
    assert mask_box(np.zeros((4, 5), bool)) == (0, 0, 0, 0)


def test_only_the_copy_is_drawn_on_and_only_near_the_mask():
    image = np.full((60, 80, 3), 100, np.uint8)
    mask = np.zeros((1, 60, 80), bool)
    mask[0, 20:30, 30:40] = True
    drawn = draw_masks(image, mask)
    assert (image == 100).all()
    changed = (drawn != image).any(axis=2)
    assert changed[mask[0]].all()
    assert not changed[:14].any()
    assert not changed[:, 46:].any()


def test_a_caption_outside_ascii_is_written():
    image = np.zeros((60, 200, 3), np.uint8)
    drawn = draw_masks(image, np.zeros((0, 60, 200), bool), caption="tür öffnen")
    assert drawn.any()
