"""Node `demo_client`: the demo's line to the camera topics and to the perception node."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import IntEnum
from typing import Any

import rclpy
from geometry_msgs.msg import PointStamped
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import ParameterType
from rcl_interfaces.srv import GetParameters
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import String

from lisa_ros.demo_results import ResultCollector, Results
from lisa_ros.msg import InstanceMasks, Targets
from lisa_ros.qos import RESULT_OUTPUT
from lisa_ros.scene_player import COLOR_TOPIC, DEPTH_TOPIC, INFO_TOPIC

PERCEPTION_NODE = "/perception_node"
# Ten deep: frames are counted, not only the newest used.
CAMERA_COUNTING = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=10, reliability=ReliabilityPolicy.BEST_EFFORT
)


class Part(IntEnum):
    """Exit status by the part that failed."""

    ARGUMENTS = 2
    CAMERA = 10
    NODE = 11
    ANSWER = 12
    TARGET_3D = 13


class DemoError(Exception):
    """A part of the demo failed.

    Attributes:
        part: which one.
    """

    def __init__(self, part: Part, message: str) -> None:
        super().__init__(message)
        self.part = part


class DemoClient(Node):
    """Talks to the camera topics, the perception node's services and its topics."""

    def __init__(self) -> None:
        super().__init__("demo_client")
        self.frames = 0
        self.collector = ResultCollector()
        self._seen: set[str] = set()
        self._intent_publisher = self.create_publisher(String, "/intent", RESULT_OUTPUT)
        subscribe = self.create_subscription
        subscribe(Image, COLOR_TOPIC, self._on_color, CAMERA_COUNTING)
        subscribe(CameraInfo, INFO_TOPIC, lambda _: self._seen.add(INFO_TOPIC), CAMERA_COUNTING)
        subscribe(Image, DEPTH_TOPIC, lambda _: self._seen.add(DEPTH_TOPIC), CAMERA_COUNTING)
        subscribe(InstanceMasks, "/instance_masks", self.collector.on_masks, RESULT_OUTPUT)
        subscribe(Targets, "/targets", self.collector.on_targets, RESULT_OUTPUT)
        subscribe(Image, "/target_mask", self.collector.on_target_mask, RESULT_OUTPUT)
        subscribe(PointStamped, "/target_point", self.collector.on_target_point, RESULT_OUTPUT)
        subscribe(String, "/answer", self.collector.on_answer, RESULT_OUTPUT)

    def _on_color(self, _: Image) -> None:
        self.frames += 1
        self._seen.add(COLOR_TOPIC)

    def wait(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Handle messages until ``done()`` or the time is over; return ``done()``."""
        end = time.monotonic() + timeout_s
        while not done() and time.monotonic() < end:
            rclpy.spin_once(self, timeout_sec=0.05)
        return done()

    def wait_for_camera(self, timeout_s: float) -> None:
        """Wait until each camera topic brought a message.

        Raises:
            DemoError: one did not.
        """
        topics = (COLOR_TOPIC, INFO_TOPIC, DEPTH_TOPIC)
        if not self.wait(lambda: self._seen.issuperset(topics), timeout_s):
            silent = ", ".join(topic for topic in topics if topic not in self._seen)
            raise DemoError(Part.CAMERA, f"no message on {silent} within {timeout_s:g} s")

    def call(self, service_type: Any, name: str, request: Any, timeout_s: float) -> Any:
        """Call a service of the perception node.

        Raises:
            DemoError: the service is not there, or does not answer, within ``timeout_s``.
        """
        client = self.create_client(service_type, f"{PERCEPTION_NODE}/{name}")
        try:
            start = time.monotonic()
            if not self.wait(client.service_is_ready, timeout_s):
                raise DemoError(
                    Part.NODE, f"{PERCEPTION_NODE} offers no service {name} after {timeout_s:g} s"
                )
            future = client.call_async(request)
            if not self.wait(future.done, timeout_s - (time.monotonic() - start)):
                raise DemoError(
                    Part.NODE,
                    f"{PERCEPTION_NODE} did not answer {name} within {timeout_s:g} s",
                )
            return future.result()
        finally:
            self.destroy_client(client)

    def state(self, timeout_s: float) -> int:
        """Return the perception node's lifecycle state (lifecycle_msgs/State)."""
        return int(self.call(GetState, "get_state", GetState.Request(), timeout_s).current_state.id)

    def activate(self, timeout_s: float) -> None:
        """Bring the perception node from unconfigured or inactive to active.

        Raises:
            DemoError: a transition failed; the node's own log has the reason.
        """
        for before, transition, name in (
            (State.PRIMARY_STATE_UNCONFIGURED, Transition.TRANSITION_CONFIGURE, "configure"),
            (State.PRIMARY_STATE_INACTIVE, Transition.TRANSITION_ACTIVATE, "activate"),
        ):
            if self.state(timeout_s) != before:
                continue
            request = ChangeState.Request(transition=Transition(id=transition))
            if not self.call(ChangeState, "change_state", request, timeout_s).success:
                raise DemoError(Part.NODE, f"{PERCEPTION_NODE} failed to {name}; see its log")
        self.wait_for_active(0.0)

    def wait_for_active(self, timeout_s: float) -> None:
        """Wait until the perception node is active.

        Raises:
            DemoError: it is not, within ``timeout_s``.
        """
        end = time.monotonic() + timeout_s
        while (state := self.state(max(5.0, end - time.monotonic()))) != State.PRIMARY_STATE_ACTIVE:
            if time.monotonic() >= end:
                raise DemoError(
                    Part.NODE,
                    f"{PERCEPTION_NODE} is not active (lifecycle state {state}); start it with "
                    "perception.launch.py, or give --activate",
                )
            self.wait(lambda: False, 0.5)

    def string_parameter(self, name: str) -> str:
        """Return a parameter of the perception node, "unknown" when it has none of this name."""
        request = GetParameters.Request(names=[name])
        values = self.call(GetParameters, "get_parameters", request, 10.0).values
        if values and values[0].type == ParameterType.PARAMETER_STRING:
            return str(values[0].string_value)
        return "unknown"

    def ask(self, intent: str, timeout_s: float) -> tuple[Results, float]:
        """Publish an intent and wait for everything that belongs to it.

        Args:
            intent: in the node's normal form.

        Returns:
            The results, and the seconds from publishing to receiving the mask.

        Raises:
            DemoError: the node does not listen, or something did not come in time.
        """
        # The node counts as connected once it listens to the intent and the camera; then a few more
        # frames, so that it holds one.
        connected = self.wait(
            lambda: (
                self._intent_publisher.get_subscription_count() > 0
                and all(
                    self.count_subscribers(t) > 1 for t in (COLOR_TOPIC, INFO_TOPIC, DEPTH_TOPIC)
                )
                and all(
                    self.count_publishers(t) > 0
                    for t in ("/instance_masks", "/targets", "/target_mask", "/target_point")
                )
            ),
            15.0,
        )
        if not connected:
            raise DemoError(
                Part.NODE,
                "the perception node is active but not connected to /intent and the camera",
            )
        enough = self.frames + 5
        if not self.wait(lambda: self.frames >= enough, 15.0):
            raise DemoError(Part.CAMERA, f"{COLOR_TOPIC} went silent")
        self.collector.start(intent)
        published = time.monotonic()
        self._intent_publisher.publish(String(data=intent))
        print(f'said "{intent}" on /intent', flush=True)
        self.wait(lambda: self.collector.answered, timeout_s)
        if not self.collector.answered:
            raise DemoError(Part.ANSWER, f"no answer to the intent within {timeout_s:g} s")
        self.wait(lambda: not self.collector.missing(), 10.0)
        results = self.collector.results()
        if results is None:
            missing = ", ".join(self.collector.missing())
            part = Part.TARGET_3D if missing == "/target_point" else Part.ANSWER
            raise DemoError(part, f"the answer is incomplete: nothing on {missing}")
        return results, results.mask_time_s - published
