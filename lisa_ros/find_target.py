"""The action ~/find_target."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import RCLError, ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.exceptions import InvalidHandle
from rclpy.lifecycle import LifecycleNode
from rclpy.task import Future

from lisa_model.geometry import NoTarget3D
from lisa_ros.action import FindTarget
from lisa_ros.answer import Answer, Outcome
from lisa_ros.asker import Asker
from lisa_ros.control import WAITING, Control, StageReport
from lisa_ros.errors import CANCELLED, INTERNAL_ERROR, TARGET_WITHOUT_3D
from lisa_ros.segment_service import fill_response

# A client asks for the result at once. rclpy keeps one for 15 minutes by default, masks and all:
# half a megabyte for each goal.
RESULT_KEPT_S = 10


class FindTargetAction:
    """Answers ~/find_target; like ~/segment it never holds up the executor (see SegmentService).

    Every goal is accepted: what is wrong with it is told by the result, with code and remedy,
    which a rejected goal could not carry.

    Args:
        node: owner of the action.
        asker: where requests go.
        publish: publishes answers.
    """

    def __init__(
        self, node: LifecycleNode, asker: Asker, publish: Callable[[Answer], None]
    ) -> None:
        self._node = node
        self._asker = asker
        self._publish = publish
        self._controls: dict[bytes, Control] = {}
        self._server: Any = ActionServer(
            node,
            FindTarget,
            "~/find_target",
            execute_callback=self._execute,
            goal_callback=lambda _: GoalResponse.ACCEPT,
            cancel_callback=self._cancel,
            callback_group=ReentrantCallbackGroup(),
            result_timeout=RESULT_KEPT_S,
        )

    def destroy(self) -> None:
        """Take the action away."""
        self._server.destroy()

    async def _execute(self, goal: ServerGoalHandle) -> Any:
        executor = self._node.executor
        future: Any = Future()
        request = goal.request

        def on_stage(report: StageReport) -> None:
            _feedback(goal, report.stage, report.partial_answer(), report.elapsed_s)

        def on_done(outcome: Outcome) -> None:
            # On the inference thread: the executor's thread must not do the conversions.
            result = FindTarget.Result(error_code=INTERNAL_ERROR, message="see the node's log")
            try:
                if isinstance(outcome, Answer):
                    self._publish(outcome)
                filled = fill_response(FindTarget.Result(), outcome)
                if request.want_3d and isinstance(outcome, Answer) and outcome.best < 0:
                    _refuse(filled, outcome)
                result = filled
            finally:  # a goal must end, whatever else fails
                executor.create_task(future.set_result, result)

        key = bytes(goal.goal_id.uuid)
        _feedback(goal, WAITING, "", 0.0)
        control = self._asker.ask(
            request.intent,
            on_done,
            follow=request.follow,
            deadline_s=request.deadline_s,
            on_stage=on_stage,
        )
        if control is not None:
            self._controls[key] = control
            if goal.is_cancel_requested:  # before it could be found in the table
                self._asker.cancel_request(control)
        try:
            result = await future
        finally:
            self._controls.pop(key, None)
        if result.success:
            goal.succeed()
        elif result.error_code == CANCELLED and goal.is_cancel_requested:
            goal.canceled()
        else:
            goal.abort()
        return result

    def _cancel(self, goal: ServerGoalHandle) -> CancelResponse:
        control = self._controls.get(bytes(goal.goal_id.uuid))
        if control is not None:
            # After the goal has become "canceling", which it does when this returns.
            self._node.executor.create_task(self._asker.cancel_request, control)
        return CancelResponse.ACCEPT


def _feedback(goal: ServerGoalHandle, stage: str, partial_answer: str, elapsed_s: float) -> None:
    message = FindTarget.Feedback(
        stage=stage, partial_answer=partial_answer, elapsed_s=float(elapsed_s)
    )
    # A goal that ends in this moment, or a node that is ended, is no reason to end the inference.
    with suppress(RCLError, InvalidHandle):
        if goal.is_active:
            goal.publish_feedback(message)


def _refuse(result: Any, answer: Answer) -> None:
    """Turn a result into the refusal of a goal that wanted a position; the masks stay."""
    result.success = False
    result.error_code = TARGET_WITHOUT_3D
    reasons = [
        f"#{one.id}: {one.position.text}"
        for one in answer.targets
        if isinstance(one.position, NoTarget3D)
    ]
    if reasons:
        result.message = "no target has a 3D position: " + "; ".join(reasons)
    else:
        result.message = (
            "the answer has no target. Say it in other words, look from elsewhere, or lower "
            "score_threshold"
        )
