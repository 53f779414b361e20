"""examples/pick_target.py against the live node, and its geometry against known boxes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from node_rig import NodeRig
from std_srvs.srv import Trigger
from target_answers import FakeTransforms, answer_of, located, nowhere

from lisa_model.rigid import RigidTransform, matrix_of_quaternion
from lisa_ros.error_table import ERRORS, Reaction, Told
from lisa_ros.msg import Target3D
from lisa_ros.results import to_targets
from lisa_ros.transforms import REASON_NO_TF2, REASON_NO_TRANSFORM, TransformError

FOLDER = Path(__file__).resolve().parents[2] / "examples"
# Of the camera: there the red box of 20 pixels is 0.12 m wide.
DISTANCE_M = 0.3
OPENING_M = 0.2


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The example's modules, as a program in their folder imports them."""
    monkeypatch.syspath_prepend(str(FOLDER))
    import pick_target
    import pregrasp

    names = {**vars(pregrasp), **vars(pick_target)}
    return SimpleNamespace(**names)


# Geometry


def target_of(make: Any) -> Target3D:
    (target,) = to_targets(answer_of(make, located(1, (0.05, 0.0, 0.9)))).targets
    return target


def test_the_gripper_comes_along_the_normal_and_closes_across(make: Any, example: Any):
    target = target_of(make)
    limits = example.GraspLimits(max_opening_m=0.2)
    grasp = example.pregrasp_of(target, limits)
    x, y, z = grasp.axes.T
    np.testing.assert_allclose(grasp.axes @ grasp.axes.T, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(np.cross(x, y), z, atol=1e-9)
    assert z @ grasp.contact > 0, "away from the camera"
    np.testing.assert_allclose(grasp.contact - grasp.position, limits.standoff_m * z, atol=1e-9)
    side = example.matrix_of_quaternion(
        [getattr(target.box_pose.orientation, one) for one in "xyzw"]
    )[:, 1]
    assert abs(x @ side) > 0.99, "the fingers close along the middle side"
    assert grasp.opening_m == pytest.approx(target.box_size.y + limits.clearance_m)
    pose = example.to_pose_stamped(grasp)
    assert pose.header == target.header
    turned = matrix_of_quaternion([getattr(pose.pose.orientation, one) for one in "xyzw"])
    np.testing.assert_allclose(turned, grasp.axes, atol=1e-9)


def test_the_fingers_have_a_direction_whatever_the_box(example: Any):
    approach = np.array([0.0, 0.6, 0.8])
    for closing in (approach, -approach, np.array([1.0, 0.0, 0.0])):
        axes = example.gripper_axes(approach, closing)
        np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-9)
        np.testing.assert_allclose(axes[:, 2], approach)
        assert np.linalg.det(axes) == pytest.approx(1)


def test_a_pregrasp_in_another_frame(make: Any, example: Any):
    grasp = example.pregrasp_of(target_of(make), example.GraspLimits(max_opening_m=0.2))
    turn = RigidTransform.from_quaternion((0.5, -0.5, 0.5, -0.5), (1.0, 2.0, 3.0))
    base = example.moved(grasp, turn, "base_link")
    assert base.header.frame_id == "base_link"
    assert base.header.stamp == grasp.header.stamp
    np.testing.assert_allclose(base.position, turn.points(grasp.position))
    np.testing.assert_allclose(base.contact - base.position, 0.10 * base.axes[:, 2], atol=1e-9)


@pytest.mark.parametrize(
    ("limit", "why"),
    [
        ({}, "too wide"),
        ({"max_sigma_m": 1e-9}, "only known to"),
        ({"max_spread_m": 0.001}, "is it one thing"),
        ({"max_opening_m": 0.2, "max_unevenness_m": -1.0}, "uneven"),
        ({"max_age_s": 1.0}, "2.0 s old"),
    ],
)
def test_what_cannot_be_gripped_is_said(make: Any, example: Any, limit: Any, why: str):
    with pytest.raises(example.CannotGraspError, match=why):
        example.pregrasp_of(target_of(make), example.GraspLimits(**limit), age_s=2.0)


def test_without_3d_or_shape_there_is_no_pregrasp(make: Any, example: Any):
    (target,) = to_targets(answer_of(make, nowhere(1))).targets
    with pytest.raises(example.CannotGraspError, match="no depth has arrived"):
        example.pregrasp_of(target, example.GraspLimits())
    bare = replace(located(1, (0.0, 0.0, 0.9)), shape=None)
    (target,) = to_targets(answer_of(make, bare)).targets
    with pytest.raises(example.CannotGraspError, match="too few"):
        example.pregrasp_of(target, example.GraspLimits())
    target = target_of(make)
    target.point_sigma_m = float("nan")
    with pytest.raises(example.CannotGraspError, match="only known to"):
        example.pregrasp_of(target, example.GraspLimits(max_opening_m=0.2))


# With the node


class Picking:
    """The example beside the live node."""

    def __init__(self, rig: NodeRig, example: Any) -> None:
        self.rig = rig
        self.example = example
        self.stamp = time.time()
        self.node: Any = None

    def shoot(self, image: Any = None, depth: bool = True) -> None:
        self.stamp = max(self.stamp + 0.05, time.time())
        picture = None if image is None else image(self.stamp)
        self.rig.frame(self.stamp, depth=depth, image=picture)

    def start(self, intent: str = "find it", transforms: Any = None, **config: Any) -> None:
        limits = self.example.GraspLimits(
            **{"max_opening_m": OPENING_M, **config.pop("limits", {})}
        )
        config = self.example.PickConfig(intent=intent, limits=limits, **config)
        self.node = self.example.PickTarget(config, transforms)
        self.rig.executor.add_node(self.node)

    def end(self) -> Any:
        self.rig.until(lambda: self.node.outcome)
        self.rig.executor.remove_node(self.node)
        self.node.destroy_node()
        return self.node.outcome


@pytest.fixture
def picking(start: Callable[..., NodeRig], example: Any) -> Picking:
    rig = start("follow_reask_s:=0.0")
    rig.activate()
    near = {"depth": lambda stamp: rig.make.near(stamp, metres=DISTANCE_M)}
    rig.make = SimpleNamespace(**{**vars(rig.make), "near": rig.make.depth, **near})
    return Picking(rig, example)


@pytest.mark.ros
def test_a_pregrasp_is_sent_in_the_cameras_frame(picking: Picking):
    picking.shoot()
    picking.start()
    outcome = picking.end()
    assert outcome.reaction is None, outcome
    (pose,) = picking.node.sent
    assert pose.header == picking.rig.make.header(picking.stamp)
    # The plane is seen from the front: the gripper comes from there.
    assert pose.pose.position.z == pytest.approx(DISTANCE_M - 0.1, abs=0.01)


@pytest.mark.ros
def test_a_pregrasp_is_sent_in_the_robots_frame(picking: Picking):
    picking.shoot()
    lift = RigidTransform(rotation=np.eye(3), translation=np.array([0.0, 0.0, 10.0]))
    transforms = FakeTransforms(lift)
    picking.start(transforms=transforms, frame="base_link")
    assert picking.end().reaction is None
    (pose,) = picking.node.sent
    assert pose.header.frame_id == "base_link"
    assert pose.pose.position.z == pytest.approx(10.0 + DISTANCE_M - 0.1, abs=0.01)
    target, source, stamp, timeout = transforms.asked[0]
    assert (target, source, timeout) == ("base_link", picking.rig.make.frame_id, 0.0)
    assert stamp == pytest.approx(picking.stamp, abs=1e-6)


@pytest.mark.ros
def test_a_transform_may_arrive_late_or_never(picking: Picking):
    picking.shoot()
    missing = TransformError(code=REASON_NO_TRANSFORM, message="no such frame")
    late = FakeTransforms(missing)
    picking.start(transforms=late, frame="base_link", tf_wait_s=20.0)
    picking.rig.until(lambda: len(late.asked) >= 3)
    assert picking.node.sent == []
    late.found = RigidTransform.identity()
    assert picking.end().reaction is None
    assert len(picking.node.sent) == 1
    picking.start(transforms=FakeTransforms(missing), frame="base_link", tf_wait_s=0.2)
    outcome = picking.end()
    assert (outcome.text, outcome.reaction) == ("no such frame", Reaction.NODE)
    without = FakeTransforms(TransformError(code=REASON_NO_TF2, message="not installed"))
    picking.start(transforms=without, frame="base_link", tf_wait_s=20.0)
    assert picking.end().text == "not installed"
    assert len(without.asked) == 1, "waiting does not install it"


@pytest.mark.ros
def test_a_frame_without_tf2_is_told_before_anybody_is_asked(
    picking: Picking, monkeypatch: pytest.MonkeyPatch
):
    def listen(_: Any) -> None:
        raise TransformError(code=REASON_NO_TF2, message="tf2_ros does not import")

    monkeypatch.setattr(picking.example.Tf2Transforms, "listen", listen)
    picking.start(frame="base_link")
    outcome = picking.end()
    assert (outcome.text, outcome.reaction) == ("tf2_ros does not import", Reaction.NODE)
    assert picking.rig.count("intents_received") == 0


@pytest.mark.ros
def test_what_cannot_be_had_ends_with_what_to_do(picking: Picking):
    for intent, depth, limits, word, reaction in (
        ("find it", False, {}, "target_without_3d", Reaction.LOOK),
        ("find it", True, {"max_opening_m": 0.08}, "too wide", Reaction.LOOK),
        (" ", True, {}, "intent_empty", Reaction.REPHRASE),
        ("crash", True, {}, "inference_failed", Reaction.NODE),
    ):
        picking.shoot(depth=depth)
        picking.start(intent, limits=limits)
        outcome = picking.end()
        assert word in outcome.text
        assert outcome.reaction is reaction
        assert picking.node.sent == []


@pytest.mark.ros
def test_a_request_that_was_replaced_is_sent_again(picking: Picking, fake: Any):
    picking.shoot()
    fake.hold = threading.Event()
    picking.rig.say("first")
    assert picking.rig.node is not None
    picking.rig.until(lambda: fake.started.is_set())
    picking.start("mine")
    picking.rig.until(lambda: picking.rig.count("intents_received") == 2)
    picking.rig.say("third")
    picking.rig.until(lambda: picking.rig.refused("intent_replaced"))
    fake.hold.set()
    assert picking.end().reaction is None
    assert fake.intents == ["first", "third", "mine"]


def test_every_code_of_a_request_has_a_reaction(example: Any):
    told = (Told.REQUEST, Told.ACTION, Told.MESSAGE)
    codes = [code for spec in ERRORS if spec.told in told for code in spec.codes]
    assert {example.reaction_to(code) for code in codes} == {
        *(Reaction.NONE, Reaction.REPHRASE, Reaction.CORRECT, Reaction.RETRY),
        *(Reaction.LOOK, Reaction.CAMERA, Reaction.NODE),
    }


@pytest.mark.ros
def test_the_pose_follows_and_stays_away_when_the_target_does(picking: Picking):
    rig, make = picking.rig, picking.rig.make

    def shifted(columns: int | None) -> Callable[[float], Any]:
        def image(stamp: float) -> Any:
            msg = make.image(stamp)
            pixels = np.frombuffer(msg.data, np.uint8).reshape(*make.size, 3)
            gone = np.full_like(pixels, 90)
            msg.data = (gone if columns is None else np.roll(pixels, columns, axis=1)).tobytes()
            return msg

        return image

    picking.shoot()
    picking.start(follow=True)
    rig.until(lambda: picking.node.sent)
    rig.until(lambda: rig.got["follow_state"])
    first = picking.node.sent[0].pose.position.x
    picking.shoot(shifted(4))
    rig.until(lambda: len(picking.node.sent) == 2)
    second = picking.node.sent[1]
    assert second.header == make.header(picking.stamp)
    # 4 pixels with a focal length of 50.
    assert second.pose.position.x - first == pytest.approx(4 * DISTANCE_M / 50, abs=0.006)
    before = len(rig.got["follow_state"])
    picking.shoot(shifted(None))
    rig.until(lambda: len(rig.got["follow_state"]) > before)
    picking.shoot(shifted(2))
    rig.until(lambda: len(picking.node.sent) == 3)
    assert picking.node.sent[2].header == make.header(picking.stamp)
    assert rig.call(Trigger, Trigger.Request()).success
    outcome = picking.end()
    assert outcome.text == "following has ended: cancelled"


@pytest.mark.ros
def test_the_example_ends_the_following_it_began(picking: Picking):
    picking.shoot()
    picking.start(follow=True)
    picking.rig.until(lambda: picking.node.sent)
    picking.rig.until(lambda: picking.rig.got["follow_state"])
    stopped = picking.node.stop()
    picking.rig.until(stopped.done)
    assert "following" in stopped.result().message
    assert picking.end().reaction is Reaction.NONE


@pytest.mark.ros
def test_the_program_runs(picking: Picking):
    picking.shoot()
    for opening, words, status in (
        ("0.2", "pre-grasp sent in camera_color_optical_frame, opening 0.1", 0),
        ("0.05", "what to do: look from elsewhere", 1),
    ):
        with subprocess.Popen(
            [sys.executable, str(FOLDER / "pick_target.py"), "find it", "--opening", opening],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(picking.rig.robot.context.get_domain_id()),
        ) as program:
            picking.rig.until(lambda program=program: program.poll() is not None, timeout=60.0)
            assert program.stdout is not None
            shown = program.stdout.read()
        assert words in shown
        assert program.returncode == status


def environment(domain: int) -> dict[str, str]:
    path = os.pathsep.join([str(FOLDER.parent), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "ROS_DOMAIN_ID": str(domain), "PYTHONPATH": path}
