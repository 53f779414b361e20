from __future__ import annotations

import pytest
from sensor_msgs.msg import Image

from lisa_ros.view_graph import OfferedTopic, message_class, offered_topics


def test_results_and_cameras_are_offered_and_nothing_else():
    published = [
        ("/targets", ["lisa_ros/msg/Targets"]),
        ("/parameter_events", ["rcl_interfaces/msg/ParameterEvent"]),
        ("/n/find/_action/status", ["action_msgs/msg/GoalStatusArray"]),
    ]
    subscribed = [
        ("/intent", ["std_msgs/msg/String"]),
        ("/cam/image", ["sensor_msgs/msg/Image"]),
        ("/cam/image/compressed", ["sensor_msgs/msg/CompressedImage"]),
        ("/clock", ["rosgraph_msgs/msg/Clock"]),
        ("/targets", ["lisa_ros/msg/Targets"]),
    ]
    assert offered_topics(published, subscribed) == [
        OfferedTopic(name="/cam/image", kind="sensor_msgs/msg/Image", camera=True),
        OfferedTopic(
            name="/cam/image/compressed", kind="sensor_msgs/msg/CompressedImage", camera=True
        ),
        OfferedTopic(name="/targets", kind="lisa_ros/msg/Targets", camera=False),
    ]


def test_types_are_found_by_name():
    assert message_class("sensor_msgs/msg/Image") is Image
    for kind in ("no_such_msgs/msg/A", "sensor_msgs/msg/NoSuchMessage"):
        with pytest.raises(LookupError, match=kind):
            message_class(kind)
