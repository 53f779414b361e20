"""Colour, depth and camera_info matched by stamp; only the newest frame ever counts.

This is no queue: nothing waits in it to be processed.  A few messages of each stream are remembered
because depth usually arrives some tens of milliseconds after the colour image that it belongs to.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from sensor_msgs.msg import CameraInfo

from lisa_ros.arrival import Stream, check_message
from lisa_ros.camera_view import CameraView
from lisa_ros.errors import InputError
from lisa_ros.frame import (
    REASON_INVALID_DEPTH,
    Frame,
    ImageMessage,
    Once,
    colour_pixels,
    depth_pixels,
)
from lisa_ros.matching import Matcher, Received, stamp_ns
from lisa_ros.validation import Extent

# How many messages of a stream are remembered.
HISTORY = 4
# A complete frame is preferred to a newer one without depth if it came at most this much before.
MAX_LAG_S = 0.2
# Messages overtake each other by milliseconds; a stamp this much before its predecessor's is a
# clock that was set back, or a recording that starts over.
CLOCK_JUMP_S = 1.0


class FrameBuffer:
    """Holds the last messages of each stream; thread-safe.

    The messages have to be validated before they are added.  Images are decoded when a frame is
    used, not before.

    Args:
        view: what is done to the images, and whether depth has a camera of its own.
    """

    def __init__(self, view: CameraView | None = None) -> None:
        self._view = view or CameraView()
        self._lock = threading.Lock()
        streams: tuple[Stream, ...] = ("image", "depth", "camera_info", "depth_camera_info")
        self._streams: dict[Stream, deque[Received]] = {
            stream: deque(maxlen=HISTORY) for stream in streams
        }
        self._refused: dict[Stream, tuple[float, InputError]] = {}
        self._last_stamps: dict[Stream, int] = {}
        self._first_colour: float | None = None

    def add(
        self,
        stream: Stream,
        msg: ImageMessage | CameraInfo,
        now: float,
        extent: Extent | None = None,
    ) -> bool:
        """Remember a message that arrived at ``now`` (monotonic seconds).

        Args:
            extent: as ``check_message`` returned it; None to check the message here.

        Returns:
            True when its stamp lies so far before its predecessor's that time has jumped back; all
            that came before is then forgotten, as it belongs to another time.

        Raises:
            InputError: without ``extent``, when the message is malformed.
        """
        extent = extent or check_message(stream, msg, view=self._view)
        stamp = stamp_ns(msg)
        pixels: Once[Any] | None = None
        if stream == "image":
            pixels = colour_pixels(msg)
        elif stream == "depth":
            pixels = depth_pixels(msg)
        received = Received(msg, stamp, now, extent, pixels)
        with self._lock:
            last = self._last_stamps.get(stream)
            jumped = last is not None and not received.static and stamp < last - CLOCK_JUMP_S * 1e9
            if jumped:
                self._forget(keep_static=True)
            if not received.static:
                self._last_stamps[stream] = stamp
            self._streams[stream].append(received)
            if stream == "image" and self._first_colour is None:
                self._first_colour = now
        return jumped

    def note_refused(self, stream: Stream, error: InputError, now: float) -> None:
        """Remember why the stream's last message was refused, to tell it with the result."""
        with self._lock:
            self._refused[stream] = (now, error)

    def newest_extent(self, stream: Stream = "image") -> Extent | None:
        """Return size and frame_id of the newest message of a stream."""
        with self._lock:
            received = self._streams[stream]
            return received[-1].extent if received else None

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
            self._forget(keep_static=False)

    def newest(self, slop_s: float) -> Frame | None:
        """Return the newest complete frame, or the newest colour image alone when there is none.

        Args:
            slop_s: largest difference of stamps between the colour image and its depth and
                camera_info [s].  A camera_info with stamp zero is a static calibration and fits
                any image.
        """
        with self._lock:
            received = {stream: list(messages) for stream, messages in self._streams.items()}
            refused = dict(self._refused)
        images = received["image"]
        if not images:
            return None
        matcher = Matcher(received, refused, round(slop_s * 1e9), self._view)
        for image in reversed(images):
            if images[-1].time - image.time > MAX_LAG_S:
                break
            frame = matcher.frame(image)
            if frame.complete:
                return frame
        return matcher.frame(images[-1])

    def decode(
        self,
        frame: Frame,
        *,
        slop_s: float,
        oldest: float,
        on_refused: Callable[[InputError], None],
        now: float,
    ) -> Frame:
        """Decode a frame of this buffer, or the best one that can be decoded.

        A message that turns out to be damaged is forgotten, so that the good ones before it count.

        Args:
            slop_s: as for ``newest``.
            oldest: replacements must not have arrived before [monotonic s].
            on_refused: told of each message that was damaged, but not of the one that is raised.
            now: monotonic seconds.

        Raises:
            InputError: no colour image that is new enough can be decoded.
        """
        while True:
            try:
                frame.decode_colour()
            except InputError as error:
                self._drop("image", frame.colour)
                earlier = self.newest(slop_s)
                if earlier is None or earlier.received < oldest:
                    raise
                on_refused(error)
                frame = earlier
                continue
            if frame.depth is None:
                return frame
            try:
                frame.decode_depth()
            except InputError as error:
                self._drop("depth", frame.depth)
                self.note_refused("depth", error, now)
                on_refused(error)
                earlier = self.newest(slop_s)
                if earlier is None or earlier.received < oldest:
                    # The node was deactivated, or time jumped, meanwhile.
                    return without_depth(frame, error)
                frame = earlier
                continue
            return frame

    def _drop(self, stream: Stream, msg: ImageMessage) -> None:
        with self._lock:
            messages = self._streams[stream]
            for received in list(messages):
                if received.msg is msg:
                    messages.remove(received)

    def _forget(self, *, keep_static: bool) -> None:
        for messages in self._streams.values():
            static = [one for one in messages if one.static]
            messages.clear()
            if keep_static:
                messages.extend(static)
        self._refused.clear()
        self._last_stamps.clear()
        self._first_colour = None


def without_depth(frame: Frame, error: InputError) -> Frame:
    """Return the frame with its colour image only, and why the depth was refused."""
    return Frame(
        colour=frame.colour,
        received=frame.received,
        info=frame.info,
        missing=REASON_INVALID_DEPTH,
        missing_text=f"refused: {error}",
        view=frame.view,
        pixels=frame.pixels,
    )
