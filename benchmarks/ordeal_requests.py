"""Sends the requests of an ordeal by topic, action and service, and enters their ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from action_msgs.msg import GoalStatus
from builtin_interfaces.msg import Time
from rclpy.action import ActionClient
from sensor_msgs.msg import Image
from std_msgs.msg import Header, String

from benchmarks.ordeal_ledger import (
    ACTION,
    ANSWERED,
    CALL_FAILED,
    GOAL_REJECTED,
    NO_REASON,
    SERVICE,
    TOPIC,
    Ledger,
    Request,
)
from benchmarks.ordeal_messages import malformed
from benchmarks.ordeal_schedule import Event
from benchmarks.probe import Probe
from lisa_model.rgbd import RgbdFrame
from lisa_ros.action import FindTarget
from lisa_ros.demo_connection import PERCEPTION_NODE
from lisa_ros.msg import InstanceMasks
from lisa_ros.qos import INTENT_INPUT, RESULT_OUTPUT
from lisa_ros.scene_player import FRAME_ID, frame_messages
from lisa_ros.srv import Segment

# Texts that must be refused whatever the parameters are.
WRONG_TEXTS = {
    "empty": "",
    "blank": " \n\t ",
    "too_long": "please " * 1500,
    "control_character": "find\x07the cup",  # not NUL, at which DDS ends a string
    "special_token": "find the cup [SEG]",
}


class Requester:
    """Sends requests.

    Args:
        probe: whose node is used.
        ledger: gets the requests and their ends.
        frame: for images that requests bring along.
        since_start: seconds since the start of the run.
        camera_ready: tells whether the node is active; and with a fresh camera frame.
    """

    def __init__(
        self,
        probe: Probe,
        ledger: Ledger,
        frame: RgbdFrame,
        *,
        since_start: Callable[[], float],
        node_ready: Callable[[], bool],
        camera_ready: Callable[[], bool],
    ) -> None:
        self._ledger = ledger
        self._frame = frame
        self._now = since_start
        self._node_ready = node_ready
        self._camera_ready = camera_ready
        node = probe.node
        self._intent = node.create_publisher(String, "/intent", INTENT_INPUT)
        self._action = ActionClient(node, FindTarget, f"{PERCEPTION_NODE}/find_target")
        self._segment = node.create_client(Segment, f"{PERCEPTION_NODE}/segment")
        node.create_subscription(InstanceMasks, "/instance_masks", self._on_result, RESULT_OUTPUT)
        self._senders: dict[str, Callable[[dict[str, Any]], None]] = {
            "intent": self._say,
            "wrong_intent": self._say_wrong,
            "goal": self._send_goal,
            "wrong_goal": self._send_wrong_goal,
            "call": self._call,
            "image": self._call_with_image,
            "wrong_image": self._call_with_wrong_image,
        }

    def close(self) -> None:
        """Take the action's client away: it would keep the node in DDS after its end."""
        self._action.destroy()

    def connected(self) -> bool:
        """Tell whether topic, action and service have found the node."""
        return (
            self._intent.get_subscription_count() > 0
            and self._action.server_is_ready()
            and self._segment.service_is_ready()
        )

    def sends(self, event: Event) -> bool:
        """Send the request of an event; False when it is about something else."""
        sender = self._senders.get(event.kind)
        if sender is not None:
            sender(event.values)
        return sender is not None

    def _say(self, values: dict[str, Any]) -> None:
        self._ledger.add(TOPIC, values["text"], self._now(), ready=self._ready())
        self._intent.publish(String(data=values["text"]))

    def _say_wrong(self, values: dict[str, Any]) -> None:
        text = WRONG_TEXTS[values["wrong"]]
        self._ledger.add(TOPIC, text, self._now(), ready=False, refusable=True)
        self._intent.publish(String(data=text))

    def _send_goal(self, values: dict[str, Any]) -> None:
        goal = FindTarget.Goal(
            intent=values["text"],
            deadline_s=values["deadline_s"],
            want_3d=values["want_3d"],
            follow=values["follow"],
        )
        request = self._ledger.add(ACTION, goal.intent, self._now(), ready=self._ready())
        _Goal(self._ledger, request, self._now, values["cancel_at"]).send(self._action, goal)

    def _send_wrong_goal(self, values: dict[str, Any]) -> None:
        goal = FindTarget.Goal(intent=values["text"], deadline_s=values["deadline_s"])
        request = self._ledger.add(ACTION, goal.intent, self._now(), ready=False, refusable=True)
        _Goal(self._ledger, request, self._now, "").send(self._action, goal)

    def _call(self, values: dict[str, Any]) -> None:
        request = self._ledger.add(SERVICE, values["text"], self._now(), ready=self._ready())
        self._send_call(request, Segment.Request(intent=values["text"]))

    def _call_with_image(self, values: dict[str, Any]) -> None:
        call = self._image_request(values["text"], depth=values["depth"])
        request = self._ledger.add(
            SERVICE, values["text"], self._now(), ready=self._node_ready(), own_image=True
        )
        self._send_call(request, call)

    def _call_with_wrong_image(self, values: dict[str, Any]) -> None:
        call = self._image_request("the cup", depth=True)
        stream, message = malformed(values["what"], self._frame, stamp=call.image.header.stamp)
        setattr(call, stream, message)
        request = self._ledger.add(
            SERVICE, call.intent, self._now(), ready=False, own_image=True, refusable=True
        )
        self._send_call(request, call)

    def _image_request(self, text: str, *, depth: bool) -> Any:
        header = Header(stamp=Time(sec=int(time.time())), frame_id=FRAME_ID)
        image, info, depth_image = frame_messages(self._frame, header)
        return Segment.Request(
            intent=text,
            use_image=True,
            image=image,
            depth=depth_image if depth else Image(),
            camera_info=info,
        )

    def _send_call(self, request: Request, call: Any) -> None:
        def on_response(future: Any) -> None:
            if future.exception() is not None:
                self._ledger.end(request, CALL_FAILED, self._now(), repr(future.exception()))
                return
            _enter(self._ledger, request, future.result(), self._now())

        self._segment.call_async(call).add_done_callback(on_response)

    def _ready(self) -> bool:
        return self._node_ready() and self._camera_ready()

    def _on_result(self, msg: InstanceMasks) -> None:
        self._ledger.on_result(msg.intent, self._now())


class _Goal:
    """One goal, from being sent to its result."""

    def __init__(
        self, ledger: Ledger, request: Request, now: Callable[[], float], cancel_at: str
    ) -> None:
        self._ledger, self._request, self._now = ledger, request, now
        self._cancel_at = cancel_at
        self._cancel_due = cancel_at == "accepted"
        self._handle: Any = None

    def send(self, client: ActionClient, goal: Any) -> None:
        sent = client.send_goal_async(goal, feedback_callback=self._on_feedback)
        sent.add_done_callback(self._on_accepted)

    def _on_accepted(self, future: Any) -> None:
        if future.exception() is not None or not future.result().accepted:
            self._ledger.end(self._request, GOAL_REJECTED, self._now())
            return
        self._handle = future.result()
        self._handle.get_result_async().add_done_callback(self._on_result)
        self._cancel_if_due()

    def _on_feedback(self, message: Any) -> None:
        if message.feedback.stage == self._cancel_at:
            self._cancel_due = True
            self._cancel_if_due()

    def _cancel_if_due(self) -> None:
        if self._cancel_due and self._handle is not None:
            self._cancel_due, self._cancel_at = False, ""
            self._handle.cancel_goal_async()

    def _on_result(self, future: Any) -> None:
        if future.exception() is not None:
            message = repr(future.exception())
            self._ledger.end(self._request, CALL_FAILED, self._now(), message)
            return
        status, result = future.result().status, future.result().result
        fits = {
            GoalStatus.STATUS_SUCCEEDED: result.success,
            GoalStatus.STATUS_CANCELED: result.error_code == "cancelled",
            GoalStatus.STATUS_ABORTED: not result.success,
        }
        if not fits.get(status, False):
            message = f"status {status} with {result.error_code!r}: {result.message}"
            self._ledger.end(self._request, CALL_FAILED, self._now(), message)
            return
        _enter(self._ledger, self._request, result, self._now())


def _enter(ledger: Ledger, request: Request, response: Any, now_s: float) -> None:
    """Enter what a response or a result says."""
    if response.success:
        targets = response.targets.targets
        request.no_3d = tuple(one.reason for one in targets if not one.has_3d)
        ledger.end(request, ANSWERED, now_s)
    elif response.error_code and response.message:
        ledger.end(request, response.error_code, now_s, response.message)
    else:
        ledger.end(request, NO_REASON, now_s, f"code {response.error_code!r}")
