"""Targets as vision_msgs/Detection3DArray, where vision_msgs is installed."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

import numpy as np
from geometry_msgs.msg import Pose, PoseWithCovariance

from lisa_model.geometry import Target3D
from lisa_ros.answer import Answer, Instance
from lisa_ros.geometry_messages import NAN3, nan_pose, to_point, to_pose, to_vector


def load_vision_msgs() -> ModuleType | None:
    """Return the module vision_msgs.msg, None where it is not installed."""
    try:
        return importlib.import_module("vision_msgs.msg")
    except ImportError:
        return None


def to_detections(answer: Answer, vision_msgs: Any) -> Any:
    """Return the targets with a 3D position.

    ``class_id`` is the intent, ``id`` the instance's, ``bbox`` the oriented box (NaN when there is
    none).  The hypothesis' pose is the target's point, its covariance that of the points (position
    block, the rotation's is zero: it is not estimated).

    Args:
        answer: the result of an intent.
        vision_msgs: the module vision_msgs.msg.
    """
    return vision_msgs.Detection3DArray(
        header=answer.target_header,
        detections=[
            _to_detection(answer, target, target.position, vision_msgs)
            for target in answer.targets
            if isinstance(target.position, Target3D)
        ],
    )


def _to_detection(answer: Answer, target: Instance, position: Target3D, vision_msgs: Any) -> Any:
    covariance = np.zeros((6, 6))
    covariance[:3, :3] = position.covariance
    box = target.shape.box if target.shape else None
    return vision_msgs.Detection3D(
        header=answer.target_header,
        id=str(target.id),
        results=[
            vision_msgs.ObjectHypothesisWithPose(
                hypothesis=vision_msgs.ObjectHypothesis(
                    class_id=answer.intent, score=float(target.score)
                ),
                pose=PoseWithCovariance(
                    pose=Pose(position=to_point(position.point)), covariance=covariance.reshape(36)
                ),
            )
        ],
        bbox=vision_msgs.BoundingBox3D(
            center=to_pose(box) if box else nan_pose(),
            size=to_vector(box.size if box else NAN3),
        ),
    )
