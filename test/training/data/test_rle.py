"""Masks of COCO annotations against the reference implementation's (pycocotools 2.0)."""

from __future__ import annotations

import numpy as np
import pytest

from training.data.rle import (
    counts_of_text,
    mask_of_counts,
    mask_of_polygon,
    segmentation_masks,
)

# height, width, corners, and pycocotools' compressed run lengths and area of them. With corners
# outside the image, repeated corners, outlines that cross themselves, and fractions of pixels.
REFERENCE = [
    (27, 18, [24.0, 10.0, 4.0, 8.0, 39.0, 39.0, 28.0, 8.0], "_41j01O1O100O1O1O001O1O1O1O1F", 76),
    (
        34,
        9,
        [
            *(6.721, 13.561, 31.838, 3.966, 30.665, 27.751),
            *(-0.738, 28.398, -0.441, 1.24, 24.699, 6.929),
        ],
        "1k08O0000001O000000M",
        231,
    ),
    (
        17,
        8,
        [35.921, 32.518, 28.599, -3.342, 39.818, 12.215, -2.055, -3.913],
        "c11`01O1O1O1O",
        15,
    ),
    (
        12,
        23,
        [12.9, 34.2, 12.9, 34.2, 21.2, 3.0, 37.9, 25.6, 17.3, 33.6, 5.6, 10.6, 29.2, 14.3],
        "c21;0000000n22mL3M32N",
        30,
    ),
    (
        26,
        11,
        [15.0, 40.0, 36.0, 33.0, 36.0, 0.0, 29.0, 17.0, 15.0, 26.0, 4.0, 4.0],
        "]31k01O1O1O2N1O1\\O",
        31,
    ),
    (
        20,
        24,
        [-3.3, -0.7, 15.1, 21.2, 21.9, 21.8, 33.7, 38.2, 44.6, 1.3, 41.4, 19.0],
        "13a0100O100O2O0O1O100O2O0O100O10O00001O001O001O00",
        216,
    ),
    (30, 40, [5.5, 5.5, 12.25, 6.75, 9.1, 20.3], "j53k04L4L2NK6KUj0", 45),
]


@pytest.mark.parametrize(("height", "width", "corners", "text", "area"), REFERENCE)
def test_polygons_and_compressed_text_agree_with_the_reference(height, width, corners, text, area):
    expected = mask_of_counts(counts_of_text(text), height, width)
    assert expected.shape == (height, width)
    assert expected.sum() == area
    np.testing.assert_array_equal(mask_of_polygon(corners, height, width), expected)


def test_runs_go_down_the_columns_and_begin_with_background():
    mask = mask_of_counts([1, 2, 3], 3, 2)
    np.testing.assert_array_equal(mask, [[0, 0], [1, 0], [1, 0]])


def test_a_rectangle_covers_its_pixels():
    mask = mask_of_polygon([2, 1, 5, 1, 5, 4, 2, 4], 6, 7)
    expected = np.zeros((6, 7), np.uint8)
    expected[1:4, 2:5] = 1
    np.testing.assert_array_equal(mask, expected)


def test_parts_stay_apart():
    parts = [[0, 0, 2, 0, 2, 2, 0, 2], {"size": [3, 3], "counts": [6, 3]}, [1, 1, 2, 2]]
    masks = segmentation_masks(parts, 3, 3)
    assert masks.sum(axis=(1, 2)).tolist() == [4, 3, 0]  # a line has no inside
    assert masks[1, :, 2].all()
    compressed = {"size": [27, 18], "counts": REFERENCE[0][3].encode()}
    assert segmentation_masks(compressed, 27, 18).sum() == 76
    assert segmentation_masks([], 3, 3).shape == (0, 3, 3)


@pytest.mark.parametrize(
    ("segmentation", "said"),
    [
        ({"size": [3, 3], "counts": [6, 4]}, "add up to 10"),
        ({"size": [3, 3], "counts": [12, -3]}, "add up to 9"),
        ({"size": [9, 9], "counts": [81]}, "size"),
        ({"size": [3, 3], "counts": "\x7f"}, "character"),
        ({"size": [3, 3], "counts": "P"}, "within a number"),
        ([[1.0, 2.0, 3.0]], "pairs"),
        ([[1, 2, 3, 4, float("nan"), 6]], "finite"),
        ("oops", "str"),
    ],
)
def test_what_is_no_mask_is_refused(segmentation, said):
    with pytest.raises((ValueError, TypeError), match=said):
        segmentation_masks(segmentation, 3, 3)
