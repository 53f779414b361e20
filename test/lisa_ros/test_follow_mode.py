"""Follow mode of the real node, over DDS."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from lifecycle_msgs.msg import Transition
from node_rig import NodeRig
from std_srvs.srv import Trigger

from lisa_ros.srv import Segment

pytestmark = pytest.mark.ros


class Camera:
    """Frames one after the other, each with a later stamp; the red box moves when told."""

    def __init__(self, rig: NodeRig) -> None:
        self.rig = rig
        self.stamp = 10.0

    def shoot(self, shift: int | None = 0, depth: bool = True) -> float:
        """Publish a frame with the box moved by so many columns; None for a frame without it."""
        self.stamp += 0.1
        image = self.rig.make.image(self.stamp)
        pixels = np.frombuffer(image.data, np.uint8).reshape(*self.rig.make.size, 3)
        moved = np.roll(pixels, shift, axis=1) if shift is not None else np.full_like(pixels, 90)
        image.data = moved.tobytes()
        self.rig.frame(self.stamp, depth=depth, image=image)
        return self.stamp


def stamp_of(message: Any) -> float:
    return message.header.stamp.sec + message.header.stamp.nanosec * 1e-9


@pytest.fixture
def following(start: Callable[..., NodeRig]) -> tuple[NodeRig, Camera]:
    """A node that follows the red box."""
    rig = start("follow:=true", "follow_reask_s:=0.0")
    rig.activate()
    camera = Camera(rig)
    camera.shoot()
    rig.say("find it")
    rig.until(lambda: rig.got["follow_state"])
    return rig, camera


def followed(rig: NodeRig, camera: Camera, shift: int | None, depth: bool = True) -> Any:
    """Shoot a frame and return the state of that frame."""
    stamp = camera.shoot(shift, depth)
    rig.until(lambda: any(stamp_of(one) == pytest.approx(stamp) for one in rig.got["follow_state"]))
    return rig.got["follow_state"][-1]


def test_targets_are_followed_without_asking(following: tuple[NodeRig, Camera], fake: Any):
    rig, camera = following
    first = rig.got["follow_state"][0]
    assert (first.intent, first.following, first.reason) == ("find it", True, "intent")
    assert first.answer == "It is find it."
    assert [one.id for one in first.targets] == [1]
    for count, shift in enumerate((2, 4, 7), start=1):
        state = followed(rig, camera, shift)
        assert state.following
        assert [(one.id, one.state) for one in state.targets] == [(1, "tracking")]
        assert state.targets[0].confidence > 0.5
        rig.until(lambda count=count: len(rig.got["target_mask"]) == 1 + count)
        mask = rig.got["target_mask"][-1]
        assert mask.header == state.header
        columns = np.frombuffer(mask.data, np.uint8).reshape(rig.make.size).any(axis=0)
        assert np.flatnonzero(columns)[[0, -1]].tolist() == [20 + shift, 39 + shift]
        (target,) = rig.got["targets"][-1].targets
        assert (target.id, target.has_3d) == (1, True)
        assert rig.got["target_point"][-1].header == state.header
    assert fake.intents == ["find it"], "the LLM is asked once"
    assert len(rig.got["answer"]) == 1
    assert rig.got["follow_state"][-1].rate_hz > 0


def test_without_depth_the_masks_go_on(following: tuple[NodeRig, Camera]):
    rig, camera = following
    camera.shoot(1, depth=False)
    time.sleep(0.25)  # for less, the frame before, which has depth, is preferred
    state = followed(rig, camera, 2, depth=False)
    rig.until(lambda: rig.got["targets"][-1].header == state.header)
    (target,) = rig.got["targets"][-1].targets
    assert (target.id, target.has_3d, target.reason) == (1, False, "no_depth")


def test_a_target_that_leaves_is_lost_and_found_again(following: tuple[NodeRig, Camera]):
    rig, camera = following
    followed(rig, camera, 1)
    for _ in range(5):
        state = followed(rig, camera, None)
        if state.targets[0].state == "lost":
            break
    assert state.targets[0].state == "lost"
    rig.until(lambda: rig.got["targets"][-1].header == state.header)
    assert rig.got["targets"][-1].targets == []
    assert not any(rig.got["target_mask"][-1].data)
    for _ in range(10):
        state = followed(rig, camera, 0)
        if state.targets[0].state != "lost":
            break
    assert (state.targets[0].id, state.targets[0].state) == (1, "found_again")


def test_cancel_ends_following(following: tuple[NodeRig, Camera], fake: Any):
    rig, camera = following
    response = rig.call(Trigger, Trigger.Request())
    assert (response.success, response.message) == (True, 'cancelled following of "find it"')
    rig.until(lambda: not rig.got["follow_state"][-1].following)
    assert rig.got["follow_state"][-1].reason == "cancelled"
    states, masks = len(rig.got["follow_state"]), len(rig.got["target_mask"])
    for _ in range(3):
        camera.shoot(2)
    rig.find("find it").end()
    rig.until(lambda: len(rig.got["target_mask"]) == masks + 1)
    assert len(rig.got["follow_state"]) == states, "a goal that does not follow leaves it ended"


def test_the_next_answer_takes_its_place(following: tuple[NodeRig, Camera]):
    rig, camera = following
    followed(rig, camera, 1)
    rig.say("find that")
    rig.until(lambda: rig.got["follow_state"][-1].intent == "find that")
    ended = [one for one in rig.got["follow_state"] if not one.following]
    assert [(one.intent, one.reason) for one in ended] == [("find it", "replaced")]
    assert followed(rig, camera, 2).intent == "find that"


def test_a_refused_intent_and_a_sent_image_leave_it_alone(following: tuple[NodeRig, Camera]):
    rig, camera = following
    rig.say("")
    rig.say("crash")
    rig.until(lambda: rig.refused("inference_failed") == 1)
    request = Segment.Request(intent="find it", use_image=True, image=rig.make.image(1.0))
    assert rig.call(Segment, request).success
    state = followed(rig, camera, 3)
    assert (state.intent, state.following) == ("find it", True)


def test_a_goal_follows_when_it_says_so(start: Callable[..., NodeRig]):
    rig = start()
    rig.activate()
    camera = Camera(rig)
    camera.shoot()
    assert rig.find("find it", follow=True).end()[1].success
    rig.until(lambda: rig.got["follow_state"])
    assert followed(rig, camera, 2).targets[0].state == "tracking"


def test_an_answer_without_a_target_ends_at_once(start: Callable[..., NodeRig]):
    rig = start("follow:=true")
    rig.activate()
    Camera(rig).shoot()
    rig.say("nothing")
    rig.until(lambda: rig.got["follow_state"])
    (state,) = rig.got["follow_state"]
    assert (state.following, state.reason) == (False, "nothing_to_follow")


def test_deactivating_ends_following(following: tuple[NodeRig, Camera]):
    rig, _ = following
    assert rig.change(Transition.TRANSITION_DEACTIVATE)
    rig.until(lambda: not rig.got["follow_state"][-1].following)
    assert rig.got["follow_state"][-1].reason == "not_active"


def test_the_llm_is_asked_again_by_the_clock_and_gives_way_to_requests(
    start: Callable[..., NodeRig], fake: Any
):
    rig = start("follow:=true", "follow_reask_s:=0.05")
    rig.activate()
    camera = Camera(rig)
    camera.shoot()
    rig.say("find it")
    rig.until(lambda: rig.got["follow_state"])
    time.sleep(0.05)
    assert followed(rig, camera, 1).reason == "period"
    time.sleep(0.05)
    assert fake.intents == ["find it", "find it"]
    fake.tokens = threading.Semaphore(0)
    camera.shoot(2)
    rig.until(lambda: len(fake.intents) == 3)
    rig.say("find that")
    rig.until(lambda: rig.count("intents_received") == 2)
    fake.tokens.release()  # the token at which it notices the request
    rig.until(lambda: len(fake.intents) == 4)
    assert fake.intents[-1] == "find that"
    fake.tokens.release(1000)
    rig.answers(2)


def test_the_rate_can_be_limited_while_running(following: tuple[NodeRig, Camera]):
    rig, camera = following
    followed(rig, camera, 1)
    rig.set("follow_max_hz", 0.5)
    states = len(rig.got["follow_state"])
    for _ in range(4):
        camera.shoot(1)
    for _ in range(10):
        rig.executor.spin_once(timeout_sec=0.02)
    assert len(rig.got["follow_state"]) == states
    rig.until(lambda: len(rig.got["follow_state"]) == states + 1)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RuntimeError("the stand-in cannot look"), "follow_failed"),
        (MemoryError("too large"), "out_of_memory"),
    ],
)
def test_a_model_that_fails_ends_following_and_not_the_node(
    following: tuple[NodeRig, Camera],
    fake: Any,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    code: str,
):
    rig, camera = following

    def broken(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(fake, "look", broken)
    camera.shoot(1)
    rig.until(lambda: not rig.got["follow_state"][-1].following)
    assert rig.got["follow_state"][-1].reason == "failed"
    assert rig.refused(code) == 1
    rig.works(90.0)


def test_what_is_followed_stands_in_the_diagnostics(following: tuple[NodeRig, Camera]):
    rig, camera = following
    followed(rig, camera, 1)
    rig.got["diagnostics"].clear()
    rig.until(lambda: rig.got["diagnostics"])
    values = {one.key: one.value for one in rig.got["diagnostics"][-1].status[0].values}
    assert values["following"] == "find it"
    assert values["frames_followed"] == "1"
    assert "follow.total_p95_s" in values
