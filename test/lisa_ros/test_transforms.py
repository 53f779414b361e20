"""Targets in another frame: the pipeline with a fake look-up, and tf2 where it is installed."""

from __future__ import annotations

import logging
import math
import sys
import threading
import time
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rclpy
from builtin_interfaces.msg import Time
from depth_scenes import rotation
from geometry_msgs.msg import TransformStamped
from rclpy.executors import SingleThreadedExecutor
from ros_domain import free_domain
from target_answers import FakeTransforms, answer_of, located, nowhere

from lisa_model.geometry import NoTarget3D, Target3D
from lisa_model.rigid import RigidTransform
from lisa_ros.diagnostics import Diagnostics
from lisa_ros.frame import Frame
from lisa_ros.intake import CameraIntake
from lisa_ros.locating import into_frame, transform_failure
from lisa_ros.parameters import PARAMETERS, Settings
from lisa_ros.pipeline import answer_intent
from lisa_ros.results import describe, to_target_cloud, to_target_point, to_targets
from lisa_ros.transforms import Tf2Transforms, TransformError

TRANSFORM = RigidTransform(rotation=rotation((1, 2, 3), 100), translation=np.array([1.0, -2, 0.5]))


def wanted(frame: str) -> Settings:
    values = {spec.name: spec.default for spec in PARAMETERS}
    return Settings.from_values(values | {"target_frame": frame, "tf_timeout_s": 0.5})


def test_targets_are_brought_into_the_frame(make: Any):
    before = (located(1, (0.05, 0.0, 0.9)), nowhere(2))
    transforms = FakeTransforms(TRANSFORM)
    after, frame = into_frame(before, make.header(7.5), wanted("base_link"), transforms)
    assert frame == "base_link"
    assert transforms.asked == [("base_link", make.frame_id, 7.5, 0.5)]
    old, new = before[0].position, after[0].position
    assert isinstance(old, Target3D)
    assert isinstance(new, Target3D)
    np.testing.assert_allclose(new.point, TRANSFORM.points(old.point))
    assert after[0].distance_m == before[0].distance_m, "the distance is from the camera"
    assert after[1] is before[1]

    answer = answer_of(make, *after, target_frame=frame)
    msg = to_targets(answer)
    assert msg.header.frame_id == "base_link"
    assert msg.header.stamp == make.header(7.5).stamp
    target = msg.targets[msg.best]
    assert target.header == msg.header
    assert old.surface is not None
    shape = before[0].shape
    assert shape is not None
    assert shape.box is not None
    assert shape.normal is not None
    np.testing.assert_allclose(
        (target.normal.x, target.normal.y, target.normal.z),
        TRANSFORM.directions(shape.normal.direction),
    )
    place = target.box_pose.position
    np.testing.assert_allclose(
        (place.x, place.y, place.z), TRANSFORM.points(shape.box.centre), atol=1e-12
    )
    np.testing.assert_allclose(
        np.array(target.covariance).reshape(3, 3), TRANSFORM.covariance(old.covariance)
    )
    point = to_target_point(answer)
    assert point is not None
    assert (point.header, point.point) == (msg.header, target.point)
    cloud = to_target_cloud(answer)
    values = np.frombuffer(bytes(cloud.data), "<f4").reshape(-1, 4)
    values = values[np.isfinite(values[:, 0])]
    np.testing.assert_allclose(
        values[:, :3], TRANSFORM.points(old.surface.points), rtol=1e-5, atol=1e-6
    )
    assert cloud.header == msg.header
    assert "frame=base_link" in describe(answer, 1.0)


@pytest.mark.parametrize("code", ["no_tf2", "no_transform"])
def test_without_a_transform_the_mask_stays_and_the_reason_is_told(make: Any, code: str):
    before = (located(1, (0.05, 0.0, 0.9)),)
    failing = FakeTransforms(TransformError(code=code, message="it is gone"))
    after, frame = into_frame(before, make.header(7.5), wanted("map"), failing)
    assert frame == ""
    answer = answer_of(make, *after)
    msg = to_targets(answer)
    assert msg.best == -1
    (target,) = msg.targets
    assert (target.has_3d, target.has_box, target.has_normal) == (False, False, False)
    assert (target.reason, target.reason_text) == (code, "it is gone")
    assert target.header == make.header(7.5)
    for value in (
        target.point.x,
        target.box_size.x,
        target.box_pose.orientation.w,
        target.normal.z,
    ):
        assert math.isnan(value)
    assert target.mask_area_px == before[0].area_px
    np.testing.assert_array_equal(answer.target_mask(), before[0].mask)
    failure = transform_failure(answer)
    assert isinstance(failure, NoTarget3D)
    assert failure.reason == code


def test_nothing_is_looked_up_when_nothing_is_wanted_or_found(make: Any):
    transforms = FakeTransforms(TRANSFORM)
    there, lost = (located(1, (0.0, 0.0, 0.9)),), (nowhere(1),)
    assert into_frame(there, make.header(1.0), wanted(""), transforms) == (there, "")
    assert into_frame(lost, make.header(1.0), wanted("map"), transforms) == (lost, "")
    assert transforms.asked == []
    assert transform_failure(answer_of(make, *there)) is None


def test_the_pipeline_passes_the_look_up_on(make: Any, fake: Any):
    frame = Frame(colour=make.image(7.5), received=0.0, depth=make.depth(7.5), info=make.info(7.5))
    answer = answer_intent(fake, frame, "x", wanted("base_link"), FakeTransforms(TRANSFORM))
    assert answer.target_header.frame_id == "base_link"
    assert answer.header.frame_id == make.frame_id
    assert "transform" in answer.timings
    lost = answer_intent(fake, frame, "x", wanted("base_link"))
    failure = transform_failure(lost)
    assert failure is not None
    assert failure.reason == "no_transform"


def test_two_threads_that_want_to_listen_make_one_listener(monkeypatch: pytest.MonkeyPatch):
    made: list[str] = []

    def slowly(name: str) -> Any:
        made.append(name)
        time.sleep(0.1)
        return SimpleNamespace()

    module = ModuleType("tf2_ros")
    module.Buffer = lambda node: slowly("buffer")  # type: ignore[attr-defined]
    module.TransformListener = lambda *_: slowly("listener")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tf2_ros", module)
    transforms = Tf2Transforms(node=None)
    threads = [threading.Thread(target=transforms.listen) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == ["buffer", "listener"]


def test_transforms_are_forgotten_when_time_jumps_back(monkeypatch: pytest.MonkeyPatch, make: Any):
    cleared: list[bool] = []
    module = ModuleType("tf2_ros")
    buffer = SimpleNamespace(clear=lambda: cleared.append(True))
    module.Buffer = lambda node: buffer  # type: ignore[attr-defined]
    module.TransformListener = lambda *_: None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tf2_ros", module)
    transforms = Tf2Transforms(node=None)
    transforms.forget()
    transforms.listen()
    intake = CameraIntake(
        settings=lambda: wanted("map"),
        diagnostics=Diagnostics(),
        log=logging.getLogger("test"),  # type: ignore[arg-type]
        clock=lambda: 0.0,
        on_clock_jump=transforms.forget,
    )
    for stamp, times in ((5.0, 0), (7.0, 0), (1.0, 1)):
        for stream, msg in (("image", make.image(stamp)), ("depth", make.depth(stamp))):
            assert intake.add(stream, msg)  # type: ignore[arg-type]
        assert len(cleared) == times


def test_a_missing_tf2_is_said_with_the_remedy(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "tf2_ros", None)
    transforms = Tf2Transforms(node=None)
    with pytest.raises(
        TransformError, match=r"target_frame or follow_fixed_frame is set.*Install it"
    ) as caught:
        transforms.lookup("base_link", "camera", Time(sec=1), 0.1)
    assert caught.value.code == "no_tf2"
    same = transforms.lookup("camera", "camera", Time(sec=1), 0.1)
    np.testing.assert_array_equal(same.matrix, np.eye(4))
    transforms.close()


@pytest.fixture
def node() -> Iterator[Any]:
    rclpy.init(args=[], domain_id=free_domain())
    node = rclpy.create_node("transforms_test", use_global_arguments=False)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    thread = threading.Thread(target=executor.spin)
    thread.start()
    yield node
    executor.shutdown()
    thread.join(10)
    node.destroy_node()
    rclpy.try_shutdown()


@pytest.mark.ros
def test_tf2_interpolates_at_the_stamp(node: Any):
    tf2_ros = pytest.importorskip("tf2_ros", reason="tf2_ros is not installed")
    transforms = Tf2Transforms(node)
    transforms.listen()
    transforms.listen()  # once is enough
    broadcaster = tf2_ros.TransformBroadcaster(node)

    def at(second: int, x: float, degrees: float) -> TransformStamped:
        msg = TransformStamped(child_frame_id="camera")
        msg.header.frame_id = "base_link"
        msg.header.stamp = Time(sec=second)
        msg.transform.translation.x = x
        msg.transform.rotation.z = math.sin(math.radians(degrees / 2))
        msg.transform.rotation.w = math.cos(math.radians(degrees / 2))
        return msg

    end = time.monotonic() + 20
    while True:  # until discovery has found the listener
        broadcaster.sendTransform([at(10, 1.0, 0.0), at(11, 3.0, 90.0)])
        try:
            found = transforms.lookup("base_link", "camera", Time(sec=10, nanosec=500_000_000), 0.5)
            break
        except TransformError:
            assert time.monotonic() < end
    np.testing.assert_allclose(found.translation, (2, 0, 0), atol=1e-9)
    np.testing.assert_allclose(found.rotation, rotation((0, 0, 1), 45), atol=1e-9)

    start = time.monotonic()
    with pytest.raises(TransformError, match=r"12\.000000000 within tf_timeout_s = 0\.3") as caught:
        transforms.lookup("base_link", "camera", Time(sec=12), 0.3)
    assert caught.value.code == "no_transform"
    assert 0.25 < time.monotonic() - start < 2.0
    with pytest.raises(TransformError, match="nowhere"):
        transforms.lookup("nowhere", "camera", Time(sec=10), 0.0)
    transforms.close()
    transforms.close()
    assert not [one for one in node.subscriptions if one.topic_name.startswith("/tf")]
