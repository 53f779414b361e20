"""Judges the camera's topics."""

from __future__ import annotations

import statistics
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

from rclpy.qos import QoSCompatibility, QoSProfile, qos_check_compatible

from lisa_ros.arrival import Stream as StreamName
from lisa_ros.arrival import check_message
from lisa_ros.camera_view import CameraView
from lisa_ros.doctor.observed import Observed, Stream
from lisa_ros.doctor.report import Finding, failed, ok, warning
from lisa_ros.errors import InputError
from lisa_ros.qos import CAMERA_INPUT
from lisa_ros.validation import Extent, is_distorted

SLOW_HZ = 1.0
# Clocks of two computers that are not synchronised differ by more; drivers delay by less.
MAX_CLOCK_DIFFERENCE_S = 1.0
_STREAMS: tuple[tuple[StreamName, str], ...] = (
    ("image", "color"),
    ("depth", "depth"),
    ("camera_info", "camera info"),
)
_OPTIONS = {"image": "--color", "depth": "--depth", "camera_info": "--info"}
_WITHOUT = {
    "image": "nothing is answered",
    "depth": "there is no 3D",
    "camera_info": "there is no 3D",
}


def check_camera(
    observed: Observed, *, view: CameraView | None = None, slop_s: float = 0.05
) -> list[Finding]:
    """Judge the three streams, one by one and together.

    Args:
        observed: what was seen.
        view: how the node uses the camera; by default registered depth, not rectified.
        slop_s: the node's sync_slop_s.
    """
    view = CameraView() if view is None else view
    streams = {"image": observed.color, "depth": observed.depth, "camera_info": observed.info}
    findings: list[Finding] = []
    colour: Extent | None = None
    for stream, name in _STREAMS:
        seen = streams[stream]
        problem = _problem_of_supply(stream, name, seen, observed.image_topics)
        if problem is not None:
            findings.append(problem)
            continue
        findings += _check_offers(name, seen)
        finding, extent = _check_sample(stream, name, seen, colour, view)
        findings.append(finding)
        colour = extent if stream == "image" else colour
    for stream in ("depth", "camera_info"):
        if observed.color.stamps_s and streams[stream].stamps_s:
            name = dict(_STREAMS)[stream]
            findings.append(check_stamps(name, observed.color, streams[stream], slop_s))
    if observed.color.stamps_s:
        findings.append(check_clock(observed.color))
    return findings


def _problem_of_supply(
    stream: StreamName, name: str, seen: Stream, image_topics: Mapping[str, str]
) -> Finding | None:
    """Return why nothing came, None when something did."""
    if not seen.publishers:
        others = ", ".join(sorted(image_topics)) or "none"
        return warning(
            name,
            f"nobody publishes {seen.topic}, so {_WITHOUT[stream]} (image topics there are: "
            f"{others})",
            f"Start the camera, or name its topic with {_OPTIONS[stream]} here and by remapping "
            "at the node",
        )
    wanted = "CameraInfo" if stream == "camera_info" else "Image"
    if not any(wanted in kind for kind in seen.kinds):
        return failed(
            name,
            f"{seen.topic} is {', '.join(seen.kinds)}, not sensor_msgs/msg/{wanted}",
            f"Name another topic with {_OPTIONS[stream]}",
        )
    if len(seen.kinds) > 1:
        return failed(
            name,
            f"{seen.topic} has publishers or subscriptions of several types: "
            f"{', '.join(seen.kinds)}",
            "Give the topics different names",
        )
    if seen.sample is None:
        return failed(
            name,
            f"{seen.topic} has {len(seen.publishers)} publishers, but nothing came in "
            f"{seen.seconds:.0f} s",
            "See transport above: set FASTDDS_BUILTIN_TRANSPORTS for the camera driver too; and is "
            "the driver streaming?",
        )
    return None


def _check_offers(name: str, seen: Stream) -> list[Finding]:
    """Check that each publisher's QoS serves the node's best-effort subscription."""
    findings = []
    for publisher in seen.publishers:
        reason = incompatibility(publisher.qos, CAMERA_INPUT)
        if reason:
            findings.append(
                failed(
                    f"{name} QoS",
                    f"{publisher.node} offers less than the node asks for: {reason}",
                    "Change the publisher's QoS",
                )
            )
    return findings


def incompatibility(offered: QoSProfile, asked: QoSProfile) -> str:
    """Return why a publisher's QoS does not serve a subscription's, "" when it does."""
    compatibility, reason = qos_check_compatible(offered, asked)
    return str(reason).strip() if compatibility == QoSCompatibility.ERROR else ""


def _check_sample(
    stream: StreamName, name: str, seen: Stream, colour: Extent | None, view: CameraView
) -> tuple[Finding, Extent | None]:
    """Check the last message by the node's own rules, and the rate."""
    try:
        extent = check_message(stream, seen.sample, colour, view=view)
    except InputError as error:
        return failed(name, f"{seen.topic}: {error.field} {error.problem}", error.remedy), None
    text = f"{seen.topic}: {_described(stream, seen.sample, extent)}, {seen.rate_hz:.1f} Hz, "
    text += f"frame {extent.frame_id}"
    if seen.rate_hz < SLOW_HZ and not (stream == "camera_info" and seen.stamps_s == ()):
        slow = "Raise the driver's rate; a slow network needs compressed topics (docs/cameras.md)"
        return warning(name, text, slow), extent
    if stream == "camera_info" and is_distorted(seen.sample) and not view.rectify:
        return warning(
            name, f"{text}; the lens is distorted", "Set rectify: true (docs/cameras.md)"
        ), extent
    return ok(name, text), extent


def _described(stream: StreamName, sample: Any, extent: Extent) -> str:
    size = f"{extent.width}x{extent.height}"
    if stream == "camera_info":
        return f"{size}, fx {sample.k[0]:.1f}, fy {sample.k[4]:.1f}"
    return f"{size} {getattr(sample, 'encoding', None) or sample.format}"


def check_stamps(name: str, color: Stream, other: Stream, slop_s: float) -> Finding:
    """Check that for most colour images there is a message with about the same stamp.

    Args:
        name: of the other stream.
        color, other: both received something.
        slop_s: largest difference [s] that the node joins.
    """
    title = f"stamps of {name}"
    if any(stamp == 0.0 for stamp in (*color.stamps_s, *other.stamps_s)):
        if name == "camera info" and all(stamp == 0.0 for stamp in other.stamps_s):
            return ok(title, "all zero: it holds for every image")
        return failed(title, "some stamps are zero", "Have the driver stamp its messages")
    gaps = nearest_gaps(color.stamps_s, other.stamps_s)
    middle = statistics.median(gaps)
    joined = sum(gap <= slop_s for gap in gaps) / len(gaps)
    text = f"{joined:.0%} of the colour images have one within {slop_s * 1e3:.0f} ms (median "
    text += f"distance {middle * 1e3:.1f} ms)"
    remedy = "Synchronise the driver's streams (realsense2_camera: enable_sync), or raise "
    remedy += "sync_slop_s if the camera stands still"
    if joined == 0.0:
        return failed(title, text, remedy)
    if joined < 0.5:
        return warning(title, text, remedy)
    return ok(title, text)


def nearest_gaps(stamps: Sequence[float], others: Sequence[float]) -> list[float]:
    """Return each stamp's distance to the nearest of the others (at least one) [s]."""
    ordered = sorted(others)
    gaps = []
    for stamp in stamps:
        at = bisect_left(ordered, stamp)
        gaps.append(min(abs(one - stamp) for one in ordered[max(0, at - 1) : at + 1]))
    return gaps


def check_clock(color: Stream) -> Finding:
    """Check that the stamps are of this computer's time."""
    late = statistics.median(
        arrival - stamp for stamp, arrival in zip(color.stamps_s, color.arrivals_s, strict=True)
    )
    if abs(late) <= MAX_CLOCK_DIFFERENCE_S:
        return ok("clock", f"colour images arrive {late * 1e3:.0f} ms after their stamp")
    side = "behind" if late > 0 else "ahead of"
    return warning(
        "clock",
        f"the colour stamps are {abs(late):.1f} s {side} this computer's clock: tf2 will not find "
        "transforms of that time",
        "Synchronise the computers' clocks (chrony); right for recordings and simulation, with "
        "use_sim_time",
    )
