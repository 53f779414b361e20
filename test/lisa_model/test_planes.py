"""The robust plane on points whose plane is known."""

from __future__ import annotations

import numpy as np
import pytest
from depth_scenes import angle_between, rotation

from lisa_model.planes import fit_plane


def patch(count: int, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    axes = rotation((1, 2, 0.5), 35)
    flat = np.column_stack((rng.uniform(-0.02, 0.02, (count, 2)), rng.normal(0, noise, count)))
    return flat @ axes.T + (0.1, 0.2, 1.0), axes[:, 2]


def test_exact_points():
    points, normal = patch(50, 0.0)
    plane = fit_plane(points)
    assert plane is not None
    assert angle_between(plane.normal, normal) < 1e-4
    assert plane.inliers.all()


@pytest.mark.parametrize("outliers", [0.0, 0.2, 0.4])
def test_noise_and_outliers(outliers: float):
    points, normal = patch(400, 0.001)
    rng = np.random.default_rng(1)
    stray = rng.random(400) < outliers
    points[stray] += normal * rng.uniform(0.01, 0.05, stray.sum())[:, None]
    plane = fit_plane(points)
    assert plane is not None
    assert angle_between(plane.normal, normal) < 1.0
    assert not plane.inliers[stray].any()
    assert plane.inliers[~stray].mean() > 0.95


def test_least_squares_alone_would_be_off_by_more():
    # Otherwise the test above would prove nothing.
    points, normal = patch(400, 0.001)
    side = points[:, 0] > np.quantile(points[:, 0], 0.7)
    points[side] += normal * 0.02
    _, vectors = np.linalg.eigh(np.cov(points.T))
    assert angle_between(vectors[:, 0], normal) > 10
    plane = fit_plane(points)
    assert plane is not None
    assert angle_between(plane.normal, normal) < 1.0


def test_two_faces_give_the_larger():
    rng = np.random.default_rng(2)
    top = np.column_stack((rng.uniform(0, 0.03, (300, 2)), np.zeros(300)))
    side = np.column_stack((np.zeros(150), rng.uniform(0, 0.03, (150, 2))))
    plane = fit_plane(np.concatenate((top, side)) + rng.normal(0, 2e-4, (450, 3)))
    assert plane is not None
    assert angle_between(plane.normal, np.array([0, 0, 1.0])) < 1.0


def test_points_of_a_line_or_of_one_place_have_no_plane():
    line = np.outer(np.linspace(0, 1, 30), (1.0, 2.0, 3.0))
    assert fit_plane(line) is None
    assert fit_plane(np.ones((30, 3))) is None
    assert fit_plane(np.eye(3)[:2]) is None


def test_the_same_points_give_the_same_plane():
    points, _ = patch(500, 0.002)
    first, second = fit_plane(points), fit_plane(points)
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.normal, second.normal)
