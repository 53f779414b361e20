"""Rectified images against points projected through the lens."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lisa_model.geometry import Intrinsics
from lisa_model.rectification import LensModel, rectify_color, rectify_depth

K = Intrinsics(fx=180.0, fy=182.0, cx=98.0, cy=73.0, width=200, height=150)
PLUMB_BOB = LensModel(K, "plumb_bob", (-0.25, 0.08, 0.002, -0.003, 0.01))
RATIONAL = LensModel(K, "rational_polynomial", (0.4, -0.3, 0.001, -0.002, 0.05, 0.6, -0.25, 0.02))
MATRIX = np.array([[K.fx, 0, K.cx], [0, K.fy, K.cy], [0, 0, 1]])


def distorted_place(lens: LensModel, u: float, v: float) -> tuple[float, float]:
    """Return where a point that a perfect lens would show at (u, v) is, by the models' formula."""
    k1, k2, p1, p2, k3, *rest = lens.coefficients
    k4, k5, k6 = rest or (0.0, 0.0, 0.0)
    x, y = (u - K.cx) / K.fx, (v - K.cy) / K.fy
    r2 = x * x + y * y
    radial = (1 + k1 * r2 + k2 * r2**2 + k3 * r2**3) / (1 + k4 * r2 + k5 * r2**2 + k6 * r2**3)
    x_d = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
    y_d = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
    return K.fx * x_d + K.cx, K.fy * y_d + K.cy


@pytest.mark.parametrize("lens", [PLUMB_BOB, RATIONAL], ids=lambda one: one.distortion_model)
def test_a_smooth_image_is_straightened(lens):
    """The raw image shows its own coordinates, so the rectified one shows where it took them."""
    rows, columns = np.indices((150, 200))
    raw = np.stack([columns, rows, np.zeros_like(rows)], axis=-1).astype(np.uint8)
    rectified = rectify_color(raw, lens)
    moved = 0.0
    for u, v in ((20, 20), (98, 73), (150, 40), (60, 120)):
        expected = distorted_place(lens, u, v)
        moved = max(moved, abs(expected[0] - u), abs(expected[1] - v))
        assert rectified[v, u, 0] == pytest.approx(expected[0], abs=0.6)
        assert rectified[v, u, 1] == pytest.approx(expected[1], abs=0.6)
    assert moved > 2  # the lens is one that shows


def test_depth_is_taken_and_not_mixed():
    depth = np.full((150, 200), 3000, np.uint16)
    depth[40:100, 60:120] = 900
    rectified = rectify_depth(depth, PLUMB_BOB)
    assert rectified.dtype == np.uint16
    assert set(np.unique(rectified).tolist()) <= {0, 900, 3000}
    u, v = 60, 70
    expected = distorted_place(PLUMB_BOB, u, v)
    assert rectified[v, u] == depth[round(expected[1]), round(expected[0])]
    metres = np.where(depth == 900, np.nan, 3.0).astype(np.float32)
    np.testing.assert_array_equal(np.isnan(rectify_depth(metres, PLUMB_BOB)), rectified == 900)


def test_it_is_opencvs_undistort():
    raw = np.random.default_rng(0).integers(0, 256, (150, 200, 3), dtype=np.uint8)
    for lens in (PLUMB_BOB, RATIONAL):
        theirs = cv2.undistort(raw, MATRIX, np.array(lens.coefficients))
        ours = rectify_color(raw, lens)
        assert np.abs(ours.astype(int) - theirs).mean() < 0.5


def test_pixels_outside_are_zero():
    pincushion = LensModel(K, "plumb_bob", (0.5, 0.0, 0.0, 0.0))
    raw = np.full((150, 200), 255, np.uint8)
    assert rectify_color(raw, pincushion)[0, 0] == 0
    assert rectify_depth(np.full((150, 200), 1.0, np.float32), pincushion)[0, 0] == 0


def test_without_distortion_nothing_is_done():
    raw = np.zeros((150, 200, 3), np.uint8)
    assert rectify_color(raw, LensModel(K)) is raw
    assert not LensModel(K, "plumb_bob", (1e-9, 0, 0, 0, 0)).distorted
    assert PLUMB_BOB.distorted


def test_maps_are_made_once(monkeypatch):
    raw = np.zeros((150, 200, 3), np.uint8)
    rectify_color(raw, PLUMB_BOB)
    monkeypatch.setattr(cv2, "initUndistortRectifyMap", lambda *_: pytest.fail("made again"))
    rectify_depth(raw[..., 0], LensModel(K, "plumb_bob", PLUMB_BOB.coefficients))


@pytest.mark.parametrize(
    ("model", "coefficients", "message"),
    [
        ("equidistant", (0.1,) * 4, "distortion_model is 'equidistant'"),
        ("", (), "distortion_model"),
        ("plumb_bob", (0.1,) * 3, "4 or 5, not 3"),
        ("rational_polynomial", (0.1,) * 5, "8, not 5"),
        ("plumb_bob", (float("nan"), 0, 0, 0), "finite"),
    ],
)
def test_unusable_models_are_named(model, coefficients, message):
    with pytest.raises(ValueError, match=message):
        LensModel(K, model, coefficients)


def test_another_size_is_refused():
    for rectify in (rectify_color, rectify_depth):
        with pytest.raises(ValueError, match="shape"):
            rectify(np.zeros((10, 10), np.uint8), PLUMB_BOB)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=8, max_size=8))
def test_any_coefficients_give_an_image_of_the_same_kind(coefficients):
    lens = LensModel(K, "rational_polynomial", tuple(coefficients))
    raw = np.full((150, 200, 3), 7, np.uint8)
    assert set(np.unique(rectify_color(raw, lens)).tolist()) <= set(range(8))
    depth = rectify_depth(np.full((150, 200), 5, np.uint16), lens)
    assert set(np.unique(depth).tolist()) <= {0, 5}
