"""Makers of what the doctor sees."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from lisa_ros.doctor.observed import Endpoint, NodeSeen, Observed, Stream

RELIABLE = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
BEST_EFFORT = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
LATCHED = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
# 30 Hz for two seconds.
STAMPS = tuple(1000.0 + number / 30.0 for number in range(60))


@pytest.fixture
def seen(make: Any) -> SimpleNamespace:
    """A camera in good order, and makers of its parts."""

    def stream(topic: str, kind: str, sample: Any, **values: Any) -> Stream:
        common = {
            "topic": topic,
            "kinds": (f"sensor_msgs/msg/{kind}",),
            "publishers": (Endpoint(node="/camera", qos=BEST_EFFORT),),
            "seconds": 2.0,
            "stamps_s": STAMPS,
            "arrivals_s": tuple(stamp + 0.01 for stamp in STAMPS),
            "sample": sample,
        }
        return Stream(**(common | values))

    def color(**values: Any) -> Stream:
        sample = values.pop("sample", make.image())
        return stream("/camera/color/image_raw", "Image", sample, **values)

    def depth(**values: Any) -> Stream:
        sample = values.pop("sample", make.depth())
        return stream("/camera/depth/image_raw", "Image", sample, **values)

    def info(**values: Any) -> Stream:
        sample = values.pop("sample", make.info())
        return stream("/camera/color/camera_info", "CameraInfo", sample, **values)

    def observed(**values: Any) -> Observed:
        common = {
            "color": color(),
            "depth": depth(),
            "info": info(),
            "node": NodeSeen(name="/perception_node", present=False),
            "image_topics": {"/camera/color/image_raw": "sensor_msgs/msg/Image"},
        }
        return Observed(**(common | values))

    return SimpleNamespace(
        color=color,
        depth=depth,
        info=info,
        observed=observed,
        stamps=STAMPS,
        reliable=RELIABLE,
        best_effort=BEST_EFFORT,
        latched=LATCHED,
    )
