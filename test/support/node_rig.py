"""The real node over DDS, and around it a robot: camera, intents, listeners, clients."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PointStamped
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import DescribeParameters, SetParametersAtomically
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import String
from std_srvs.srv import Trigger

from lisa_ros.action import FindTarget
from lisa_ros.msg import FollowState, InstanceMasks, Targets
from lisa_ros.perception_node import PerceptionNode, spin
from lisa_ros.srv import Segment

OUTPUTS = {
    "target_mask": Image,
    "instance_masks": InstanceMasks,
    "targets": Targets,
    "target_point": PointStamped,
    "follow_state": FollowState,
    "answer": String,
}

# Discovery on a machine under load.
FOUND_WITHIN_S = 30.0


class NodeRig:
    """The node on one thread, and around it a robot: camera, intents, listeners, clients."""

    def __init__(self, make: Any, domain: int, parameters: tuple[str, ...]) -> None:
        self.make = make
        arguments = ["--ros-args"]
        # A machine under load may take seconds from a test's one frame to its intent.
        for parameter in ("max_frame_age_s:=30.0", *parameters):
            arguments += ["-p", parameter]
        rclpy.init(args=arguments, domain_id=domain)
        self.node = PerceptionNode()
        self.spinning = threading.Thread(target=spin, args=(self.node,))
        self.robot = rclpy.create_node("robot", use_global_arguments=False)
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.robot)
        create = self.robot.create_publisher
        self.image = create(Image, "/camera/color/image_raw", qos_profile_sensor_data)
        self.depth = create(Image, "/camera/depth/image_raw", qos_profile_sensor_data)
        self.info = create(CameraInfo, "/camera/color/camera_info", qos_profile_sensor_data)
        self.intent = create(String, "/intent", 10)
        self.got: dict[str, list[Any]] = {name: [] for name in (*OUTPUTS, "diagnostics", "overlay")}
        for name, kind in OUTPUTS.items():
            self.robot.create_subscription(kind, f"/{name}", self.got[name].append, 10)
        self.robot.create_subscription(
            DiagnosticArray, "/diagnostics", self.got["diagnostics"].append, 10
        )
        self.action = ActionClient(self.robot, FindTarget, "/perception_node/find_target")
        self.clients = {
            kind: self.robot.create_client(kind, f"/perception_node/{name}")
            for kind, name in (
                (ChangeState, "change_state"),
                (GetState, "get_state"),
                (Segment, "segment"),
                (Trigger, "cancel"),
                (SetParametersAtomically, "set_parameters_atomically"),
                (DescribeParameters, "describe_parameters"),
            )
        }
        self.spinning.start()
        assert self.action.wait_for_server(FOUND_WITHIN_S)
        for client in self.clients.values():
            assert client.wait_for_service(FOUND_WITHIN_S)
        # The server is found before it has found this client; feedback until then is lost.
        feedback = "/perception_node/find_target/_action/feedback"
        self.until(lambda: self.node.count_subscribers(feedback) == 1, FOUND_WITHIN_S)
        self.until(self.answered, FOUND_WITHIN_S)

    def close(self) -> None:
        # As main() does: the model is released before the context ends.
        rclpy.try_shutdown()
        self.spinning.join(20)
        assert not self.spinning.is_alive()
        assert self.node.release()

    def until(self, condition: Callable[[], Any], timeout: float = 10.0) -> None:
        assert self.within(condition, timeout), "timed out"

    def within(self, condition: Callable[[], Any], timeout: float) -> bool:
        """Spin until a condition holds; False when it did not in time."""
        end = time.monotonic() + timeout
        while not (held := bool(condition())) and time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.02)
        return held

    def call(self, kind: Any, request: Any, timeout: float = 15.0) -> Any:
        future = self.clients[kind].call_async(request)
        self.until(future.done, timeout)
        return future.result()

    def answered(self) -> bool:
        """Whether the server answers the client that was made last, and so has found them all.

        An answer is lost when the server has not yet found the client that asked.
        """
        *_, last = self.clients.values()
        future = last.call_async(DescribeParameters.Request())
        return self.within(future.done, 1.0)

    def change(self, transition: int) -> bool:
        request = ChangeState.Request(transition=Transition(id=transition))
        return self.call(ChangeState, request).success

    def state(self) -> int:
        return self.call(GetState, GetState.Request()).current_state.id

    def activate(self) -> None:
        assert self.change(Transition.TRANSITION_CONFIGURE)
        assert self.change(Transition.TRANSITION_ACTIVATE)
        inputs = (self.image, self.depth, self.info, self.intent)
        self.until(lambda: all(one.get_subscription_count() == 1 for one in inputs), FOUND_WITHIN_S)

    def frame(self, stamp: float, depth: bool = True, image: Image | None = None) -> None:
        """Publish one frame until the node has all of it: best effort may lose a message."""
        messages = {
            "camera_info": (self.info, self.make.info(stamp)),
            "image": (self.image, image or self.make.image(stamp)),
        }
        if depth:
            messages["depth"] = (self.depth, self.make.depth(stamp))
        before = {stream: self.count(f"received.{stream}") for stream in messages}

        def missing() -> list[str]:
            return [s for s in messages if self.count(f"received.{s}") == before[s]]

        end = time.monotonic() + 10
        while missing():
            assert time.monotonic() < end, f"not received: {missing()}"
            for stream in missing():
                publisher, message = messages[stream]
                publisher.publish(message)
            self.within(lambda: not missing(), 1.0)

    def set(self, name: str, value: Any) -> Any:
        """Set a parameter over ROS."""
        message = Parameter(name, value=value).to_parameter_msg()
        request = SetParametersAtomically.Request(parameters=[message])
        return self.call(SetParametersAtomically, request).result

    def say(self, intent: str) -> None:
        self.intent.publish(String(data=intent))

    def count(self, name: str) -> int:
        return self.node.diagnostics.value(name)

    def refused(self, code: str) -> int:
        return self.count(f"refused.{code}")

    def answers(self, number: int) -> None:
        """Wait until this many answers have come, with what belongs to them."""
        self.until(
            lambda: all(
                len(self.got[name]) >= number
                for name in ("answer", "target_mask", "instance_masks", "targets")
            )
        )

    def works(self, stamp: float) -> None:
        """The node answers a good intent about a good frame."""
        number = len(self.got["answer"]) + 1
        self.frame(stamp)
        self.say("find it")
        self.answers(number)
        assert self.got["targets"][-1].targets[0].has_3d
        assert self.got["target_mask"][-1].header == self.make.header(stamp)

    def find(self, intent: str, **fields: Any) -> Goal:
        """Send a goal to the action."""
        feedback: list[Any] = []
        request = FindTarget.Goal(intent=intent, **fields)
        sent = self.action.send_goal_async(request, lambda msg: feedback.append(msg.feedback))
        self.until(sent.done)
        assert sent.result().accepted
        return Goal(self, sent.result(), feedback)


class Goal:
    """A goal of the action, accepted."""

    def __init__(self, rig: NodeRig, handle: Any, feedback: list[Any]) -> None:
        self._rig = rig
        self._handle = handle
        self.feedback = feedback
        self._result = handle.get_result_async()

    def cancel(self) -> None:
        self._handle.cancel_goal_async()

    def end(self) -> tuple[int, Any]:
        """Wait for the end; return the goal's status and result."""
        self._rig.until(self._result.done)
        return self._result.result().status, self._result.result().result

    def stages(self) -> list[str]:
        return [one.stage for one in self.feedback]
