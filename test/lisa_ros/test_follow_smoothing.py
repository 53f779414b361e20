from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from target_answers import located, nowhere

from lisa_model.geometry import Target3D
from lisa_model.rigid import RigidTransform
from lisa_ros.answer import Instance
from lisa_ros.follow_smoothing import FollowSmoother
from lisa_ros.frame import Frame
from lisa_ros.parameters import Settings
from lisa_ros.transforms import TransformError

FIXED = replace(Settings.defaults(), follow_fixed_frame="odom")
TRUE = np.array([0.05, 0.02, 0.9])  # in the fixed frame


class Moving:
    """A camera that slides along x of the fixed frame."""

    def __init__(self) -> None:
        self.x = 0.0
        self.error: TransformError | None = None

    def place(self) -> np.ndarray:
        return np.array([self.x, 0.0, 0.0])

    def lookup(self, target: str, source: str, stamp: Any, timeout_s: float) -> RigidTransform:
        assert target == "odom"
        if self.error is not None:
            raise self.error
        return RigidTransform(rotation=np.eye(3), translation=self.place())

    def forget(self) -> None:
        self.x = 0.0


@pytest.fixture
def frame(make: Any) -> Frame:
    return Frame(colour=make.image(5.0), received=10.0)


def seen(camera: Moving, noise: np.ndarray) -> Instance:
    base = located(1, (0.05, 0.0, 0.9))
    assert isinstance(base.position, Target3D)
    point = TRUE - camera.place() + noise
    return replace(base, position=replace(base.position, point=point))


def run(smoother: FollowSmoother, camera: Moving, frame: Frame, settings: Settings) -> float:
    """Root mean square error [m] of the last 20 of 40 frames."""
    rng = np.random.default_rng(0)
    errors = []
    for number in range(40):
        camera.x = 0.02 * number
        now = replace(frame, received=frame.received + 0.1 * number)
        (one,) = smoother.smooth((seen(camera, rng.normal(0, 0.01, 3)),), now, settings)
        assert isinstance(one.position, Target3D)
        errors.append(one.position.point + camera.place() - TRUE)
    return float(np.sqrt(np.mean(np.square(errors[20:]))))


def test_a_resting_target_is_smoothed_while_the_camera_moves(frame: Frame):
    camera = Moving()
    raw = run(FollowSmoother(camera), camera, frame, Settings.defaults())
    smoothed = run(FollowSmoother(camera), camera, frame, FIXED)
    assert raw == pytest.approx(0.01, rel=0.3)
    assert smoothed < 0.7 * raw


def test_position_distance_and_error_belong_together(frame: Frame):
    camera = Moving()
    smoother = FollowSmoother(camera)
    (one,) = smoother.smooth((seen(camera, np.zeros(3)),), frame, FIXED)
    assert isinstance(one.position, Target3D)
    assert one.distance_m == pytest.approx(float(np.linalg.norm(one.position.point)))
    first = one.position.point_sigma_m
    later = replace(frame, received=frame.received + 0.1)
    (one,) = smoother.smooth((seen(camera, np.zeros(3)),), later, FIXED)
    assert isinstance(one.position, Target3D)
    assert 0 < one.position.point_sigma_m < first, "two sights tell more than one"


def test_without_the_transform_it_stays_as_it_was_seen_and_the_reason_is_kept(frame: Frame):
    camera = Moving()
    smoother = FollowSmoother(camera)
    smoother.smooth((seen(camera, np.zeros(3)),), frame, FIXED)
    camera.error = TransformError(code="no_transform", message="odom is gone")
    noisy = seen(camera, np.array([0.01, 0.0, 0.0]))
    assert smoother.smooth((noisy,), frame, FIXED)[0] is noisy
    assert smoother.problem is camera.error
    camera.error = None
    later = replace(frame, received=frame.received + 0.1)
    (one,) = smoother.smooth((noisy,), later, FIXED)
    assert smoother.problem is None
    assert one is not noisy
    assert FollowSmoother(None).smooth((noisy,), frame, FIXED)[0] is noisy


def test_targets_without_3d_and_other_ids_are_left_alone(frame: Frame):
    camera = Moving()
    smoother = FollowSmoother(camera)
    lost = nowhere(7)
    assert smoother.smooth((lost,), frame, FIXED)[0] is lost
    far = replace(located(2, (0.0, 0.0, 1.5)), id=2)
    first, second = smoother.smooth((seen(camera, np.zeros(3)), far), frame, FIXED)
    assert isinstance(second.position, Target3D)
    assert isinstance(far.position, Target3D)
    np.testing.assert_allclose(second.position.point, far.position.point)
    assert (first.id, second.id) == (1, 2)
