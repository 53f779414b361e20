"""Tests of lisa_model/geometry.py on scenes whose answer is known exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lisa_model.geometry import (
    REASON_EMPTY_MASK,
    REASON_LOW_FRACTION,
    REASON_TOO_FEW_POINTS,
    Intrinsics,
    NoTarget3D,
    Target3D,
    TargetConfig,
    back_project,
    dominant_mode,
    erode,
    estimate_target,
    valid_depth,
)

H, W = 120, 160
K = Intrinsics(fx=150.0, fy=140.0, cx=79.5, cy=59.5, width=W, height=H)


def box_mask(top: int, bottom: int, left: int, right: int) -> np.ndarray:
    mask = np.zeros((H, W), bool)
    mask[top:bottom, left:right] = True
    return mask


def located(*args: object, **kwargs: object) -> Target3D:
    target = estimate_target(*args, **kwargs)  # type: ignore[arg-type]
    assert isinstance(target, Target3D), target
    return target


def test_back_project_inverts_the_projection():
    depth = np.random.default_rng(0).uniform(0.5, 3.0, (H, W))
    points = back_project(depth, K)
    u = K.fx * points[..., 0] / points[..., 2] + K.cx
    v = K.fy * points[..., 1] / points[..., 2] + K.cy
    rows, columns = np.indices((H, W))
    np.testing.assert_allclose(u, columns, atol=1e-9)
    np.testing.assert_allclose(v, rows, atol=1e-9)
    np.testing.assert_array_equal(points[..., 2], depth)


def test_the_optical_axis_is_forward_right_is_x_down_is_y():
    points = back_project(np.ones((H, W)), K)
    assert points[59, 159, 0] > 0 > points[59, 0, 0]
    assert points[119, 79, 1] > 0 > points[0, 79, 1]


@pytest.mark.parametrize(
    ("field", "value"),
    [("fx", 0.0), ("fy", -1.0), ("cx", math.nan), ("fx", math.inf), ("width", 0), ("height", -3)],
)
def test_intrinsics_name_the_wrong_field(field: str, value: float):
    fields = {"fx": 1.0, "fy": 1.0, "cx": 0.0, "cy": 0.0, "width": 2, "height": 2, field: value}
    with pytest.raises(ValueError, match=field):
        Intrinsics(**fields)  # type: ignore[arg-type]


def test_sizes_have_to_agree():
    with pytest.raises(ValueError, match="depth: shape"):
        estimate_target(box_mask(0, 9, 0, 9), np.ones((H, W - 1)), K)
    with pytest.raises(ValueError, match="mask: shape"):
        estimate_target(np.ones((3, 3), bool), np.ones((H, W)), K)
    with pytest.raises(ValueError, match="mask: dtype"):
        estimate_target(np.ones((H, W), np.uint8), np.ones((H, W)), K)


def test_a_flat_box_is_found_exactly():
    mask = box_mask(40, 61, 60, 101)  # symmetric about row 50, column 80
    target = located(mask, np.full((H, W), 2.0, np.float32), K)
    expected = ((80 - K.cx) / K.fx * 2, (50 - K.cy) / K.fy * 2, 2.0)
    np.testing.assert_allclose(target.point, expected, atol=1e-6)
    assert target.mask_area_px == 21 * 41
    assert target.eroded_area_px == 17 * 37  # two pixels off each side
    assert target.valid_depth_fraction == 1.0
    assert target.depth_points == target.eroded_area_px
    # 37 columns: 36 pixels from first to last, of which 90% lie within 5..95%.
    np.testing.assert_allclose(target.extent[0], 0.9 * 36 / K.fx * 2, rtol=0.05)
    assert target.extent[2] == 0.0


def test_covariance_is_that_of_the_points():
    mask = box_mask(30, 60, 30, 90)
    depth = 1.0 + np.random.default_rng(1).normal(0, 0.004, (H, W))
    target = located(mask, depth, K, TargetConfig(erosion_px=0, outlier_sigma=50.0))
    points = back_project(depth, K)[mask]
    np.testing.assert_allclose(target.covariance, np.cov(points.T), rtol=1e-6)
    assert (np.linalg.eigvalsh(target.covariance) >= 0).all()


def test_a_mask_that_bleeds_onto_the_wall_still_gives_the_object():
    depth = np.full((H, W), 3.0, np.float32)
    depth[40:80, 60:100] = 1.0
    # 40x40 object; the mask reaches 6 pixels too far, so a good part of it is wall.
    target = located(box_mask(34, 86, 54, 106), depth, K)
    assert target.point[2] == pytest.approx(1.0)
    assert target.depth_points == 40 * 40


def test_flying_pixels_between_object_and_wall_do_not_join_them():
    rng = np.random.default_rng(2)
    depth = np.full((H, W), 2.0)
    depth[40:80, 60:100] = 1.0
    rim = box_mask(38, 82, 58, 102) & ~box_mask(40, 80, 60, 100)
    depth[rim] = rng.uniform(1.0, 2.0, rim.sum())
    depth += rng.normal(0, 0.003, depth.shape)
    target = located(box_mask(36, 84, 56, 104), depth, K)
    assert target.point[2] == pytest.approx(1.0, abs=0.003)


def test_an_object_that_recedes_is_not_cut_to_its_densest_part():
    depth = np.broadcast_to(np.linspace(1.0, 3.0, W), (H, W)).astype(np.float32)
    mask = box_mask(50, 60, 20, 140)
    target = located(mask, depth, K)
    truth = np.median(back_project(depth, K)[mask], axis=0)
    np.testing.assert_allclose(target.point, truth, atol=0.03)


@pytest.mark.parametrize("bad", [0.0, math.nan, math.inf, -math.inf, -1.0, 50.0, 0.01])
def test_invalid_depths_are_left_out(bad: float):
    depth = np.full((H, W), 1.5, np.float32)
    depth[:, ::2] = bad
    target = located(box_mask(40, 80, 60, 100), depth, K)
    assert target.point[2] == pytest.approx(1.5)
    assert target.valid_depth_fraction == pytest.approx(0.5)
    assert np.isfinite(target.covariance).all()


def test_salt_noise_moves_nothing():
    rng = np.random.default_rng(3)
    depth = np.full((H, W), 1.2)
    clean = located(box_mask(40, 80, 60, 100), depth, K).point
    noisy = np.where(rng.random((H, W)) < 0.2, rng.uniform(0.2, 9.0, (H, W)), depth)
    target = located(box_mask(40, 80, 60, 100), noisy, K)
    # Missing pixels shift the median sideways by less than a pixel; depth does not move.
    np.testing.assert_allclose(target.point[:2], clean[:2], atol=1.2 / K.fy)
    assert target.point[2] == pytest.approx(1.2, abs=1e-6)


def test_too_little_depth_gives_a_reason_and_no_point():
    mask = box_mask(40, 80, 60, 100)
    nothing = estimate_target(np.zeros((H, W), bool), np.ones((H, W)), K)
    assert isinstance(nothing, NoTarget3D)
    assert nothing.reason == REASON_EMPTY_MASK

    none = estimate_target(mask, np.zeros((H, W)), K)
    assert isinstance(none, NoTarget3D)
    assert none.reason == REASON_TOO_FEW_POINTS
    assert none.mask_area_px == 1600
    assert "0 of 1296" in none.text

    sparse = np.zeros((H, W))
    sparse[44:49, 64:70] = 1.0
    few = estimate_target(mask, sparse, K)
    assert isinstance(few, NoTarget3D)
    assert few.reason == REASON_LOW_FRACTION
    assert few.valid_depth_fraction == pytest.approx(30 / 1296)


def test_depths_that_agree_on_nothing_give_no_point():
    mask = box_mask(0, 5, 0, 6)
    depth = np.zeros((H, W))
    depth[mask] = np.linspace(0.5, 9.5, 30)  # 30 pixels, each 0.3 m from the next
    result = estimate_target(mask, depth, K, TargetConfig(erosion_px=0))
    assert isinstance(result, NoTarget3D)
    assert result.reason == REASON_TOO_FEW_POINTS
    assert "agree on one surface" in result.text


def test_a_small_mask_does_not_vanish():
    mask = box_mask(50, 54, 70, 76)  # 4x6: two erosions would leave nothing
    target = located(mask, np.ones((H, W)), K)
    assert target.eroded_area_px == 24
    line = box_mask(20, 100, 80, 81)
    assert erode(line, 5, 0.35).sum() == 80


def test_the_image_border_does_not_erode():
    mask = box_mask(0, 20, 0, 30)
    np.testing.assert_array_equal(erode(mask, 2, 0.1), box_mask(0, 18, 0, 28))
    assert located(mask, np.ones((H, W)), K).eroded_area_px == 18 * 28


def test_dominant_mode_takes_the_run_with_most_depths_not_the_highest_bin():
    depths = np.concatenate([np.full(50, 1.0), np.linspace(2.0, 2.5, 200)])
    assert (depths[dominant_mode(depths, TargetConfig())] >= 2.0).all()


def test_valid_depth_is_inclusive():
    depth = np.array([0.1, 0.0999, 10.0, 10.01, 0.0, math.nan, math.inf])
    assert valid_depth(depth, 0.1, 10.0).tolist() == [True, False, True, *[False] * 4]
    assert not valid_depth(np.zeros(1), 0.0, 1.0)[0]


@pytest.mark.parametrize(
    "fields",
    [
        {"min_depth_m": 2.0, "max_depth_m": 1.0},
        {"max_depth_m": math.inf},
        {"min_depth_m": math.nan},
        {"erosion_px": -1},
        {"min_depth_points": 0},
        {"depth_bin_m": 0.0},
    ],
)
def test_config_is_checked(fields: dict[str, float]):
    with pytest.raises(ValueError, match=next(iter(fields))):
        TargetConfig(**fields)  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    scale=st.floats(0.001, 20.0),
    invalid=st.floats(0.0, 1.0),
    density=st.floats(0.0, 1.0),
)
def test_whatever_comes_in_the_answer_is_finite_or_a_reason(
    seed: int, scale: float, invalid: float, density: float
):
    rng = np.random.default_rng(seed)
    depth = rng.uniform(0, scale, (H, W)).astype(np.float32)
    depth[rng.random((H, W)) < invalid] = rng.choice([0.0, math.nan, math.inf])
    mask = rng.random((H, W)) < density
    result = estimate_target(mask, depth, K)
    if isinstance(result, NoTarget3D):
        assert result.reason
        assert result.text
        return
    assert np.isfinite(result.point).all()
    assert np.isfinite(result.covariance).all()
    assert (result.extent >= 0).all()
    assert 0.1 <= result.point[2] <= 10.0
    assert 0.1 <= result.valid_depth_fraction <= 1.0
