"""Targets as vision_msgs: with its fields alone, and with the real package if installed."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import Pose, PoseWithCovariance, Vector3
from std_msgs.msg import Header
from target_answers import INTENT, answer_of, located, nowhere

from lisa_model.geometry import Target3D
from lisa_ros.detections import load_vision_msgs, to_detections


@dataclass
class BoundingBox3D:
    """Fields of vision_msgs 4."""

    center: Any = field(default_factory=Pose)
    size: Any = field(default_factory=Vector3)


@dataclass
class ObjectHypothesis:
    """Fields of vision_msgs 4."""

    class_id: str = ""
    score: float = 0.0


@dataclass
class ObjectHypothesisWithPose:
    """Fields of vision_msgs 4."""

    hypothesis: Any = field(default_factory=ObjectHypothesis)
    pose: Any = field(default_factory=PoseWithCovariance)


@dataclass
class Detection3D:
    """Fields of vision_msgs 4."""

    header: Any = field(default_factory=Header)
    results: list[Any] = field(default_factory=list)
    bbox: Any = field(default_factory=BoundingBox3D)
    id: str = ""


@dataclass
class Detection3DArray:
    """Fields of vision_msgs 4."""

    header: Any = field(default_factory=Header)
    detections: list[Any] = field(default_factory=list)


FIELDS = SimpleNamespace(
    BoundingBox3D=BoundingBox3D,
    ObjectHypothesis=ObjectHypothesis,
    ObjectHypothesisWithPose=ObjectHypothesisWithPose,
    Detection3D=Detection3D,
    Detection3DArray=Detection3DArray,
)


@pytest.fixture(params=["fields", "installed"])
def vision_msgs(request: pytest.FixtureRequest) -> Any:
    if request.param == "fields":
        return FIELDS
    return load_vision_msgs() or pytest.skip("vision_msgs is not installed")


def test_a_detection_is_the_target(make: Any, vision_msgs: Any):
    target = located(4, (0.05, 0.0, 0.9), score=0.75)
    msg = to_detections(answer_of(make, nowhere(1), target), vision_msgs)
    assert msg.header == make.header(7.5)
    (detection,) = msg.detections
    assert (detection.header, detection.id) == (make.header(7.5), "4")
    (result,) = detection.results
    assert (result.hypothesis.class_id, result.hypothesis.score) == (INTENT, 0.75)
    assert isinstance(target.position, Target3D)
    assert target.shape is not None
    assert target.shape.box is not None
    position = result.pose.pose.position
    np.testing.assert_allclose((position.x, position.y, position.z), target.position.point)
    covariance = np.array(result.pose.covariance).reshape(6, 6)
    np.testing.assert_allclose(covariance[:3, :3], target.position.covariance)
    assert not covariance[3:].any()
    centre, size = detection.bbox.center.position, detection.bbox.size
    np.testing.assert_allclose((centre.x, centre.y, centre.z), target.shape.box.centre)
    np.testing.assert_allclose((size.x, size.y, size.z), target.shape.box.size)


def test_an_answer_without_a_position_clears(make: Any, vision_msgs: Any):
    assert list(to_detections(answer_of(make, nowhere(1)), vision_msgs).detections) == []


def test_where_vision_msgs_is_missing_there_is_none(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "vision_msgs", None)
    monkeypatch.setitem(sys.modules, "vision_msgs.msg", None)
    assert load_vision_msgs() is None
