"""Normals of rendered surfaces, and targets in another frame."""

from __future__ import annotations

import numpy as np
import pytest
from depth_scenes import (
    CAMERA,
    angle_between,
    box_depth,
    cylinder_depth,
    noisy,
    plane_depth,
    rotation,
)

from lisa_model.geometry import Surface, Target3D, estimate_target
from lisa_model.rigid import RigidTransform
from lisa_model.target_shape import (
    MIN_NORMAL_POINTS,
    describe_shape,
    move_target,
    surface_normal,
)

CENTRE = np.array([0.02, 0.04, 0.8])


def located(depth: np.ndarray, mask: np.ndarray | None = None) -> Target3D:
    target = estimate_target(depth > 0 if mask is None else mask, depth, CAMERA)
    assert isinstance(target, Target3D)
    return target


def patch_of_plane() -> np.ndarray:
    mask = np.zeros((CAMERA.height, CAMERA.width), bool)
    mask[90:170, 130:210] = True
    return mask


@pytest.mark.parametrize("tilt", [0, 30, 60])
@pytest.mark.parametrize("sigma", [0.0, 0.002])
def test_the_normal_of_a_plane_faces_the_camera(tilt: float, sigma: float):
    normal = rotation((1, 0.5, 0), tilt) @ (0, 0, -1)
    target = located(noisy(plane_depth(CENTRE, normal), sigma), patch_of_plane())
    found = describe_shape(target).normal
    assert found is not None
    assert angle_between(found.direction, normal) < (0.01 if sigma == 0 else 4.0)
    assert found.direction @ normal > 0
    assert found.direction @ found.anchor < 0, "towards the camera"
    assert np.linalg.norm(found.direction) == pytest.approx(1)
    assert found.points >= MIN_NORMAL_POINTS
    # Noise along the ray is noise along the normal times the cosine between them.
    assert found.rms_m <= 1.2 * sigma + 1e-6
    assert found.rms_m >= 0.5 * sigma * np.cos(np.radians(tilt))


def test_outliers_in_the_patch_do_not_turn_the_normal():
    normal = rotation((1, 0, 0), 25) @ (0, 0, -1)
    depth = noisy(plane_depth(CENTRE, normal), 0.0005)
    rng = np.random.default_rng(5)
    stray = rng.random(depth.shape) < 0.25
    depth[stray] += rng.uniform(0.004, 0.012, stray.sum())
    found = describe_shape(located(depth, patch_of_plane())).normal
    assert found is not None
    assert angle_between(found.direction, normal) < 2.0
    assert found.rms_m > 0.002, "flatness counts the strays"


def test_the_front_of_a_cylinder_and_its_flatness():
    axis = np.array([0, 1.0, 0])
    flat = describe_shape(located(plane_depth(CENTRE, np.array([0, 0, -1.0])), patch_of_plane()))
    round_ = describe_shape(located(cylinder_depth(CENTRE, axis, 0.03, 0.2)))
    assert flat.normal is not None
    assert round_.normal is not None
    towards = -CENTRE + (CENTRE @ axis) * axis
    assert angle_between(round_.normal.direction, towards) < 6.0
    assert flat.normal.rms_m < 1e-6 < 5e-4 < round_.normal.rms_m


def test_few_points_or_a_line_have_no_normal():
    def surface(points: np.ndarray) -> Surface:
        none = np.zeros(len(points), np.int64)
        return Surface(points=points, rows=none, columns=none, pixel_m=0.002)

    rng = np.random.default_rng(0)
    few = rng.uniform(-0.005, 0.005, (MIN_NORMAL_POINTS - 1, 3)) * (1, 1, 0) + (0, 0, 1)
    assert surface_normal(surface(few), few[0]) is None
    line = np.linspace(-0.01, 0.01, 40)[:, None] * (1, 1, 0) + (0, 0, 1)
    assert surface_normal(surface(line), line[20]) is None
    assert surface_normal(surface(np.ones((40, 3))), np.ones(3)) is None


def test_without_a_surface_there_is_no_shape():
    bare = Target3D(np.ones(3), np.eye(3), np.ones(3), 1.0, 20, 20, 20)
    shape = describe_shape(bare)
    assert shape.box is None
    assert shape.normal is None
    moved = move_target(
        bare, RigidTransform(rotation=rotation((0, 0, 1), 45), translation=np.ones(3))
    )
    np.testing.assert_allclose(moved.extent, (2**0.5, 2**0.5, 1))


def test_the_surface_is_the_whole_mask_without_what_bleeds_into_it():
    depth = np.full((CAMERA.height, CAMERA.width), 2.0)
    depth[90:170, 130:210] = 0.8
    wide = np.zeros(depth.shape, bool)
    wide[86:174, 126:214] = True  # four pixels of wall around
    target = located(depth, wide)
    assert target.surface is not None
    assert len(target.surface.points) == 80 * 80
    assert set(zip(target.surface.rows, target.surface.columns, strict=True)) == {
        (row, column) for row in range(90, 170) for column in range(130, 210)
    }
    box = describe_shape(target).box
    assert box is not None
    np.testing.assert_allclose(box.size[:2], 80 / 320 * 0.8, atol=0.008)


def test_a_target_in_another_frame_is_the_target_of_moved_points():
    axes = rotation((1, 0.3, 0), 35) @ rotation((0, 1, 0), 30)
    target = located(noisy(box_depth(CENTRE, axes, np.array([0.3, 0.2, 0.12])), 0.001))
    shape = describe_shape(target)
    transform = RigidTransform(
        rotation=rotation((1, -2, 3), 110), translation=np.array([2.0, 1, 0])
    )
    moved, moved_shape = move_target(target, transform), shape.moved(transform)
    assert target.surface is not None
    assert moved.surface is not None
    assert shape.box is not None
    assert shape.normal is not None
    assert moved_shape.box is not None
    assert moved_shape.normal is not None
    np.testing.assert_allclose(moved.point, transform.points(target.point))
    np.testing.assert_allclose(moved.surface.points, transform.points(target.surface.points))
    low, high = np.percentile(moved.surface.points, (5, 95), axis=0)
    np.testing.assert_allclose(moved.extent, high - low)
    np.testing.assert_allclose(
        np.linalg.eigvalsh(moved.covariance), np.linalg.eigvalsh(target.covariance), atol=1e-12
    )
    assert moved.point_sigma_m == target.point_sigma_m
    np.testing.assert_allclose(
        moved_shape.box.corners(), transform.points(shape.box.corners()), atol=1e-12
    )
    np.testing.assert_allclose(
        moved_shape.normal.direction, transform.rotation @ shape.normal.direction
    )
    np.testing.assert_allclose(moved_shape.normal.anchor, transform.points(shape.normal.anchor))


def test_the_points_error_is_what_repetition_shows():
    normal = rotation((0, 1, 0), 40) @ (0, 0, -1)
    clean, mask = plane_depth(CENTRE, normal), patch_of_plane()
    rng = np.random.default_rng(7)
    points, claimed = [], []
    for seed in range(60):
        depth = noisy(clean, 0.003, seed)
        depth[rng.random(depth.shape) < 0.8] = 0.0  # sparse: each pixel is drawn by itself
        target = located(depth, mask)
        points.append(target.point)
        claimed.append(target.point_sigma_m)
    seen = np.linalg.norm(np.std(points, axis=0))
    assert np.mean(claimed) == pytest.approx(seen, rel=0.25)
