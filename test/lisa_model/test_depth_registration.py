"""Depth seen from the colour camera, against planes whose depth can be computed."""

from __future__ import annotations

import numpy as np
import pytest

from lisa_model.depth_registration import register_depth
from lisa_model.geometry import Intrinsics, back_project

DEPTH_K = Intrinsics(fx=90.0, fy=92.0, cx=47.0, cy=35.5, width=96, height=72)
COLOR_K = Intrinsics(fx=184.0, fy=180.0, cx=98.0, cy=73.0, width=200, height=150)
# Depth camera 5 cm to the right of the colour camera, 2 cm lower, 1 cm ahead, turned by 3 degrees.
ANGLE = np.radians(3.0)
COLOR_FROM_DEPTH = np.array(
    [
        [np.cos(ANGLE), 0, np.sin(ANGLE), 0.05],
        [0, 1, 0, 0.02],
        [-np.sin(ANGLE), 0, np.cos(ANGLE), 0.01],
        [0, 0, 0, 1],
    ]
)


def ray_plane(k: Intrinsics, normal: np.ndarray, offset: float) -> np.ndarray:
    """Return the planar depth of the plane normal . p = offset at each pixel, (H, W)."""
    rays = back_project(np.ones((k.height, k.width)), k)
    return offset / (rays @ normal)


def moved_plane(normal: np.ndarray, offset: float) -> tuple[np.ndarray, float]:
    """Return a plane of the depth camera's frame in the colour camera's."""
    turned = COLOR_FROM_DEPTH[:3, :3] @ normal
    return turned, offset + float(turned @ COLOR_FROM_DEPTH[:3, 3])


def test_one_camera_changes_nothing():
    depth = np.random.default_rng(0).uniform(0.5, 5, (72, 96)).astype(np.float32)
    depth[3, 4] = 0
    for invalid in (np.nan, np.inf, -1.0):
        depth[5, 6] = invalid
        expected = np.where(np.isfinite(depth) & (depth > 0), depth, 0)
        np.testing.assert_array_equal(register_depth(depth, DEPTH_K, DEPTH_K), expected)


@pytest.mark.parametrize("normal", [(0.0, 0.0, 1.0), (0.2, -0.1, 0.95)])
def test_a_plane_is_where_it_has_to_be(normal):
    normal = np.array(normal) / np.linalg.norm(normal)
    depth = ray_plane(DEPTH_K, normal, 2.0)
    registered = register_depth(depth, DEPTH_K, COLOR_K, COLOR_FROM_DEPTH)
    truth = ray_plane(COLOR_K, *moved_plane(normal, 2.0))
    seen = registered > 0
    assert registered.dtype == np.float32
    # Each depth pixel is a square that faces the camera: off by half a pixel's slope at most.
    slope = max(np.abs(np.diff(truth, axis=0)).max(), np.abs(np.diff(truth, axis=1)).max())
    assert np.abs(registered - truth)[seen].max() < 1.5 * slope + 1e-3
    # Hardly a hole within what both cameras see, though colour has four times the pixels.
    rows, columns = np.nonzero(seen)
    inner = seen[rows.min() + 4 : rows.max() - 4, columns.min() + 4 : columns.max() - 4]
    assert inner.size > 15_000
    assert inner.mean() > (0.9999 if normal[0] == 0 else 0.985)  # tilt opens a few cracks


def test_the_nearest_surface_wins():
    depth = np.full((72, 96), 3.0)
    depth[20:50, 30:60] = 1.0
    registered = register_depth(depth, DEPTH_K, COLOR_K, COLOR_FROM_DEPTH)
    points = back_project(depth, DEPTH_K)[25:45, 35:55].reshape(-1, 3)
    points = points @ COLOR_FROM_DEPTH[:3, :3].T + COLOR_FROM_DEPTH[:3, 3]
    u = np.rint(COLOR_K.fx * points[:, 0] / points[:, 2] + COLOR_K.cx).astype(int)
    v = np.rint(COLOR_K.fy * points[:, 1] / points[:, 2] + COLOR_K.cy).astype(int)
    # The box covers its pixels whole, also where the wall behind it lands on them.
    np.testing.assert_allclose(registered[v, u], points[:, 2], atol=0.03)
    assert {round(float(value)) for value in np.unique(registered)} <= {0, 1, 3}


def test_only_one_pixel_lands_where_one_is_seen():
    depth = np.zeros((72, 96))
    depth[30, 40] = 1.5
    registered = register_depth(depth, DEPTH_K, DEPTH_K)
    assert np.argwhere(registered).tolist() == [[30, 40]]
    smaller = Intrinsics(fx=9.0, fy=9.2, cx=4.25, cy=3.1, width=10, height=8)
    assert np.count_nonzero(register_depth(depth, DEPTH_K, smaller)) == 1


def test_what_is_behind_or_beside_the_colour_camera_is_left_out():
    depth = np.full((72, 96), 1.0)
    behind = np.eye(4)
    behind[2, 3] = -2.0
    assert not register_depth(depth, DEPTH_K, COLOR_K, behind).any()
    beside = np.eye(4)
    beside[0, 3] = 1e12
    assert not register_depth(depth, DEPTH_K, COLOR_K, beside).any()
    assert not register_depth(np.zeros((72, 96)), DEPTH_K, COLOR_K).any()


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="depth: shape"):
        register_depth(np.ones((3, 3)), DEPTH_K, COLOR_K)
    for wrong in (np.eye(3), np.full((4, 4), np.nan)):
        with pytest.raises(ValueError, match="color_from_depth"):
            register_depth(np.ones((72, 96)), DEPTH_K, COLOR_K, wrong)
