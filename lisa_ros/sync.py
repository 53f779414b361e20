"""Colour, depth and camera_info matched by stamp; only the newest frame ever counts.

This is no queue: nothing waits in it to be processed.  A few messages of each stream are remembered
because depth usually arrives some tens of milliseconds after the colour image that it belongs to.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from sensor_msgs.msg import CameraInfo, Image

from lisa_ros.errors import InputError
from lisa_ros.validation import check_camera_info_fits, check_depth_fits

Stream = Literal["image", "depth", "camera_info"]

# How many messages of a stream are remembered.
HISTORY = 4
# A complete frame is preferred to a newer one without depth if it came at most this much before.
MAX_LAG_S = 0.2

# Why a frame has no usable depth; the values of lisa_ros/msg/Target3D's REASON constants.
REASON_NO_DEPTH = "no_depth"
REASON_NO_CAMERA_INFO = "no_camera_info"
REASON_INVALID_DEPTH = "invalid_depth"


@dataclass(frozen=True)
class Frame:
    """A colour image with what belongs to it.

    Attributes:
        colour: validated colour image.
        received: when it arrived, in seconds of the monotonic clock.
        depth, info: validated, and fitting to ``colour``; None when there is none.
        missing: "" when complete, else the code of what is missing.
        missing_text: the same as a sentence.
    """

    colour: Image
    received: float
    depth: Image | None = None
    info: CameraInfo | None = None
    missing: str = ""
    missing_text: str = ""

    @property
    def complete(self) -> bool:
        """True when targets can be estimated in 3D."""
        return self.depth is not None and self.info is not None


@dataclass(frozen=True)
class _Received:
    msg: Any
    stamp_ns: int
    time: float


class FrameBuffer:
    """Holds the last messages of each stream; thread-safe.

    The messages have to be validated before they are added.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._streams: dict[Stream, deque[_Received]] = {
            "image": deque(maxlen=HISTORY),
            "depth": deque(maxlen=HISTORY),
            "camera_info": deque(maxlen=HISTORY),
        }
        self._refused: dict[Stream, tuple[float, InputError]] = {}
        self._first_colour: float | None = None

    def add(self, stream: Stream, msg: Image | CameraInfo, now: float) -> None:
        """Remember a message that arrived at ``now`` (monotonic seconds)."""
        with self._lock:
            self._streams[stream].append(_Received(msg, stamp_ns(msg), now))
            if stream == "image" and self._first_colour is None:
                self._first_colour = now

    def note_refused(self, stream: Stream, error: InputError, now: float) -> None:
        """Remember why the stream's last message was refused, to tell it with the result."""
        with self._lock:
            self._refused[stream] = (now, error)

    def newest_colour(self) -> Image | None:
        """Return the newest colour image."""
        with self._lock:
            images = self._streams["image"]
            return images[-1].msg if images else None

    def newest_received(self) -> float | None:
        """Return when the newest colour image arrived."""
        with self._lock:
            images = self._streams["image"]
            return images[-1].time if images else None

    def first_received(self) -> float | None:
        """Return when the first colour image since ``clear`` arrived."""
        with self._lock:
            return self._first_colour

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            for stream in self._streams.values():
                stream.clear()
            self._refused.clear()
            self._first_colour = None

    def newest(self, slop_s: float) -> Frame | None:
        """Return the newest complete frame, or the newest colour image alone when there is none.

        Args:
            slop_s: largest difference of stamps between the colour image and its depth and
                camera_info [s].  A camera_info with stamp zero is a static calibration and fits
                any image.
        """
        with self._lock:
            images = list(self._streams["image"])
            depths = list(self._streams["depth"])
            infos = list(self._streams["camera_info"])
            refused = dict(self._refused)
        if not images:
            return None
        slop_ns = round(slop_s * 1e9)
        for image in reversed(images):
            if images[-1].time - image.time > MAX_LAG_S:
                break
            frame = _match(image, depths, infos, refused, slop_ns)
            if frame.complete:
                return frame
        return _match(images[-1], depths, infos, refused, slop_ns)


def stamp_ns(msg: Image | CameraInfo) -> int:
    """Return a message's stamp in nanoseconds."""
    stamp = msg.header.stamp
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def _match(
    image: _Received,
    depths: list[_Received],
    infos: list[_Received],
    refused: dict[Stream, tuple[float, InputError]],
    slop_ns: int,
) -> Frame:
    """Put the depth and the camera_info nearest in stamp to a colour image."""

    def pick(
        stream: Stream,
        candidates: list[_Received],
        check: Callable[[Any, Image], None],
        missing: str,
    ) -> tuple[Any, str, str]:
        """Return (message or None, code, text)."""
        best = min(candidates, key=lambda one: _distance(one, image, stream), default=None)
        if best is not None and _distance(best, image, stream) <= slop_ns:
            try:
                check(best.msg, image.msg)
            except InputError as error:
                return None, REASON_INVALID_DEPTH, str(error)
            return best.msg, "", ""
        last_accepted = candidates[-1].time if candidates else float("-inf")
        if stream in refused and refused[stream][0] >= last_accepted:
            return None, REASON_INVALID_DEPTH, f"refused: {refused[stream][1]}"
        if best is None:
            return None, missing, f"no {stream} message has arrived"
        return (
            None,
            missing,
            f"the nearest {stream} message is {_distance(best, image, stream) / 1e9:.3f} s from "
            f"the colour image, more than sync_slop_s = {slop_ns / 1e9:.3f} s",
        )

    depth, depth_code, depth_text = pick("depth", depths, check_depth_fits, REASON_NO_DEPTH)
    info, info_code, info_text = pick(
        "camera_info", infos, check_camera_info_fits, REASON_NO_CAMERA_INFO
    )
    return Frame(
        colour=image.msg,
        received=image.time,
        depth=depth,
        info=info,
        missing=depth_code or info_code,
        missing_text=depth_text or info_text,
    )


def _distance(candidate: _Received, image: _Received, stream: Stream) -> int:
    if stream == "camera_info" and candidate.stamp_ns == 0:
        return 0
    return abs(candidate.stamp_ns - image.stamp_ns)
