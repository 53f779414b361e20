"""From words to a pre-grasp pose, as a manipulation stack does it; moves nothing itself.

    python3 examples/pick_target.py "bring me the red cup" --frame base_link --follow

Asks ~/find_target of the perception node for a target in 3D, checks whether it can be gripped, and
publishes /pick_target/pregrasp (geometry_msgs/PoseStamped): z is the way the gripper moves, x the
way its fingers close. With --follow it goes on with each frame, until following ends or Ctrl-C.
docs/howto_manipulation.md walks through it.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import rclpy
from geometry_msgs.msg import PoseStamped
from pregrasp import CannotGraspError, GraspLimits, PreGrasp, moved, pregrasp_of, to_pose_stamped
from rclpy.action import ActionClient
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions
from rclpy.time import Time
from rclpy.utilities import remove_ros_args
from std_srvs.srv import Trigger

from lisa_ros.action import FindTarget
from lisa_ros.error_table import Reaction, reaction_to
from lisa_ros.msg import FollowedTarget, FollowState, Target3D, Targets
from lisa_ros.transforms import REASON_NO_TF2, Tf2Transforms, TransformError, TransformLookup

PERIOD_S = 0.05
RESULTS = QoSProfile(depth=5)  # reliable and volatile, as the node publishes


@dataclass(frozen=True, kw_only=True)
class PickConfig:
    """What is wanted.

    Attributes:
        intent: in words.
        frame: of the pre-grasp; "" for that of the targets.
        deadline_s: for one answer.
        follow: go on with each frame.
        attempts: how often a request is sent that is worth repeating.
        min_confidence: a followed target below this is not acted on.
        tf_wait_s: how long a transform at the image's stamp may take to arrive.
        limits: of the gripper.
        node: the perception node's name.
    """

    intent: str
    frame: str = ""
    deadline_s: float = 20.0
    follow: bool = False
    attempts: int = 3
    min_confidence: float = 0.5
    tf_wait_s: float = 0.5
    limits: GraspLimits = field(default_factory=GraspLimits)
    node: str = "/perception_node"


@dataclass(frozen=True)
class Outcome:
    """How it ended; ``reaction`` is None when there was a pre-grasp to the end."""

    text: str
    reaction: Reaction | None = None


class PickTarget(Node):
    """All in callbacks that never wait, so any executor will do.

    Attributes:
        outcome: None while it works.
        sent: the pre-grasps that were published.
    """

    def __init__(self, config: PickConfig, transforms: TransformLookup | None = None) -> None:
        super().__init__("pick_target")
        self._config = config
        self.outcome: Outcome | None = None
        self.sent: list[PoseStamped] = []
        self._attempt = 0
        self._id = 0  # of the chosen target; 0 for none
        self._asking = False
        self._ask_at = 0.0
        self._asked_until = math.inf
        self._stamp: Any = None  # of the result; following that began there is ours
        self._began: Any = None
        self._waiting: tuple[PreGrasp, float] | None = None  # for its transform, until
        self._targets: Targets | None = None
        self._state: FollowState | None = None
        self._publisher = self.create_publisher(PoseStamped, "~/pregrasp", RESULTS)
        self._action = ActionClient(self, FindTarget, f"{config.node}/find_target")
        self._cancel = self.create_client(Trigger, f"{config.node}/cancel")
        self._transforms = transforms or Tf2Transforms(self)
        if config.frame and isinstance(self._transforms, Tf2Transforms):
            try:
                self._transforms.listen()  # early: only what comes from now on is found
            except TransformError as error:
                self._end(str(error), Reaction.NODE)
        if config.follow:
            space = config.node.rpartition("/")[0]
            self.create_subscription(Targets, f"{space}/targets", self._on_targets, RESULTS)
            self.create_subscription(FollowState, f"{space}/follow_state", self._on_state, RESULTS)
        self.create_timer(PERIOD_S, self._tick)

    # Asking

    def _tick(self) -> None:
        if self.outcome is not None:
            return
        if self._waiting is not None:
            self._deliver()
        now = time.monotonic()
        if now > self._asked_until:
            self._end(f"{self._config.node} does not answer any more", Reaction.NODE)
        elif not self._asking and now >= self._ask_at:
            if self._action.server_is_ready():
                self._ask()
            else:
                self.get_logger().warning(
                    f"waiting for {self._config.node}/find_target", throttle_duration_sec=5.0
                )

    def _ask(self) -> None:
        self._asking = True
        self._attempt += 1
        # The node keeps the deadline; this is for a node that dies meanwhile.
        self._asked_until = time.monotonic() + self._config.deadline_s + 5.0
        goal = FindTarget.Goal(
            intent=self._config.intent,
            deadline_s=self._config.deadline_s,
            want_3d=True,
            follow=self._config.follow,
        )
        sent = self._action.send_goal_async(goal, feedback_callback=self._on_feedback)
        sent.add_done_callback(
            lambda future: future.result().get_result_async().add_done_callback(self._on_result)
        )

    def _on_feedback(self, message: Any) -> None:
        told = message.feedback
        self.get_logger().info(f"{told.stage} {told.partial_answer}", throttle_duration_sec=1.0)

    def _on_result(self, future: Any) -> None:
        result = future.result().result
        self._asked_until = math.inf
        if result.success:
            self._take(result.targets)
            return
        reaction = reaction_to(result.error_code)
        self.get_logger().warning(f"{result.error_code}: {result.message}")
        if reaction is Reaction.RETRY and self._attempt < self._config.attempts:
            self._asking = False
            self._ask_at = time.monotonic() + 0.5  # somebody else asks: let them
            return
        # Everything else comes back in the same way: a person, or the caller's plan, has to act.
        self._end(f"{result.error_code}: {result.message}", reaction)

    def _take(self, targets: Targets) -> None:
        target = targets.targets[targets.best]  # want_3d: best is not -1
        self._id, self._stamp = target.id, target.header.stamp
        try:
            self._hand_over(self._grasp(target))
        except CannotGraspError as error:
            self._end(f"cannot be gripped: {error}", Reaction.LOOK)
        self._check_ended()

    def _grasp(self, target: Target3D) -> PreGrasp:
        age = self.get_clock().now() - Time.from_msg(target.header.stamp)
        return pregrasp_of(target, self._config.limits, age.nanoseconds * 1e-9)

    # Following

    def _on_targets(self, message: Targets) -> None:
        self._targets = message
        self._match()

    def _on_state(self, message: FollowState) -> None:
        self._state = message
        if message.following and message.reason == "intent":
            self._began = message.header.stamp
        self._check_ended()
        self._match()

    def _check_ended(self) -> None:
        """End with our following, not with that of an intent before; any may be told first."""
        state = self._state
        ours = self._stamp is not None and self._began == self._stamp
        if state is not None and ours and not state.following:
            asked_for = state.reason == "cancelled"
            reaction = Reaction.NONE if asked_for else Reaction.RETRY
            self._end(f"following has ended: {state.reason}", reaction)

    def _match(self) -> None:
        """Use positions and states that are of one frame, whichever came first."""
        targets, state = self._targets, self._state
        if targets is None or state is None or not self._id or self.outcome is not None:
            return
        if targets.header.stamp != state.header.stamp or state.header.stamp == self._stamp:
            return  # of two frames, or of the answer, which was used already
        self._targets = None
        followed = next((one for one in state.targets if one.id == self._id), None)
        target = next((one for one in targets.targets if one.id == self._id), None)
        if followed is None or followed.state == FollowedTarget.STATE_LOST or target is None:
            self._hold("it is out of sight")
        elif followed.confidence < self._config.min_confidence:
            self._hold(f"it may be something else (confidence {followed.confidence:.2f})")
        else:
            try:
                self._hand_over(self._grasp(target))
            except CannotGraspError as error:
                self._hold(str(error))

    def _hold(self, why: str) -> None:
        """Send nothing: whoever moves has to stop when poses stay away."""
        self._waiting = None
        self.get_logger().warning(f"no pose for this frame: {why}", throttle_duration_sec=1.0)

    # The pose, in the frame that is wanted

    def _hand_over(self, grasp: PreGrasp) -> None:
        self._waiting = (grasp, time.monotonic() + self._config.tf_wait_s)
        self._deliver()

    def _deliver(self) -> None:
        assert self._waiting is not None
        grasp, until = self._waiting
        source, stamp = grasp.header.frame_id, grasp.header.stamp
        try:
            # Without waiting: this thread is the one that receives transforms.
            frame = self._config.frame or source
            transform = self._transforms.lookup(frame, source, stamp, 0.0)
        except TransformError as error:
            if error.code != REASON_NO_TF2 and time.monotonic() < until:
                return  # it may still arrive: looked up again in PERIOD_S
            self._end(str(error), Reaction.NODE)
            return
        self._waiting = None
        pose = to_pose_stamped(moved(grasp, transform, frame))
        self._publisher.publish(pose)
        self.sent.append(pose)
        if not self._config.follow:
            self._end(f"pre-grasp sent in {frame}, opening {grasp.opening_m:.3f} m")

    def _end(self, text: str, reaction: Reaction | None = None) -> None:
        if self.outcome is None:
            self.outcome = Outcome(text, reaction)

    def flush(self) -> None:
        """Wait until what was published has arrived."""
        self._publisher.wait_for_all_acked(Duration(seconds=1))

    def stop(self) -> Any:
        """End following; ends other people's requests as well. Returns a future."""
        return self._cancel.call_async(Trigger.Request())


def main() -> int:
    """Run; the exit status is 0 when there was a pre-grasp to the end."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("intent", help="what is wanted, in words")
    parser.add_argument("--frame", default="", help="of the pose, such as base_link; needs tf2_ros")
    parser.add_argument("--deadline", type=float, default=20.0, metavar="S")
    parser.add_argument("--follow", action="store_true", help="go on with each frame")
    parser.add_argument("--opening", type=float, default=0.08, metavar="M", help="of the gripper")
    parser.add_argument("--node", default="/perception_node")
    options = parser.parse_args(remove_ros_args(sys.argv)[1:])
    # Ctrl-C is caught below, with the context still alive, so that following can be ended.
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    pick = PickTarget(
        PickConfig(
            intent=options.intent,
            frame=options.frame,
            deadline_s=options.deadline,
            follow=options.follow,
            limits=GraspLimits(max_opening_m=options.opening),
            node=options.node,
        )
    )
    try:
        while pick.outcome is None:
            rclpy.spin_once(pick, timeout_sec=PERIOD_S)
    except KeyboardInterrupt:
        rclpy.spin_until_future_complete(pick, pick.stop(), timeout_sec=2.0)
        pick.outcome = Outcome("ended by Ctrl-C")
    pick.flush()
    print(pick.outcome.text)
    if pick.outcome.reaction is not None:
        print(f"what to do: {pick.outcome.reaction.value}")
    rclpy.try_shutdown()
    return 0 if pick.outcome.reaction is None else 1


if __name__ == "__main__":
    sys.exit(main())
