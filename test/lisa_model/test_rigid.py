"""Transforms against what is known of them, and against each other."""

from __future__ import annotations

import math

import numpy as np
import pytest
from depth_scenes import rotation
from hypothesis import given, settings
from hypothesis import strategies as st

from lisa_model.rigid import (
    RigidTransform,
    matrix_of_quaternion,
    quaternion_of_arrow,
    quaternion_of_matrix,
)

QUARTER = math.sqrt(0.5)


def unit(values: list[float], length: int) -> np.ndarray:
    vector = np.array(values[:length])
    norm = np.linalg.norm(vector)
    return vector / norm if norm > 0.1 else np.eye(length)[0]


vectors = st.lists(st.floats(-1, 1), min_size=4, max_size=4)


def test_a_quarter_turn_about_z():
    turn = RigidTransform.from_quaternion((0, 0, QUARTER, QUARTER), (1, 2, 3))
    np.testing.assert_allclose(turn.points(np.array([1.0, 0, 0])), (1, 3, 3), atol=1e-12)
    np.testing.assert_allclose(turn.directions(np.array([1.0, 0, 0])), (0, 1, 0), atol=1e-12)
    covariance = turn.covariance(np.diag([4.0, 1.0, 0.25]))
    np.testing.assert_allclose(covariance, np.diag([1.0, 4.0, 0.25]), atol=1e-12)
    np.testing.assert_allclose(turn.matrix @ (1, 0, 0, 1), (1, 3, 3, 1), atol=1e-12)


def test_the_covariance_is_that_of_the_moved_points():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(200, 3)) * (0.3, 0.1, 0.02)
    transform = RigidTransform(rotation=rotation((1, 2, 3), 40), translation=np.array([5.0, -1, 2]))
    np.testing.assert_allclose(
        transform.covariance(np.cov(points.T)), np.cov(transform.points(points).T), atol=1e-12
    )


@settings(max_examples=200, deadline=None)
@given(vectors)
def test_quaternions_and_matrices_are_inverse(values: list[float]):
    quaternion = unit(values, 4)
    if quaternion[3] < 0:
        quaternion = -quaternion
    matrix = matrix_of_quaternion(quaternion)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1)
    back = quaternion_of_matrix(matrix)
    np.testing.assert_allclose(matrix_of_quaternion(back), matrix, atol=1e-9)
    assert abs(back @ quaternion) == pytest.approx(1)
    assert back[3] >= 0


@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0)])
def test_half_turns_have_a_quaternion(axis: tuple[float, float, float]):
    matrix = rotation(axis, 180)
    np.testing.assert_allclose(
        matrix_of_quaternion(quaternion_of_matrix(matrix)), matrix, atol=1e-12
    )


@settings(max_examples=100, deadline=None)
@given(vectors)
def test_an_arrow_along_x_is_turned_into_the_direction(values: list[float]):
    direction = unit(values, 3)
    turned = matrix_of_quaternion(quaternion_of_arrow(direction)) @ (1, 0, 0)
    np.testing.assert_allclose(turned, direction, atol=1e-12)


def test_the_arrow_turned_back():
    turned = matrix_of_quaternion(quaternion_of_arrow(np.array([-1.0, 0, 0]))) @ (1, 0, 0)
    np.testing.assert_allclose(turned, (-1, 0, 0), atol=1e-12)


def test_a_matrix_is_taken_and_given():
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation((0, 1, 1), 70), (1, 2, 3)
    np.testing.assert_allclose(RigidTransform.from_matrix(matrix).matrix, matrix)
    np.testing.assert_array_equal(RigidTransform.identity().matrix, np.eye(4))


@pytest.mark.parametrize(
    ("quaternion", "translation", "problem"),
    [
        ((0, 0, 0, 2), (0, 0, 0), "length is 2"),
        ((0, 0, 0), (0, 0, 0), "4 finite numbers"),
        ((0, 0, 0, math.nan), (0, 0, 0), "4 finite numbers"),
        ((0, 0, 0, 1), (0, 0, math.inf), "translation"),
        ((0, 0, 0, 1), (0, 0), "translation"),
    ],
)
def test_what_is_no_transform_is_refused(
    quaternion: tuple[float, ...], translation: tuple[float, ...], problem: str
):
    with pytest.raises(ValueError, match=problem):
        RigidTransform.from_quaternion(quaternion, translation)


@pytest.mark.parametrize("bad", [np.diag([1.0, 1, -1]), np.eye(3) * 2, np.full((3, 3), math.nan)])
def test_what_is_no_rotation_is_refused(bad: np.ndarray):
    with pytest.raises(ValueError, match="rotation"):
        RigidTransform(rotation=bad, translation=np.zeros(3))
    with pytest.raises(ValueError, match="last row"):
        RigidTransform.from_matrix(np.ones((4, 4)))
