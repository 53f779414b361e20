"""The real node over DDS, with a segmenter that needs no weights."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import TransformStamped
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState
from node_rig import NodeRig
from rcl_interfaces.msg import Log
from rcl_interfaces.srv import DescribeParameters
from sensor_msgs.msg import CameraInfo, Image

from lisa_ros import model_loader, perception_node
from lisa_ros.srv import Segment

pytestmark = pytest.mark.ros


def test_lifecycle(start: Callable[..., NodeRig]):
    rig = start()
    assert rig.state() == State.PRIMARY_STATE_UNCONFIGURED
    rig.say("too early")
    rig.until(lambda: rig.refused("not_active") == 1)
    assert rig.change(Transition.TRANSITION_CONFIGURE)
    assert rig.state() == State.PRIMARY_STATE_INACTIVE
    assert rig.image.get_subscription_count() == 0, "an inactive node costs no bandwidth"
    rig.say("still too early")
    rig.until(lambda: rig.refused("not_active") == 2)
    assert rig.change(Transition.TRANSITION_ACTIVATE)
    rig.until(lambda: rig.image.get_subscription_count() == 1)
    rig.works(1.0)
    for _ in range(2):
        assert rig.change(Transition.TRANSITION_DEACTIVATE)
        assert rig.change(Transition.TRANSITION_CLEANUP)
        assert rig.state() == State.PRIMARY_STATE_UNCONFIGURED
        assert rig.node.count_publishers("/targets") == 0
        rig.activate()
        rig.works(2.0)
    assert rig.change(Transition.TRANSITION_ACTIVE_SHUTDOWN)
    assert rig.state() == State.PRIMARY_STATE_FINALIZED


def test_an_impossible_transition_does_not_end_the_node(start: Callable[..., NodeRig]):
    rig = start()
    request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_ACTIVATE))
    rig.clients[ChangeState].call_async(request)
    rig.until(lambda: rig.refused("internal_error") == 1)
    rig.activate()
    rig.works(1.0)


def test_weights_that_do_not_load_leave_the_node_unconfigured_and_alive(
    start: Callable[..., NodeRig], fake: Any, monkeypatch: pytest.MonkeyPatch
):
    rig = start()

    def fail(*_: Any) -> Any:
        raise FileNotFoundError("lisa-tiny: model.safetensors is missing")

    with monkeypatch.context() as broken:
        broken.setattr(model_loader, "load_segmenter", fail)
        assert not rig.change(Transition.TRANSITION_CONFIGURE)
    assert rig.state() == State.PRIMARY_STATE_UNCONFIGURED
    assert rig.refused("configure_failed") == 1
    rig.got["diagnostics"].clear()
    rig.until(lambda: rig.got["diagnostics"])
    assert "model.safetensors is missing" in rig.got["diagnostics"][-1].status[0].message
    rig.activate()
    rig.works(1.0)


def test_an_intent_becomes_results_stamped_like_the_frame(start: Callable[..., NodeRig], fake: Any):
    rig = start()
    rig.activate()
    rig.frame(12.25)
    rig.say("  change the\nTV channel ")
    rig.answers(1)
    rig.until(lambda: rig.got["target_point"])
    header = rig.make.header(12.25)
    (mask,) = rig.got["target_mask"]
    assert (mask.encoding, mask.header) == ("mono8", header)
    pixels = np.frombuffer(mask.data, np.uint8).reshape(mask.height, mask.width)
    assert set(np.unique(pixels)) == {0, 255}
    assert (pixels == 255).sum() == 400
    (masks,) = rig.got["instance_masks"]
    assert masks.header == header
    assert masks.intent == "change the TV channel"
    assert masks.instances[0].area_px == 400
    (targets,) = rig.got["targets"]
    assert targets.targets[0].point.z == pytest.approx(1.5)
    (point,) = rig.got["target_point"]
    assert point.header == header
    assert point.point == targets.targets[0].point
    assert rig.got["answer"][0].data == "It is change the TV channel."
    assert fake.intents == ["change the TV channel"]


def test_no_mask_clears_the_old_target(start: Callable[..., NodeRig]):
    rig = start()
    rig.activate()
    rig.works(1.0)
    rig.say("nothing")
    rig.answers(2)
    assert not any(rig.got["target_mask"][-1].data)
    assert rig.got["targets"][-1].targets == []
    assert rig.got["instance_masks"][-1].instances == []
    assert len(rig.got["target_point"]) == 1


def test_without_depth_there_are_2d_results(start: Callable[..., NodeRig]):
    rig = start()
    rig.activate()
    rig.frame(3.0, depth=False)
    rig.say("find it")
    rig.answers(1)
    (target,) = rig.got["targets"][0].targets
    assert not target.has_3d
    assert target.reason == "no_depth"
    assert any(rig.got["target_mask"][0].data)
    assert rig.got["target_point"] == []
    rig.works(4.0)


def test_the_overlay_is_made_only_while_somebody_looks(start: Callable[..., NodeRig]):
    rig = start()
    rig.activate()
    rig.works(1.0)
    looking = rig.robot.create_subscription(Image, "/overlay", rig.got["overlay"].append, 10)
    rig.until(lambda: rig.robot.count_publishers("/overlay") == 1)
    rig.until(lambda: rig.node._results._overlay.get_subscription_count() == 1)
    rig.works(2.0)
    rig.until(lambda: rig.got["overlay"])
    (picture,) = rig.got["overlay"]
    assert (picture.encoding, picture.header) == ("rgb8", rig.make.header(2.0))
    rig.robot.destroy_subscription(looking)


def test_malformed_messages_are_counted_and_survived(start: Callable[..., NodeRig]):
    rig = start()
    rig.activate()
    make = rig.make
    bad = [
        (rig.image, make.image(step=3), "image_step"),
        (rig.image, make.image(data=make.bytes(10)), "image_data_length"),
        (rig.image, make.image(encoding="nonsense"), "image_encoding"),
        (rig.image, make.image(width=0), "image_size"),
        (rig.image, make.image(header=make.header(frame_id="")), "image_frame_id"),
        (rig.depth, make.depth(encoding="rgb8"), "depth_encoding"),
        (rig.depth, make.depth(is_bigendian=7), "depth_endianness"),
        (rig.info, make.info(k=[0.0] * 9), "camera_info_intrinsics"),
    ]
    for publisher, msg, code in bad:
        publisher.publish(msg)
        rig.until(lambda code=code: rig.refused(code) == 1)
    rig.works(1.0)
    for msg, code in (
        (make.depth(2.0, size=(24, 32)), "depth_size_mismatch"),
        (make.depth(2.0, header=make.header(2.0, "elsewhere")), "depth_frame_mismatch"),
    ):
        rig.depth.publish(msg)
        rig.until(lambda code=code: rig.refused(code) == 1)
    for text, code in (
        ("", "intent_empty"),
        ("x" * 10_000, "intent_too_long"),
        ("a\x07b", "intent_control_character"),
        ("[SEG]", "intent_special_token"),
    ):
        rig.say(text)
        rig.until(lambda code=code: rig.refused(code) == 1)
    assert rig.state() == State.PRIMARY_STATE_ACTIVE
    assert len(rig.got["answer"]) == 1
    rig.works(3.0)
    rig.got["diagnostics"].clear()
    rig.until(lambda: rig.got["diagnostics"])
    values = {entry.key: entry.value for entry in rig.got["diagnostics"][-1].status[0].values}
    assert values["refused.image_step"] == "1"
    assert values["refused.intent_too_long"] == "1"
    assert values["state"] == "active"


def test_depth_of_the_wrong_size_is_the_reason_for_no_3d(start: Callable[..., NodeRig]):
    rig = start()
    rig.activate()
    rig.frame(1.0, depth=False)
    rig.depth.publish(rig.make.depth(1.0, size=(24, 32)))
    rig.until(lambda: rig.refused("depth_size_mismatch") == 1)
    rig.say("find it")
    rig.answers(1)
    (target,) = rig.got["targets"][0].targets
    assert target.reason == "invalid_depth"
    assert "32 x 24" in target.reason_text


def test_a_model_that_crashes_does_not_end_the_node(start: Callable[..., NodeRig]):
    rig = start()
    rig.activate()
    rig.frame(1.0)
    for number, intent in enumerate(("crash", "bad shape"), start=1):
        rig.say(intent)
        rig.until(lambda number=number: rig.refused("inference_failed") == number)
    rig.works(2.0)


def test_an_intent_before_any_frame_waits_shortly(start: Callable[..., NodeRig]):
    rig = start("frame_timeout_s:=0.4")
    rig.activate()
    rig.say("find it")
    rig.until(lambda: rig.refused("intent_without_frame") == 1, timeout=3.0)
    rig.frame(1.0)
    for _ in range(20):
        rig.executor.spin_once(timeout_sec=0.02)
    assert rig.got["answer"] == [], "a dropped intent is not answered later"
    rig.works(2.0)


def test_an_intent_just_before_the_first_frame_is_answered(start: Callable[..., NodeRig]):
    rig = start("frame_timeout_s:=10.0")
    rig.activate()
    rig.say("find it")
    rig.until(lambda: rig.count("intents_received") == 1)
    rig.frame(1.0)
    rig.answers(1)
    assert rig.got["targets"][0].targets[0].has_3d


def test_a_dead_camera_is_noticed_and_forgiven(start: Callable[..., NodeRig]):
    rig = start("frame_timeout_s:=1.0", "max_frame_age_s:=1.0")
    rig.activate()
    rig.works(1.0)
    time.sleep(1.1)
    rig.say("find it")
    rig.until(lambda: rig.refused("stale_frame") == 1)
    assert len(rig.got["answer"]) == 1
    rig.works(2.0)


def test_a_newer_intent_replaces_the_waiting_one(start: Callable[..., NodeRig], fake: Any):
    rig = start()
    rig.activate()
    rig.frame(1.0)
    fake.hold = threading.Event()
    rig.say("first")
    assert fake.started.wait(5)
    for intent in ("second", "third", "fourth"):
        rig.say(intent)
    rig.until(lambda: rig.refused("intent_replaced") == 2)
    fake.hold.set()
    rig.answers(2)
    assert fake.intents == ["first", "fourth"]
    assert [msg.intent for msg in rig.got["instance_masks"]] == ["first", "fourth"]


def test_deactivate_keeps_a_running_inference_silent(start: Callable[..., NodeRig], fake: Any):
    rig = start()
    rig.activate()
    rig.frame(1.0)
    fake.hold = threading.Event()
    rig.say("first")
    assert fake.started.wait(5)
    rig.say("second")
    rig.until(lambda: rig.count("intents_received") == 2)
    assert rig.change(Transition.TRANSITION_DEACTIVATE)
    assert rig.change(Transition.TRANSITION_ACTIVATE)
    fake.hold.set()
    rig.until(lambda: rig.refused("not_active") == 2)
    rig.until(lambda: rig.image.get_subscription_count() == 1)
    assert rig.got["answer"] == []
    rig.works(2.0)


def test_30_hz_and_a_slow_model_neither_queue_nor_starve(start: Callable[..., NodeRig], fake: Any):
    rig = start()
    rig.activate()
    stop = threading.Event()

    def camera() -> None:
        while not stop.wait(1 / 30):
            stamp = time.monotonic()
            rig.info.publish(rig.make.info(stamp))
            rig.depth.publish(rig.make.depth(stamp))
            rig.image.publish(rig.make.image(stamp))

    filming = threading.Thread(target=camera)
    filming.start()
    try:
        rig.until(lambda: rig.count("received.image") > 5)
        for number in range(1, 4):
            fake.started.clear()
            fake.hold = threading.Event()
            said = time.monotonic()
            rig.say(f"intent {number}")
            assert fake.started.wait(10)
            # The model computes; meanwhile the camera is listened to and services answer.
            frames = rig.count("received.image")
            rig.until(lambda frames=frames: rig.count("received.image") >= frames + 30, 20.0)
            assert rig.state() == State.PRIMARY_STATE_ACTIVE
            assert len(rig.got["answer"]) == number - 1
            fake.hold.set()
            rig.answers(number)
            stamp = rig.got["instance_masks"][-1].header.stamp
            age = said - (stamp.sec + stamp.nanosec * 1e-9)
            # 30 frames came during the last inference: with a queue this one would be among them.
            assert age < 0.5, "the frame was the newest one when the inference started"
            assert rig.got["targets"][-1].targets[0].has_3d
        assert rig.refused("intent_replaced") == 0
    finally:
        stop.set()
        filming.join()


def test_service_with_the_cameras_frame(start: Callable[..., NodeRig]):
    rig = start()
    response = rig.call(Segment, Segment.Request(intent="find it"))
    assert not response.success
    assert response.error_code == "not_active"
    rig.activate()
    rig.frame(5.5)
    response = rig.call(Segment, Segment.Request(intent="find it"))
    assert response.success, response.message
    assert response.error_code == ""
    assert response.answer == "It is find it."
    assert response.targets.targets[0].point.z == pytest.approx(1.5)
    assert response.instance_masks.header == rig.make.header(5.5)
    rig.answers(1)
    assert rig.got["target_mask"][0].data == response.target_mask.data


def test_service_with_an_image_needs_no_camera(start: Callable[..., NodeRig]):
    rig = start()
    rig.activate()
    make = rig.make
    image_only = Segment.Request(intent="find it", use_image=True, image=make.image(9.0))
    response = rig.call(Segment, image_only)
    assert response.success, response.message
    assert response.targets.targets[0].reason == "no_depth"
    assert response.target_mask.header == make.header(9.0)
    whole = Segment.Request(
        intent="find it",
        use_image=True,
        image=make.image(9.0),
        depth=make.depth(9.0, metres=0.8),
        camera_info=make.info(9.0),
    )
    response = rig.call(Segment, whole)
    assert response.targets.targets[0].point.z == pytest.approx(0.8)
    whole.camera_info = CameraInfo()
    assert rig.call(Segment, whole).error_code == "no_camera_info"
    image_only.image.step = 1
    response = rig.call(Segment, image_only)
    assert (response.success, response.error_code) == (False, "image_step")
    assert "image.step is 1" in response.message
    assert rig.got["answer"] == [], "results about somebody's own image are not published"


def test_the_service_does_not_hold_up_the_executor(
    start: Callable[..., NodeRig], fake: Any, monkeypatch: pytest.MonkeyPatch
):
    # Without the timer nothing but the finished inference can wake the executor.
    monkeypatch.setattr(perception_node, "DIAGNOSTICS_PERIOD_S", 600.0)
    rig = start()
    rig.activate()
    rig.frame(1.0)
    fake.hold = threading.Event()
    pending = rig.clients[Segment].call_async(Segment.Request(intent="slow"))
    assert fake.started.wait(5)
    assert rig.state() == State.PRIMARY_STATE_ACTIVE
    rig.frame(2.0)
    replaced = rig.clients[Segment].call_async(Segment.Request(intent="waiting"))
    rig.until(lambda: rig.count("intents_received") == 2)
    rig.say("newer")
    rig.until(replaced.done)
    assert replaced.result().error_code == "intent_replaced"
    assert not pending.done()
    fake.hold.set()
    rig.until(pending.done)
    assert pending.result().success
    rig.answers(2)


def test_a_service_whose_model_crashes_is_told(start: Callable[..., NodeRig]):
    rig = start()
    rig.activate()
    rig.frame(1.0)
    response = rig.call(Segment, Segment.Request(intent="crash"))
    assert (response.success, response.error_code) == (False, "inference_failed")
    assert "the stand-in crashed on purpose" in response.message


def test_parameters_over_ros(start: Callable[..., NodeRig]):
    rig = start("score_threshold:=0.95")
    request = DescribeParameters.Request(names=["model", "score_threshold", "erosion_px"])
    model, threshold, erosion = rig.call(DescribeParameters, request).descriptors
    assert model.read_only
    assert "weights" in model.description
    assert not threshold.read_only
    assert threshold.floating_point_range[0].to_value == 1.0
    assert erosion.integer_range[0].to_value == 20
    rig.activate()
    rig.frame(1.0)
    rig.say("find it")
    rig.answers(1)
    assert rig.got["targets"][0].targets == [], "the fake is sure by 0.9 only"
    assert rig.set("score_threshold", 0.5).successful
    rig.works(2.0)
    too_high = rig.set("score_threshold", 2.0)
    assert not too_high.successful
    assert "score_threshold" in too_high.reason
    assert "range" in too_high.reason
    contradiction = rig.set("min_depth_m", 50.0)
    assert not contradiction.successful
    assert "min_depth_m" in contradiction.reason
    fixed = rig.set("model", "other")
    assert not fixed.successful
    assert "read-only" in fixed.reason
    assert "model" in fixed.reason
    rig.works(3.0)


def test_each_line_of_the_log_is_an_event_with_fields(start: Callable[..., NodeRig]):
    lines: list[str] = []

    def hear(line: Log) -> None:
        if line.name == "perception_node":
            lines.append(line.msg)

    rig = start()
    rig.robot.create_subscription(Log, "/rosout", hear, 100)
    rig.until(lambda: rig.node.count_subscribers("/rosout") == 1)
    rig.activate()
    rig.image.publish(rig.make.image(5.0, encoding="bayer_rggb8"))
    rig.until(lambda: rig.refused("image_encoding") == 1)
    rig.frame(6.0)
    rig.say("")
    rig.until(lambda: rig.refused("intent_empty") == 1)
    rig.say("find it")
    rig.answers(1)
    rig.frame(2.0)  # more than a second back
    assert rig.change(Transition.TRANSITION_DEACTIVATE)
    events = {"loading", "configured", "activated", "message_refused", "refused", "answered"}
    rig.until(lambda: events | {"clock_jump"} <= {line.split(" ")[0] for line in lines})
    field = r'[a-z_0-9]+=("([^"\\]|\\.)*"|[^\s"=]+)'
    for line in lines:
        assert re.fullmatch(f"[a-z_0-9]+( {field})*", line), line


def test_an_unknown_dtype_fails_to_configure(start: Callable[..., NodeRig]):
    rig = start("dtype:=float8")
    assert not rig.change(Transition.TRANSITION_CONFIGURE)
    assert rig.refused("configure_failed") == 1
    assert rig.state() == State.PRIMARY_STATE_UNCONFIGURED


def test_a_target_frame_without_its_transform_keeps_the_mask_and_tells_why(
    start: Callable[..., NodeRig],
):
    rig = start("tf_timeout_s:=0.1")
    rig.activate()
    rig.works(1.0)
    rig.frame(2.0)
    assert rig.set("target_frame", "base_link").successful, "it can be changed while running"
    rig.say("find it")
    rig.answers(2)
    (target,) = rig.got["targets"][-1].targets
    assert not target.has_3d
    assert target.reason in ("no_tf2", "no_transform")
    assert "target_frame" in target.reason_text
    assert np.frombuffer(rig.got["target_mask"][-1].data, np.uint8).any()
    rig.until(lambda: rig.refused(target.reason))
    assert rig.set("target_frame", rig.make.frame_id).successful
    rig.works(3.0)
    assert rig.set("target_frame", "").successful
    rig.works(4.0)


def test_targets_in_another_frame_by_tf2(start: Callable[..., NodeRig]):
    tf2_ros = pytest.importorskip("tf2_ros", reason="tf2_ros is not installed")
    rig = start("target_frame:=base_link", "tf_timeout_s:=5.0")
    rig.activate()
    transform = TransformStamped(child_frame_id=rig.make.frame_id)
    transform.header.frame_id = "base_link"
    transform.transform.translation.z = 0.75
    transform.transform.rotation.x, transform.transform.rotation.w = 1.0, 0.0  # looking down
    broadcaster = tf2_ros.StaticTransformBroadcaster(rig.robot)
    broadcaster.sendTransform(transform)
    rig.frame(2.0)
    rig.say("find it")
    rig.until(lambda: rig.got["target_point"])
    point = rig.got["target_point"][-1]
    assert point.header.frame_id == "base_link"
    assert point.header.stamp == rig.make.header(2.0).stamp
    expected = ((29.5 - 31.5) / 50 * 1.5, -(19.5 - 23.5) / 50 * 1.5, 0.75 - 1.5)
    np.testing.assert_allclose((point.point.x, point.point.y, point.point.z), expected, atol=1e-6)
    rig.answers(1)
    (target,) = rig.got["targets"][-1].targets
    np.testing.assert_allclose(
        (target.normal.x, target.normal.y, target.normal.z), (0, 0, 1), atol=1e-6
    )
    assert rig.got["target_mask"][-1].header.frame_id == rig.make.frame_id
    response = rig.call(Segment, Segment.Request(intent="find it"))
    assert response.targets.header.frame_id == "base_link"
    assert response.targets.targets[0].has_box


def test_a_bond_lives_while_the_node_is_active(
    start: Callable[..., NodeRig], monkeypatch: pytest.MonkeyPatch
):
    calls: list[str] = []

    class Bond:
        def __init__(self, node: Any, topic: str, bond_id: str) -> None:
            calls.append(f"{topic} {bond_id}")

        def __getattr__(self, name: str) -> Any:
            return lambda: calls.append(name)

    module = ModuleType("bondpy.bondpy")
    module.Bond = Bond  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "bondpy", ModuleType("bondpy"))
    monkeypatch.setitem(sys.modules, "bondpy.bondpy", module)
    rig = start("bond_heartbeat_period:=0.1")
    rig.activate()
    assert calls == ["bond perception_node", "start"]
    assert rig.change(Transition.TRANSITION_DEACTIVATE)
    assert calls[2:] == ["break_bond", "shutdown"]


def test_a_bond_that_cannot_be_had_is_told(
    start: Callable[..., NodeRig], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "bondpy", None)
    rig = start("bond_heartbeat_period:=0.1")
    assert rig.change(Transition.TRANSITION_CONFIGURE)
    assert not rig.change(Transition.TRANSITION_ACTIVATE)
    assert rig.refused("bond_unavailable") == 1
    assert rig.state() == State.PRIMARY_STATE_INACTIVE
