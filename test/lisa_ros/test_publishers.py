"""The result topics over DDS, without the rest of the node."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import PointStamped
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode
from ros_domain import free_domain
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import String
from target_answers import INTENT, answer_of, located, nowhere
from visualization_msgs.msg import Marker, MarkerArray

from lisa_ros import publishers
from lisa_ros.detections import load_vision_msgs
from lisa_ros.msg import InstanceMasks, Targets
from lisa_ros.publishers import ResultPublishers
from lisa_ros.qos import RESULT_OUTPUT

pytestmark = pytest.mark.ros

ALWAYS = {
    "target_mask": Image,
    "instance_masks": InstanceMasks,
    "targets": Targets,
    "target_point": PointStamped,
    "answer": String,
}
WANTED = {"target_cloud": PointCloud2, "markers": MarkerArray, "overlay": Image}


class Listener:
    """The publishers on an active node, and a node that hears them."""

    def __init__(self) -> None:
        self.node = LifecycleNode("publishers_test", use_global_arguments=False)
        self.results = ResultPublishers(self.node)
        self.node.trigger_configure()
        self.node.trigger_activate()
        self.ear = rclpy.create_node("ear", use_global_arguments=False)
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.ear)
        self.got: dict[str, list[Any]] = {}

    def listen(self, **topics: Any) -> None:
        for name, kind in topics.items():
            self.got[name] = []
            self.ear.create_subscription(kind, f"/{name}", self.got[name].append, RESULT_OUTPUT)
        self.until(lambda: all(self.node.count_subscribers(f"/{name}") for name in topics))
        self.until(lambda: all(self.ear.count_publishers(f"/{name}") for name in topics))

    def until(self, condition: Callable[[], Any], timeout: float = 10.0) -> None:
        end = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < end, {name: len(got) for name, got in self.got.items()}
            self.executor.spin_once(timeout_sec=0.02)

    def close(self) -> None:
        self.executor.shutdown(timeout_sec=1.0)
        self.results.destroy()
        self.node.destroy_node()
        self.ear.destroy_node()


@pytest.fixture
def listener() -> Iterator[Listener]:
    rclpy.init(args=[], domain_id=free_domain())
    listener = Listener()
    yield listener
    listener.close()
    rclpy.try_shutdown()


def test_everything_of_an_answer_arrives_and_agrees(make: Any, listener: Listener):
    listener.listen(**ALWAYS, **WANTED)
    answer = answer_of(make, located(1, (0.05, 0.0, 0.9)))
    listener.results.publish(answer)
    listener.until(lambda: all(listener.got.values()))
    (targets,), (cloud,), (point,) = (
        listener.got[name] for name in ("targets", "target_cloud", "target_point")
    )
    (target,) = targets.targets
    assert target.has_3d
    assert target.has_box
    assert target.has_normal
    for one in (targets, target, cloud, point):
        assert one.header == make.header(7.5)
    assert point.point == target.point
    values = np.frombuffer(bytes(cloud.data), "<f4").reshape(-1, 4)
    assert np.isfinite(values[:, 0]).sum() == target.mask_area_px >= target.depth_points
    (markers,) = listener.got["markers"]
    assert markers.markers[0].action == Marker.DELETEALL
    assert next(one.text for one in markers.markers if one.ns == "label").startswith(INTENT)
    (overlay,) = listener.got["overlay"]
    assert (overlay.encoding, overlay.width) == ("rgb8", answer.rgb.shape[1])


def test_an_answer_without_3d_takes_the_old_one_away(make: Any, listener: Listener):
    listener.listen(**ALWAYS, **WANTED)
    listener.results.publish(answer_of(make, located(1, (0.05, 0.0, 0.9))))
    listener.results.publish(answer_of(make, nowhere(1)))
    listener.until(lambda: len(listener.got["answer"]) == 2)
    listener.until(lambda: len(listener.got["markers"]) == len(listener.got["target_cloud"]) == 2)
    assert listener.got["target_cloud"][1].width == 0
    assert [one.action for one in listener.got["markers"][1].markers] == [Marker.DELETEALL]
    assert listener.got["targets"][1].best == -1
    assert len(listener.got["target_point"]) == 1


def test_what_nobody_wants_is_not_computed(
    make: Any, listener: Listener, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: Any) -> Any:
        raise AssertionError("computed for nobody")

    for name in ("to_target_cloud", "to_markers", "draw_overlay", "to_detections"):
        assert hasattr(publishers, name)
        monkeypatch.setattr(publishers, name, refuse)
    listener.listen(**ALWAYS)
    listener.results.publish(answer_of(make, located(1, (0.05, 0.0, 0.9))))
    listener.until(lambda: listener.got["answer"])


def test_detections_are_there_where_vision_msgs_is(make: Any, listener: Listener):
    vision_msgs = load_vision_msgs()
    if vision_msgs is None:
        assert listener.node.count_publishers("/detections") == 0
        return
    listener.listen(detections=vision_msgs.Detection3DArray)
    listener.results.publish(answer_of(make, located(1, (0.05, 0.0, 0.9))))
    listener.until(lambda: listener.got["detections"])
    (detection,) = listener.got["detections"][0].detections
    assert detection.results[0].hypothesis.class_id == INTENT
