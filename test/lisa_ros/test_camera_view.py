from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisa_ros.camera_view import CameraView, parse_depth_to_colour

IDENTITY = "1 0 0 0  0 1 0 0  0 0 1 0  0 0 0 1"


def transform_of(text: str) -> np.ndarray:
    return CameraView(colour_from_depth=parse_depth_to_colour(text)).transform


def test_empty_means_registered():
    for text in ("", "  ", "[]"):
        assert parse_depth_to_colour(text) is None
    assert CameraView().registered
    np.testing.assert_array_equal(CameraView().transform, np.eye(4))


def test_matrix_and_pose_say_the_same():
    half = math.sqrt(0.5)
    pose = transform_of(f"0.015, -0.002, 0.1, 0, 0, {half}, {half}")
    matrix = transform_of("[0 -1 0 0.015; 1 0 0 -0.002; 0 0 1 0.1; 0 0 0 1]")
    np.testing.assert_allclose(pose, matrix, atol=1e-12)
    # A quarter turn about z brings x to y.
    np.testing.assert_allclose(pose @ (1, 0, 0, 1), (0.015, 0.998, 0.1, 1), atol=1e-12)
    np.testing.assert_array_equal(transform_of(IDENTITY), np.eye(4))


@given(
    st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: math.hypot(*q) > 0.1),
    st.tuples(*[st.floats(-1, 1)] * 3),
)
def test_any_pose_is_a_rigid_transform(quaternion: tuple[float, ...], place: tuple[float, ...]):
    length = math.hypot(*quaternion)
    text = " ".join(repr(one) for one in (*place, *(one / length for one in quaternion)))
    transform = transform_of(text)
    np.testing.assert_allclose(transform[:3, :3] @ transform[:3, :3].T, np.eye(3), atol=1e-9)
    assert np.linalg.det(transform[:3, :3]) == pytest.approx(1)
    np.testing.assert_allclose(transform[:3, 3], place)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("tf", "use numbers"),
        ("1 2 3", "has 3 numbers"),
        ("0 0 0 0 0 0 0", "length is 0"),
        ("0 0 0 2 0 0 0", "length is 2"),
        ("0 0 0 nan 0 0 1", "4 finite numbers"),
        ("nan 0 0 0 0 0 1", "finite"),
        ("15 0 0 0 0 0 1", "metres"),
        (IDENTITY.replace("1 0 0 0  0 1", "2 0 0 0  0 1"), "no rotation"),
        (IDENTITY.replace("1 0 0 0  0 1", "-1 0 0 0  0 1"), "no rotation"),
        ("1 0 0 0  0 1 0 0  0 0 1 0  0.015 0 0 1", "last four"),
        ("1e300 0 0 0  0 1 0 0  0 0 1 0  0 0 0 1", "no rotation"),
    ],
)
def test_what_is_no_transform_is_named(text: str, why: str):
    with pytest.raises(ValueError, match=rf"depth_to_colour.*{why}"):
        parse_depth_to_colour(text)


def test_a_contradiction_is_refused():
    with pytest.raises(ValueError, match=r"rectify.*rectified_input.*set one"):
        CameraView(rectify=True, rectified_input=True)
    with pytest.raises(ValueError, match="16 finite"):
        CameraView(colour_from_depth=(1.0,))
