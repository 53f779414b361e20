from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from lisa_ros.camera_view import CameraView
from lisa_ros.compressed import rgb_to_compressed
from lisa_ros.doctor.camera import check_camera, check_clock, incompatibility, nearest_gaps
from lisa_ros.doctor.observe import with_transports
from lisa_ros.doctor.report import Finding, Status


def one(findings: list[Finding], name: str) -> Finding:
    (found,) = [finding for finding in findings if finding.name == name]
    return found


def test_a_camera_in_good_order(seen: Any):
    findings = check_camera(seen.observed())
    assert {finding.status for finding in findings} == {Status.OK}
    assert one(findings, "color").what == (
        "/camera/color/image_raw: 64x48 rgb8, 30.0 Hz, frame camera_color_optical_frame"
    )
    assert "fx 50.0" in one(findings, "camera info").what
    assert "100%" in one(findings, "stamps of depth").what
    assert "10 ms" in one(findings, "clock").what


def test_a_topic_that_nobody_publishes_is_a_warning_that_names_others(seen: Any):
    nothing = {"publishers": (), "stamps_s": (), "arrivals_s": (), "sample": None, "kinds": ()}
    other = {"/cam0/image": "sensor_msgs/msg/Image"}
    observed = seen.observed(color=seen.color(**nothing), image_topics=other)
    finding = one(check_camera(observed), "color")
    assert finding.status is Status.WARNING
    assert "/cam0/image" in finding.what
    assert "--color" in finding.remedy


def test_another_type_fails(seen: Any):
    finding = one(
        check_camera(seen.observed(depth=seen.depth(kinds=("sensor_msgs/msg/PointCloud2",)))),
        "depth",
    )
    assert finding.status is Status.FAILED
    assert "PointCloud2" in finding.what
    two = ("sensor_msgs/msg/Image", "std_msgs/msg/String")
    finding = one(check_camera(seen.observed(depth=seen.depth(kinds=two))), "depth")
    assert finding.status is Status.FAILED
    assert "several types" in finding.what


def test_a_publisher_from_which_nothing_comes_points_to_the_transport(seen: Any):
    silent = seen.color(stamps_s=(), arrivals_s=(), sample=None)
    finding = one(check_camera(seen.observed(color=silent)), "color")
    assert finding.status is Status.FAILED
    assert "FASTDDS_BUILTIN_TRANSPORTS" in finding.remedy


@pytest.mark.parametrize(
    ("stream", "change", "said"),
    [
        ("color", {"encoding": "bayer_rggb8"}, "image.encoding is 'bayer_rggb8'"),
        ("color", {"step": 3}, "image.step is 3"),
        ("depth", {"encoding": "mono16"}, "depth.encoding"),
        ("depth", {"width": 0}, "depth.width"),
        ("info", {"k": [0.0] * 9}, "camera_info.k is all zero: the camera is not calibrated"),
        ("info", {"width": 32}, "the colour image is 64 x 48"),
    ],
)
def test_messages_are_judged_by_the_nodes_own_rules(
    seen: Any, make: Any, stream: str, change: dict[str, Any], said: str
):
    kind = {"color": make.image, "depth": make.depth, "info": make.info}[stream]
    observed = seen.observed(**{stream: getattr(seen, stream)(sample=kind(**change))})
    finding = one(check_camera(observed), "camera info" if stream == "info" else stream)
    assert finding.status is Status.FAILED
    assert said in finding.what
    assert finding.remedy


def test_depth_of_another_camera_fits_only_when_its_pose_is_given(seen: Any, make: Any):
    observed = seen.observed(depth=seen.depth(sample=make.depth(size=(24, 32))))
    finding = one(check_camera(observed), "depth")
    assert finding.status is Status.FAILED
    assert "depth_to_colour" in finding.remedy
    view = CameraView(colour_from_depth=tuple(np.eye(4).ravel()))
    assert one(check_camera(observed, view=view), "depth").status is Status.OK


def test_compressed_colour(seen: Any, make: Any):
    message = rgb_to_compressed(np.zeros((48, 64, 3), np.uint8), make.header())
    kinds = ("sensor_msgs/msg/CompressedImage",)
    finding = one(
        check_camera(seen.observed(color=seen.color(sample=message, kinds=kinds))), "color"
    )
    assert finding.status is Status.OK
    assert "jpeg" in finding.what
    assert with_transports("/a") == ["/a", "/a/compressedDepth", "/a/compressed"]


def test_a_slow_camera_and_a_distorted_lens_are_warnings(seen: Any, make: Any):
    slow = seen.color(stamps_s=seen.stamps[:1], arrivals_s=seen.stamps[:1])
    assert one(check_camera(seen.observed(color=slow)), "color").status is Status.WARNING
    bent = seen.info(sample=make.info(d=[0.1, 0.0, 0.0, 0.0, 0.0], distortion_model="plumb_bob"))
    finding = one(check_camera(seen.observed(info=bent)), "camera info")
    assert (finding.status, "rectify" in finding.remedy) == (Status.WARNING, True)
    view = CameraView(rectify=True)
    finding = one(check_camera(seen.observed(info=bent), view=view), "camera info")
    assert finding.status is Status.OK


@pytest.mark.parametrize(
    ("shift", "kept", "status"),
    [(0.004, 60, Status.OK), (0.016, 60, Status.WARNING), (0.016, 1, Status.FAILED)],
)
def test_stamps_that_do_not_meet(seen: Any, shift: float, kept: int, status: Status):
    shifted = tuple(stamp + shift for stamp in seen.stamps[-kept:])
    if status is Status.WARNING:
        # Every third depth image only.
        shifted = tuple(seen.stamps[::3])
    observed = seen.observed(depth=seen.depth(stamps_s=shifted, arrivals_s=shifted))
    finding = one(check_camera(observed, slop_s=0.005), "stamps of depth")
    assert finding.status is status
    assert one(check_camera(observed, slop_s=2.0), "stamps of depth").status is Status.OK


def test_zero_stamps(seen: Any):
    zero = (0.0,) * 60
    finding = one(check_camera(seen.observed(depth=seen.depth(stamps_s=zero))), "stamps of depth")
    assert finding.status is Status.FAILED
    finding = one(
        check_camera(seen.observed(info=seen.info(stamps_s=zero))), "stamps of camera info"
    )
    assert finding.status is Status.OK


def test_a_clock_that_differs_is_a_warning(seen: Any):
    for seconds, side in ((-30.0, "ahead of"), (30.0, "behind")):
        arrivals = tuple(stamp + seconds for stamp in seen.stamps)
        finding = check_clock(seen.color(arrivals_s=arrivals))
        assert finding.status is Status.WARNING
        assert f"30.0 s {side}" in finding.what


def test_nearest_gaps():
    assert nearest_gaps([0.0, 1.0, 5.0], [2.0, 0.5]) == [0.5, 0.5, 3.0]


def test_qos(seen: Any):
    reliable_only = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
    assert incompatibility(seen.best_effort, seen.best_effort) == ""
    assert incompatibility(seen.latched, seen.best_effort) == ""
    assert "elia" in incompatibility(seen.best_effort, reliable_only)
    assert incompatibility(seen.reliable, seen.latched)


def test_samples_are_not_changed(seen: Any, make: Any):
    image: Image = make.image()
    check_camera(seen.observed(color=seen.color(sample=image)))
    assert image == make.image()
