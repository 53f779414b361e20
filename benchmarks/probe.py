"""Node `benchmark_probe`: says intents, times results and services, reads the node's counters."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import GetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import String

from benchmarks.measures import Got, Sent
from lisa_ros.demo_connection import PERCEPTION_NODE
from lisa_ros.msg import InstanceMasks
from lisa_ros.qos import DIAGNOSTICS_OUTPUT, INTENT_INPUT, RESULT_OUTPUT
from lisa_ros.scene_player import CAMERA_OUTPUT, COLOR_TOPIC, DEPTH_TOPIC, INFO_TOPIC

# Deep, so that no stamp is missed; camera_info is small.
_STAMPS = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=200, reliability=ReliabilityPolicy.RELIABLE
)
_SPIN_S = 0.02


class Probe:
    """Everything the benchmarks see and say over DDS.

    It subscribes to no image: taking 45 MB/s would cost the measured node a good part of the
    processor.  The camera's frames are counted by their camera_info.

    Attributes:
        sent, got: intents and results, by the system clock, which also stamps the frames.
        stamps: of the camera's frames [s].
        service_s: seconds that each answered parameter call took.
        unanswered: number of parameter calls given up.
        values: the newest /diagnostics of the node, by key.
        level_message: its summary.
        stamps_at_report: length of ``stamps`` when it came.
    """

    def __init__(self) -> None:
        self._node = rclpy.create_node("benchmark_probe", use_global_arguments=False)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self.sent: list[Sent] = []
        self.got: list[Got] = []
        self.stamps: list[float] = []
        self.service_s: list[float] = []
        self.unanswered = 0
        self.values: dict[str, str] = {}
        self.level_message = ""
        self.stamps_at_report = 0
        self._reports = 0
        self._call_started: float | None = None
        self._call: Any = None
        publish, subscribe = self._node.create_publisher, self._node.create_subscription
        self._intent = publish(String, "/intent", INTENT_INPUT)
        self._camera = {
            "image": publish(Image, COLOR_TOPIC, CAMERA_OUTPUT),
            "depth": publish(Image, DEPTH_TOPIC, CAMERA_OUTPUT),
            "camera_info": publish(CameraInfo, INFO_TOPIC, CAMERA_OUTPUT),
        }
        subscribe(InstanceMasks, "/instance_masks", self._on_result, RESULT_OUTPUT)
        subscribe(DiagnosticArray, "/diagnostics", self._on_diagnostics, DIAGNOSTICS_OUTPUT)
        subscribe(CameraInfo, INFO_TOPIC, self._on_info, _STAMPS)
        self._clients = {
            kind: self._node.create_client(kind, f"{PERCEPTION_NODE}/{name}")
            for kind, name in (
                (ChangeState, "change_state"),
                (GetState, "get_state"),
                (GetParameters, "get_parameters"),
            )
        }

    def close(self) -> None:
        """Leave DDS."""
        self._executor.shutdown(timeout_sec=1.0)
        self._node.destroy_node()

    def spin(self) -> None:
        """Handle what has arrived, or wait a moment."""
        self._executor.spin_once(timeout_sec=_SPIN_S)

    def wait(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Handle messages until ``done()`` or the time is over; return ``done()``."""
        end = time.monotonic() + timeout_s
        while not done() and time.monotonic() < end:
            self.spin()
        return done()

    def count(self, name: str) -> int:
        """Return a counter of the node, 0 when nothing was counted."""
        return self.counters().get(name, 0)

    def counters(self) -> dict[str, int]:
        """Return all counters of the node's newest report."""
        return {key: int(value) for key, value in self.values.items() if value.isdecimal()}

    def seconds(self, name: str) -> float | None:
        """Return a timing of the node's newest report, such as ``segment_p50_s``."""
        value = self.values.get(name)
        return None if value is None else float(value)

    def fresh_report(self, timeout_s: float = 10.0) -> bool:
        """Wait for a report that was made after now: the second one; False when none comes."""
        before = self._reports
        return self.wait(lambda: self._reports >= before + 2, timeout_s)

    def say(self, intent: str) -> int:
        """Publish an intent; return its number."""
        self.sent.append(Sent(time=time.time(), text=intent))
        self._intent.publish(String(data=intent))
        return len(self.sent) - 1

    @property
    def node(self) -> Any:
        """The rclpy node, for what a benchmark needs besides; spun by ``spin``."""
        return self._node

    def publish_as(self, topics: Mapping[str, tuple[Any, str]]) -> None:
        """Publish camera messages on other topics from now on.

        Args:
            topics: message type and topic by stream; a stream that is not in it has no publisher.
        """
        for publisher in self._camera.values():
            self._node.destroy_publisher(publisher)
        self._camera = {
            stream: self._node.create_publisher(kind, topic, CAMERA_OUTPUT)
            for stream, (kind, topic) in topics.items()
        }

    def publish(self, stream: str, message: Any) -> None:
        """Publish a camera message, besides the camera's own."""
        self._camera[stream].publish(message)

    def call(
        self, kind: Any, request: Any, timeout_s: float, check: Callable[[], None] = lambda: None
    ) -> Any:
        """Call a service of the node.

        Args:
            kind: type of the service.
            request: its request.
            timeout_s: for the service to come up and answer.
            check: called all the time; may raise.

        Raises:
            TimeoutError: no answer in time.
        """
        end = time.monotonic() + timeout_s
        client = self._clients[kind]

        def until(done: Callable[[], bool]) -> None:
            while not done():
                check()
                if time.monotonic() > end:
                    raise TimeoutError(f"{client.srv_name} did not answer within {timeout_s:g} s")
                self.spin()

        until(client.service_is_ready)
        future = client.call_async(request)
        until(future.done)
        return future.result()

    def activate(self, timeout_s: float, check: Callable[[], None]) -> None:
        """Configure and activate the node and wait until it reports.

        Raises:
            TimeoutError: it did not get there.
        """
        for transition, name in (
            (Transition.TRANSITION_CONFIGURE, "configure"),
            (Transition.TRANSITION_ACTIVATE, "activate"),
        ):
            request = ChangeState.Request(transition=Transition(id=transition))
            if not self.call(ChangeState, request, timeout_s, check).success:
                raise TimeoutError(f"{PERCEPTION_NODE} failed to {name}")

        def connected() -> bool:
            check()
            publishers = (self._intent, *self._camera.values())
            return self.values.get("state") == "active" and all(
                one.get_subscription_count() for one in publishers
            )

        if not self.wait(connected, timeout_s):
            raise TimeoutError(f"{PERCEPTION_NODE} is active but not connected to its topics")

    def is_active(self) -> bool:
        """Ask the node whether it is active; False also when it does not answer."""
        try:
            state = self.call(GetState, GetState.Request(), 10.0).current_state.id
        except TimeoutError:
            return False
        return bool(state == State.PRIMARY_STATE_ACTIVE)

    def start_call(self) -> None:
        """Start timing a parameter call; one that is not answered yet is given up."""
        if self._call is not None:
            self.unanswered += 1
            self._call.cancel()
        self._call_started = time.perf_counter()
        request = GetParameters.Request(names=["score_threshold"])
        self._call = self._clients[GetParameters].call_async(request)
        self._call.add_done_callback(self._on_call)

    def finish_calls(self, timeout_s: float) -> None:
        """Wait for the last parameter call."""
        if not self.wait(lambda: self._call is None, timeout_s):
            self.unanswered += 1

    def _on_call(self, future: Any) -> None:
        if future is self._call and not future.cancelled():
            assert self._call_started is not None
            self.service_s.append(time.perf_counter() - self._call_started)
            self._call = None

    def _on_result(self, msg: InstanceMasks) -> None:
        self.got.append(Got(time=time.time(), text=msg.intent, stamp=_seconds(msg)))

    def _on_info(self, msg: CameraInfo) -> None:
        self.stamps.append(_seconds(msg))

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        for status in msg.status:
            if status.name.startswith(f"{PERCEPTION_NODE}:"):
                self.values = {one.key: one.value for one in status.values}
                self.level_message = status.message
                self.stamps_at_report = len(self.stamps)
                self._reports += 1


def _seconds(msg: Any) -> float:
    return float(msg.header.stamp.sec + msg.header.stamp.nanosec * 1e-9)
