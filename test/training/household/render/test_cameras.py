"""Camera geometry: frames, projection, boxes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.household.render.cameras import (
    Box,
    boxes_in_view,
    pinhole,
    project,
    segment_hits_box,
    world_from_optical,
)

CAMERA = pinhole(640, 480, 60)
COORDINATE = st.floats(-3, 3)


def test_pinhole_field_of_view_and_integer_pixel_centres() -> None:
    assert (CAMERA.cx, CAMERA.cy) == (319.5, 239.5)
    # The picture's edges are half a pixel outside the outer pixel centres.
    assert math.degrees(2 * math.atan(320 / CAMERA.fx)) == pytest.approx(60)


@given(st.tuples(COORDINATE, COORDINATE, st.floats(0.2, 2)), st.floats(-0.5, 0.5))
def test_target_projects_to_the_principal_point(
    position: tuple[float, float, float], roll: float
) -> None:
    target = np.array([4.0, 0.0, 0.0])
    pose = world_from_optical(np.array(position), target, roll=roll)
    assert pose[:3, :3].T @ pose[:3, :3] == pytest.approx(np.eye(3), abs=1e-9)
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1)
    u, v, z = project(target[None], pose, CAMERA)[0]
    assert (u, v) == pytest.approx((CAMERA.cx, CAMERA.cy), abs=1e-6)
    assert z == pytest.approx(np.linalg.norm(target - position))


def test_up_is_up_and_right_is_right() -> None:
    pose = world_from_optical(np.array([0.0, -2.0, 1.0]), np.array([0.0, 0.0, 1.0]))
    points = np.array([[0, 0, 1.5], [0.5, 0, 1.0], [0, -4, 1.0]])
    above, right, behind = project(points, pose, CAMERA)
    assert above[1] < CAMERA.cy
    assert right[0] > CAMERA.cx
    assert behind[2] < 0


@pytest.mark.parametrize("target", [(0.0, 0.0, 0.0), (0.0, 0.0, -1.0)])
def test_degenerate_views_are_refused(target: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="camera"):
        world_from_optical(np.zeros(3), np.array(target))


def test_boxes_in_view_leaves_out_those_behind_and_beside() -> None:
    pose = world_from_optical(np.array([0.0, -2.0, 0.0]), np.zeros(3))

    def box(x: float, y: float) -> Box:
        return Box(low=(x - 0.1, y - 0.1, -0.1), high=(x + 0.1, y + 0.1, 0.1))

    assert boxes_in_view([box(0, 0), box(0, -4), box(3, 0)], pose, CAMERA) == 1
    assert boxes_in_view([], pose, CAMERA) == 0


def test_segment_hits_box() -> None:
    box = Box(low=(0, 0, 0), high=(1, 1, 1))
    inside, outside = np.array([0.5, 0.5, 0.5]), np.array([0.5, 0.5, 3.0])
    assert segment_hits_box(outside, inside, box)
    assert segment_hits_box(inside, inside, box)
    assert not segment_hits_box(outside, np.array([0.5, 0.5, 1.2]), box)
    assert segment_hits_box(outside, np.array([0.5, 0.5, 1.2]), box, margin=0.3)
    assert not segment_hits_box(np.array([2.0, 0.5, 0.5]), np.array([2.0, 0.5, -3]), box)
