"""A target's 3D point over time: a constant-velocity Kalman filter.  Pure numpy, no ROS.

State: position and velocity, six numbers. Between measurements the velocity is disturbed by white
acceleration noise of power spectral density q, so over dt seconds::

    F = | I  dt I |      Q = q | dt^3/3 I  dt^2/2 I |
        | 0   I   |            | dt^2/2 I  dt     I |

(Bar-Shalom, Li, Kirubarajan: Estimation with Applications to Tracking and Navigation, 2001, section
6.2.2). Feed it points of a fixed frame: in a moving camera's frame a thing that rests seems to move
whenever the camera turns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lisa_model.geometry import Target3D

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class SmoothingConfig:
    """How much is expected of target and sensor.

    Attributes:
        acceleration_psd: q, of the disturbing acceleration [m^2/s^3]. In one second a resting thing
            may take up a speed of sqrt(q) m/s.
        initial_speed_mps: standard deviation of the velocity of a target just found [m/s].
        gate: squared Mahalanobis distance above which a measurement is not believed; 16.27 holds
            99.9% of good ones (chi-square, 3 degrees of freedom).
        restart_after: so many measurements in a row that are not believed are the truth after all.
        forget_after_s: a longer time without a believed measurement ends the track [s].
        floor_m: smallest standard deviation of a measurement along each axis [m].
        spread_share: standard deviation of a measured centre over the spread of the surface's
            points: the larger a thing, the more its visible centre wanders with the mask.
    """

    acceleration_psd: float = 0.01
    initial_speed_mps: float = 0.1
    gate: float = 16.27
    restart_after: int = 4
    forget_after_s: float = 2.0
    floor_m: float = 0.004
    spread_share: float = 0.15

    def __post_init__(self) -> None:
        for name in ("acceleration_psd", "gate", "forget_after_s", "floor_m", "restart_after"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        for name in ("initial_speed_mps", "spread_share"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")


@dataclass(frozen=True)
class SmoothedPoint:
    """The filter's idea of a target.

    Attributes:
        point: (3,) float64, fixed frame [m].
        velocity: (3,) float64 [m/s].
        covariance: (3, 3) float64, of the point [m^2].
        accepted: False when the newest measurement was not believed, or there was none.
    """

    point: FloatArray
    velocity: FloatArray
    covariance: FloatArray
    accepted: bool


def measurement_covariance(target: Target3D, config: SmoothingConfig) -> FloatArray:
    """(3, 3) covariance [m^2] of a measured centre, in the frame of the target.

    Args:
        target: its ``covariance`` is the spread of the surface's points, not that of their centre.
        config: see :class:`SmoothingConfig`.
    """
    return config.spread_share**2 * target.covariance + config.floor_m**2 * np.eye(3)


def in_frame(
    point: FloatArray, covariance: FloatArray, pose: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """A point (3,) [m] and its covariance (3, 3) [m^2] in another frame.

    Args:
        point: in the camera optical frame.
        covariance: in the same frame.
        pose: (4, 4) rigid transform that takes camera coordinates to the other frame's.
    """
    turn = pose[:3, :3]
    return turn @ point + pose[:3, 3], turn @ covariance @ turn.T


class PointFilter:
    """Smooths the points of one target; times must not run backwards."""

    def __init__(self, *, config: SmoothingConfig | None = None) -> None:
        self.config = config or SmoothingConfig()
        self.reset()

    def reset(self) -> None:
        """Forget the target."""
        self._state: FloatArray | None = None
        self._covariance = np.zeros((6, 6))
        self._time = self._believed = 0.0
        self._refused = 0

    def update(self, point: FloatArray, covariance: FloatArray, now_s: float) -> SmoothedPoint:
        """Take a measurement in.

        Args:
            point: (3,) measured position, fixed frame [m].
            covariance: (3, 3) of the measurement, positive definite [m^2].
            now_s: its time [s].

        Raises:
            ValueError: ``now_s`` is before the newest one, or a number is not finite.
        """
        point = np.asarray(point, dtype=np.float64)
        noise = np.asarray(covariance, dtype=np.float64)
        if not (np.isfinite(point).all() and np.isfinite(noise).all()):
            raise ValueError("point and covariance must be finite")
        if not self._advance(now_s):
            return self._start(point, noise, now_s)
        assert self._state is not None
        surprise = point - self._state[:3]
        expected = self._covariance[:3, :3] + noise
        if float(surprise @ np.linalg.solve(expected, surprise)) > self.config.gate:
            self._refused += 1
            if self._refused >= self.config.restart_after:
                return self._start(point, noise, now_s)
            return self._now(accepted=False)
        gain = np.linalg.solve(expected, self._covariance[:3]).T
        keep = np.eye(6)
        keep[:, :3] -= gain
        self._state = self._state + gain @ surprise
        # Joseph's form stays symmetric and positive.
        self._covariance = keep @ self._covariance @ keep.T + gain @ noise @ gain.T
        self._believed, self._refused = now_s, 0
        return self._now(accepted=True)

    def predict(self, now_s: float) -> SmoothedPoint | None:
        """Where the target should be without a measurement; None when that is not known (any more).

        Raises:
            ValueError: ``now_s`` is before the newest time.
        """
        return self._now(accepted=False) if self._advance(now_s) else None

    def _advance(self, now_s: float) -> bool:
        """Move the state on to a time; False when there is no track to move."""
        if self._state is None:
            return False
        dt = now_s - self._time
        if dt < 0:
            raise ValueError(f"time runs backwards: {now_s} after {self._time}")
        if now_s - self._believed > self.config.forget_after_s:
            self.reset()
            return False
        step = np.eye(6)
        step[:3, 3:] = dt * np.eye(3)
        block = np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
        self._state = step @ self._state
        self._covariance = step @ self._covariance @ step.T + np.kron(
            self.config.acceleration_psd * block, np.eye(3)
        )
        self._time = now_s
        return True

    def _start(self, point: FloatArray, noise: FloatArray, now_s: float) -> SmoothedPoint:
        self._state = np.concatenate([point, np.zeros(3)])
        self._covariance = np.zeros((6, 6))
        self._covariance[:3, :3] = noise
        self._covariance[3:, 3:] = self.config.initial_speed_mps**2 * np.eye(3)
        self._time = self._believed = now_s
        self._refused = 0
        return self._now(accepted=True)

    def _now(self, *, accepted: bool) -> SmoothedPoint:
        assert self._state is not None
        return SmoothedPoint(
            self._state[:3].copy(),
            self._state[3:].copy(),
            self._covariance[:3, :3].copy(),
            accepted,
        )
