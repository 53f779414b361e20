"""Smoothed positions of followed targets, in a frame in which resting things rest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lisa_model.geometry import Target3D
from lisa_model.smoothing import PointFilter, SmoothingConfig, in_frame, measurement_covariance
from lisa_ros.answer import Instance
from lisa_ros.frame import Frame
from lisa_ros.parameters import Settings
from lisa_ros.transforms import TransformError, TransformLookup


class FollowSmoother:
    """A Kalman filter for each target, by its id.

    Nothing is smoothed without the parameter ``follow_fixed_frame``, nor while its transform is not
    there: in the frame of a moving camera smoothing does harm.

    Args:
        transforms: where the transform into the fixed frame comes from.
    """

    def __init__(self, transforms: TransformLookup | None) -> None:
        self._transforms = transforms
        self._config = SmoothingConfig()
        self._filters: dict[int, PointFilter] = {}
        self._frame = ""
        self.problem: TransformError | None = None

    def smooth(
        self, instances: tuple[Instance, ...], frame: Frame, settings: Settings
    ) -> tuple[Instance, ...]:
        """Return instances with smoothed positions, in the camera's frame as they came.

        ``problem`` says afterwards why nothing was smoothed, if there was no transform.
        """
        self.problem = None
        fixed = settings.follow_fixed_frame
        if fixed != self._frame:
            self._filters, self._frame = {}, fixed
        if not fixed or not any(isinstance(one.position, Target3D) for one in instances):
            return instances
        header = frame.colour.header
        try:
            if self._transforms is None:
                raise TransformError(code="no_transform", message="nothing looks up transforms")
            pose = self._transforms.lookup(
                fixed, header.frame_id, header.stamp, settings.tf_timeout_s
            )
        except TransformError as error:
            self.problem = error
            return instances
        return tuple(self._one(one, pose.matrix, frame.received) for one in instances)

    def _one(self, instance: Instance, pose: np.ndarray, now_s: float) -> Instance:
        position = instance.position
        if not isinstance(position, Target3D):
            return instance
        point, covariance = in_frame(
            position.point, measurement_covariance(position, self._config), pose
        )
        kalman = self._filters.setdefault(instance.id, PointFilter(config=self._config))
        smoothed = kalman.update(point, covariance, now_s)
        back = (smoothed.point - pose[:3, 3]) @ pose[:3, :3]
        moved = replace(
            position, point=back, point_sigma_m=float(np.sqrt(np.trace(smoothed.covariance)))
        )
        return replace(instance, position=moved, distance_m=float(np.linalg.norm(back)))
