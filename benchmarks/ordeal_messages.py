"""Camera messages that are wrong in one thing, as they are or compressed."""

from __future__ import annotations

import array
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from benchmarks.ordeal_schedule import MALFORMED
from lisa_model.rgbd import RgbdFrame
from lisa_ros.scene_player import (
    FRAME_ID,
    camera_info_message,
    colour_message,
    depth_message,
)

Change = Callable[[Any], None]
_BYTES = array.array("B", bytes(range(64)))


def malformed(
    what: str, frame: RgbdFrame, *, colour: str = "raw", depth: str = "raw", stamp: Time
) -> tuple[str, Any]:
    """Return the stream ("image", "depth" or "camera_info") and a message for it.

    Args:
        what: one of MALFORMED.
        frame: what the message is of otherwise.
        colour, depth: codecs of the scene player.  A raw image has no body that can be damaged: its
            data are cut instead.
        stamp: of the message, unless that is what is wrong.
    """
    stream, _, wrong = what.partition(" ")
    header = Header(stamp=stamp, frame_id=FRAME_ID)
    message: Any
    if stream == "camera_info":
        message = camera_info_message(frame.intrinsics, header)
    elif stream == "image":
        message = colour_message(frame.color, colour, header)
    else:
        millimetres = np.rint(frame.depth * 1000.0).astype(np.uint16)
        if wrong == "half size":
            millimetres = np.ascontiguousarray(millimetres[::2, ::2])
        message = depth_message(millimetres, depth, header)
    _change(message, wrong)
    return stream, message


def _change(message: Any, wrong: str) -> None:
    if wrong == "frame_id empty":
        message.header.frame_id = ""
    elif wrong == "stamp negative":
        message.header.stamp = Time(sec=-5)
    elif wrong == "other frame":
        message.header.frame_id = "another_camera"
    elif wrong == "half size":
        pass
    else:
        changes = (
            _INFO
            if isinstance(message, CameraInfo)
            else _COMPRESSED
            if isinstance(message, CompressedImage)
            else _RAW
        )
        changes[wrong](message)


def _set(**fields: Any) -> Change:
    def change(message: Any) -> None:
        for name, value in fields.items():
            setattr(message, name, value)

    return change


def _cut(message: Image | CompressedImage) -> None:
    message.data = message.data[: len(message.data) // 2]


def _damage(message: CompressedImage) -> None:
    """Overwrite the middle: the headers still say what they should."""
    if message.format.endswith("rvl"):  # any bytes are depths to it, as long as there are enough
        _cut(message)
        return
    middle = len(message.data) // 2
    message.data[middle : middle + len(_BYTES)] = _BYTES


_RAW: dict[str, Change] = {
    "encoding": _set(encoding="yuv9"),
    "data cut": _cut,
    "step": _set(step=1),
    "height 0": _set(height=0),
    "width 0": _set(width=0),
    "body damaged": _cut,
}
_COMPRESSED: dict[str, Change] = {
    "encoding": _set(format="16UC3; tiff"),
    "data cut": _cut,
    "step": _set(data=_BYTES),
    "height 0": _set(data=array.array("B")),
    "width 0": _set(data=array.array("B")),
    "body damaged": _damage,
}
_INFO: dict[str, Change] = {
    "NaN": _set(k=[math.nan] * 9),
    "zero": _set(k=[0.0] * 9),
    "other size": _set(width=31, height=17),
}

assert all(
    what.split(" ", 1)[1]
    in {*_RAW, *_INFO, "frame_id empty", "stamp negative"} | {"half size", "other frame"}
    for what in MALFORMED
)
