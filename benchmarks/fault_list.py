"""The faults of faults.py, in their order."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import rclpy.clock
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from benchmarks.rig import Rig
from lisa_model.rgbd import RgbdFrame
from lisa_ros.conversion import array_to_image
from lisa_ros.scene_player import FRAME_ID, frame_messages

NORMAL_INTENT = "change the TV channel"
LONG_INTENT = "change the TV channel please " * 400
LONG_CHARS = 10_000
# Longer than max_frame_age_s, so that the frames of the killed camera are stale.
_CAMERA_GONE_S = 2.0


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault.

    Attributes:
        name: for people.
        code: counter that has to rise, ``refused.<code>``.
        provoke: called until the counter has risen, every half second when ``repeat``, else once.
        repeat: camera messages are best effort, so one may be lost.
        repair: called before the normal intent.
    """

    name: str
    code: str
    provoke: Callable[[Rig], None]
    repeat: bool = False
    repair: Callable[[Rig], None] = lambda rig: None


def malformed(
    stream: str, change: Callable[[Any], None], frame: RgbdFrame
) -> Callable[[Rig], None]:
    """Return a function that publishes the scene's frame with one message spoilt.

    Args:
        stream: "image", "camera_info" or "depth".
        change: spoils a valid message.
        frame: the scene.
    """

    def provoke(rig: Rig) -> None:
        header = Header(stamp=rclpy.clock.Clock().now().to_msg(), frame_id=FRAME_ID)
        message = dict(
            zip(("image", "camera_info", "depth"), frame_messages(frame, header), strict=True)
        )[stream]
        change(message)
        rig.probe.publish(stream, message)

    return provoke


def message_faults(frame: RgbdFrame) -> list[Fault]:
    """Return the malformed camera messages, each with the code that it has to be refused for."""

    def set_fields(**fields: Any) -> Callable[[Any], None]:
        def change(message: Any) -> None:
            for name, value in fields.items():
                setattr(message, name, value)

        return change

    def cut_data(message: Image) -> None:
        message.data = message.data[: len(message.data) // 2]

    def halve(message: Image) -> None:
        small = array_to_image(frame.depth[::2, ::2].copy(), "32FC1", message.header)
        for name in ("height", "width", "encoding", "step", "data"):
            setattr(message, name, getattr(small, name))

    def nan_intrinsics(message: CameraInfo) -> None:
        message.k = [math.nan] * 9

    listed: list[tuple[str, str, str, Callable[[Any], None]]] = [
        ("colour: unknown encoding", "image", "image_encoding", set_fields(encoding="yuv9")),
        ("colour: half of the data", "image", "image_data_length", cut_data),
        ("colour: step too small", "image", "image_step", set_fields(step=1)),
        ("colour: zero height", "image", "image_size", set_fields(height=0)),
        ("depth: colour encoding", "depth", "depth_encoding", set_fields(encoding="rgb8")),
        ("depth: half of the data", "depth", "depth_data_length", cut_data),
        ("depth: step too small", "depth", "depth_step", set_fields(step=1)),
        ("depth: zero width", "depth", "depth_size", set_fields(width=0)),
        ("depth: half the colour's size", "depth", "depth_size_mismatch", halve),
        ("intrinsics: NaN", "camera_info", "camera_info_intrinsics", nan_intrinsics),
    ]
    return [
        Fault(name=name, code=code, provoke=malformed(stream, change, frame), repeat=True)
        for name, stream, code, change in listed
    ]


def all_faults(frame: RgbdFrame) -> list[Fault]:
    """Return all faults in their order; the first needs a node that has seen no camera."""

    def say(intent: str) -> Callable[[Rig], None]:
        def provoke(rig: Rig) -> None:
            rig.probe.say(intent)

        return provoke

    def kill_camera(rig: Rig) -> None:
        rig.kill_camera()
        rig.probe.wait(lambda: False, _CAMERA_GONE_S)
        rig.probe.say(NORMAL_INTENT)

    return [
        Fault(
            name="intent before any frame",
            code="intent_without_frame",
            provoke=say(NORMAL_INTENT),
            repair=Rig.start_camera,
        ),
        *message_faults(frame),
        Fault(name="empty intent", code="intent_empty", provoke=say("")),
        Fault(
            name=f"intent of {LONG_CHARS} characters",
            code="intent_too_long",
            provoke=say(LONG_INTENT[:LONG_CHARS]),
        ),
        Fault(
            name="camera killed, then an intent",
            code="stale_frame",
            provoke=kill_camera,
            repair=Rig.start_camera,
        ),
    ]
