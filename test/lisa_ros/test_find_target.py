"""The action ~/find_target and the service ~/cancel of the real node, over DDS."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from action_msgs.msg import GoalStatus
from lifecycle_msgs.msg import Transition
from node_rig import Goal, NodeRig
from std_srvs.srv import Trigger

from lisa_ros.srv import Segment

pytestmark = pytest.mark.ros

SUCCEEDED, ABORTED, CANCELED = (
    GoalStatus.STATUS_SUCCEEDED,
    GoalStatus.STATUS_ABORTED,
    GoalStatus.STATUS_CANCELED,
)


def ready(start: Callable[..., NodeRig], *parameters: str) -> NodeRig:
    """An active node that has seen one frame."""
    rig = start(*parameters)
    rig.activate()
    rig.frame(1.0)
    return rig


def held(rig: NodeRig, fake: Any, **fields: Any) -> Goal:
    """A goal "first" that runs, until ``fake.hold`` is set."""
    fake.hold = threading.Event()
    goal = rig.find("first", **fields)
    assert fake.started.wait(5)
    return goal


def test_action_service_and_topic_give_identical_results(start: Callable[..., NodeRig]):
    rig = start()
    rig.activate()
    rig.frame(4.0)
    rig.say("find it")
    rig.answers(1)
    response = rig.call(Segment, Segment.Request(intent="find it"))
    status, result = rig.find("find it").end()
    rig.answers(3)
    assert (status, result.success, result.error_code) == (SUCCEEDED, True, "")
    for one in (response, result):
        assert one.answer == rig.got["answer"][0].data
        assert one.instance_masks == rig.got["instance_masks"][0]
        assert one.targets == rig.got["targets"][0]
        assert one.target_mask == rig.got["target_mask"][0]
    for name in ("instance_masks", "targets", "target_mask", "answer"):
        assert rig.got[name][0] == rig.got[name][1] == rig.got[name][2], name


def test_feedback_tells_stages_and_the_answer_so_far(
    start: Callable[..., NodeRig], monkeypatch: pytest.MonkeyPatch
):
    rig = ready(start)
    seen = threading.Event()
    publish = rig.node._results.publish

    def publish_later(answer: Any) -> None:
        # rclpy's client drops feedback that is still on its way when the goal ends.
        assert seen.wait(20)
        publish(answer)

    monkeypatch.setattr(rig.node._results, "publish", publish_later)
    goal = rig.find("find it")
    try:
        rig.until(lambda: "locating" in goal.stages())
    finally:
        seen.set()
    assert goal.end()[0] == SUCCEEDED
    stages = goal.stages()
    assert stages[0] == "waiting"
    assert stages[-6:] == ["reading", *["answering"] * 3, "marking", "locating"]
    written = [one.partial_answer for one in goal.feedback if one.stage == "answering"]
    assert written == ["It", "It is", "It is this."]
    elapsed = [one.elapsed_s for one in goal.feedback]
    assert elapsed == sorted(elapsed)


def test_a_goal_is_cancelled_while_the_model_writes(start: Callable[..., NodeRig], fake: Any):
    rig = ready(start)
    fake.tokens = threading.Semaphore(1)
    goal = rig.find("find it")
    rig.until(lambda: "answering" in goal.stages())
    goal.cancel()
    status, result = goal.end()
    assert (status, result.success, result.error_code) == (CANCELED, False, "cancelled")
    assert rig.node._engine.busy, "it was told before the model stopped"
    fake.tokens.release(2)
    rig.until(lambda: not rig.node._engine.busy)
    assert rig.got["answer"] == []
    fake.tokens = None
    rig.works(2.0)


def test_a_waiting_goal_is_cancelled_and_the_running_one_goes_on(
    start: Callable[..., NodeRig], fake: Any
):
    rig = ready(start)
    first = held(rig, fake)
    second = rig.find("second")
    second.cancel()
    assert second.end()[0] == CANCELED
    fake.hold.set()
    assert first.end()[0] == SUCCEEDED
    assert fake.intents == ["first"]


def test_a_newer_request_replaces_the_waiting_goal(start: Callable[..., NodeRig], fake: Any):
    rig = ready(start)
    first = held(rig, fake)
    second = rig.find("second")
    rig.say("third")
    status, result = second.end()
    assert (status, result.error_code) == (ABORTED, "intent_replaced")
    fake.hold.set()
    assert first.end()[0] == SUCCEEDED
    rig.answers(2)
    assert fake.intents == ["first", "third"]


def test_a_deadline_ends_a_running_and_a_waiting_goal(start: Callable[..., NodeRig], fake: Any):
    rig = ready(start)
    began = time.monotonic()
    first = held(rig, fake, deadline_s=0.6)
    second = rig.find("second", deadline_s=0.3)
    for goal in (second, first):
        status, result = goal.end()
        assert (status, result.error_code) == (ABORTED, "deadline_exceeded")
    assert time.monotonic() - began < 3.0
    fake.hold.set()
    rig.until(lambda: not rig.node._engine.busy)
    assert fake.intents == ["first"]
    assert rig.got["answer"] == []
    rig.works(2.0)


def test_the_parameter_is_a_deadline_for_everybody(start: Callable[..., NodeRig], fake: Any):
    rig = ready(start, "inference_timeout_s:=0.3")
    fake.hold = threading.Event()
    rig.say("find it")
    rig.until(lambda: rig.refused("deadline_exceeded") == 1)
    fake.hold.set()


@pytest.mark.parametrize("deadline", [-1.0, float("nan"), float("inf")])
def test_a_deadline_that_is_none_is_refused(start: Callable[..., NodeRig], deadline: float):
    rig = start()
    rig.activate()
    status, result = rig.find("find it", deadline_s=deadline).end()
    assert (status, result.error_code) == (ABORTED, "deadline_invalid")
    assert "deadline_s" in result.message


def test_a_goal_that_wants_3d_says_why_there_is_none(start: Callable[..., NodeRig]):
    rig = start()
    rig.activate()
    rig.frame(1.0, depth=False)
    status, result = rig.find("find it", want_3d=True).end()
    assert (status, result.success, result.error_code) == (ABORTED, False, "target_without_3d")
    assert "depth" in result.message
    assert any(result.target_mask.data), "the masks are there all the same"
    status, result = rig.find("nothing", want_3d=True).end()
    assert (status, result.error_code) == (ABORTED, "target_without_3d")
    assert "no target" in result.message
    assert rig.find("find it").end()[0] == SUCCEEDED
    rig.frame(2.0)
    status, result = rig.find("find it", want_3d=True).end()
    assert status == SUCCEEDED
    assert result.targets.best == 0


def test_a_goal_for_an_inactive_node_is_aborted_with_the_remedy(start: Callable[..., NodeRig]):
    rig = start()
    for prepare in (None, Transition.TRANSITION_CONFIGURE):
        if prepare is not None:
            assert rig.change(prepare)
        status, result = rig.find("find it").end()
        assert (status, result.error_code) == (ABORTED, "not_active")
        assert "activate" in result.message


def test_deactivating_ends_goals(start: Callable[..., NodeRig], fake: Any):
    rig = ready(start)
    running = held(rig, fake)
    waiting = rig.find("second")
    assert rig.change(Transition.TRANSITION_DEACTIVATE)
    assert waiting.end()[1].error_code == "not_active"
    fake.hold.set()
    assert running.end()[1].error_code == "not_active"
    assert rig.got["answer"] == []


def test_cancel_ends_what_runs_and_what_waits(start: Callable[..., NodeRig], fake: Any):
    rig = ready(start)
    response = rig.call(Trigger, Trigger.Request())
    assert (response.success, response.message) == (False, "nothing to cancel")
    running = held(rig, fake)
    rig.say("second")
    rig.until(lambda: rig.count("intents_received") == 2)
    response = rig.call(Trigger, Trigger.Request())
    assert (response.success, response.message) == (True, "cancelled 2 request(s)")
    # Not "canceled": the client of the goal did not ask for it.
    assert running.end()[0] == ABORTED
    assert running.end()[1].error_code == "cancelled"
    assert rig.refused("cancelled") == 2
    fake.hold.set()
    rig.works(2.0)
    assert fake.intents == ["first", "find it"]


def test_memory_that_runs_out_is_told_with_what_to_set(start: Callable[..., NodeRig]):
    rig = ready(start)
    status, result = rig.find("out of memory").end()
    assert (status, result.error_code) == (ABORTED, "out_of_memory")
    assert "dtype to bfloat16" in result.message
    rig.works(2.0)


def test_an_inference_that_hangs_is_reported_and_forgiven(start: Callable[..., NodeRig], fake: Any):
    rig = ready(start, "watchdog_s:=0.4")
    hanging = held(rig, fake)
    waiting = rig.find("second")
    for goal in (hanging, waiting):
        status, result = goal.end()
        assert (status, result.error_code) == (ABORTED, "inference_hung")
    assert "restart the node" in result.message
    assert rig.find("third").end()[1].error_code == "inference_hung"
    rig.got["diagnostics"].clear()
    rig.until(lambda: rig.got["diagnostics"])
    status = rig.got["diagnostics"][-1].status[0]
    assert status.level == status.ERROR
    assert "watchdog_s" in status.message
    fake.hold.set()
    rig.until(lambda: rig.node._engine.hung is None)
    fake.hold = None
    rig.works(2.0)
    assert fake.intents == ["first", "find it"]


def test_a_goal_and_a_call_end_also_when_publishing_fails(
    start: Callable[..., NodeRig], monkeypatch: pytest.MonkeyPatch
):
    rig = ready(start)

    def broken(*_: Any) -> None:
        raise RuntimeError("publishing fails on purpose")

    with monkeypatch.context() as failing:
        failing.setattr(rig.node._results, "publish", broken)
        status, result = rig.find("find it").end()
        assert (status, result.error_code) == (ABORTED, "internal_error")
        response = rig.call(Segment, Segment.Request(intent="find it"))
        assert (response.success, response.error_code) == (False, "internal_error")
    assert rig.refused("internal_error") == 2
    rig.works(2.0)
