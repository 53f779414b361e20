"""Which depth and which camera_info belong to a colour image: those nearest in stamp that fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sensor_msgs.msg import CameraInfo

from lisa_ros.arrival import Stream
from lisa_ros.camera_view import CameraView
from lisa_ros.errors import InputError
from lisa_ros.frame import (
    REASON_INVALID_DEPTH,
    REASON_NO_CAMERA_INFO,
    REASON_NO_DEPTH,
    Frame,
    ImageMessage,
    Once,
)
from lisa_ros.validation import (
    Extent,
    check_camera_info_fits,
    check_depth_camera_info_fits,
    check_depth_fits,
)


@dataclass(frozen=True, eq=False)
class Received:
    """A message with what was found out about it.

    Attributes:
        msg: as it came.
        stamp_ns: its stamp.
        time: when it arrived [monotonic s].
        extent: size and frame_id.
        pixels: of an image, not decoded before they are used.
    """

    msg: Any
    stamp_ns: int
    time: float
    extent: Extent
    pixels: Once[Any] | None = None

    @property
    def static(self) -> bool:
        """Whether it is a camera_info without a stamp, which holds for any image."""
        return self.stamp_ns == 0 and isinstance(self.msg, CameraInfo)


def stamp_ns(msg: ImageMessage | CameraInfo) -> int:
    """Return a message's stamp in nanoseconds."""
    stamp = msg.header.stamp
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


@dataclass(frozen=True)
class _Picked:
    """What was found for a colour image in one stream: a message, or why there is none."""

    received: Received | None = None
    code: str = ""
    text: str = ""


@dataclass(frozen=True)
class Matcher:
    """Puts the depth and the camera_info nearest in stamp to a colour image."""

    received: Mapping[Stream, Sequence[Received]]
    refused: Mapping[Stream, tuple[float, InputError]]
    slop_ns: int
    view: CameraView

    def frame(self, image: Received) -> Frame:
        """Return the frame of a colour image."""
        found = [
            self._pick("depth", image, self._check_depth(image), REASON_NO_DEPTH),
            self._pick(
                "camera_info",
                image,
                lambda info: check_camera_info_fits(info, image.extent),
                REASON_NO_CAMERA_INFO,
            ),
        ]
        depth, info = found
        depth_info = None
        if not self.view.registered and depth.received is not None:
            extent = depth.received.extent
            depth_info = self._pick(
                "depth_camera_info",
                depth.received,
                lambda one: check_depth_camera_info_fits(one, extent),
                REASON_NO_CAMERA_INFO,
            )
            found.append(depth_info)
            if depth_info.received is None:
                depth = _Picked()
        wrong = next((one for one in found if one.code), _Picked())
        return Frame(
            colour=image.msg,
            received=image.time,
            depth=depth.received.msg if depth.received else None,
            info=info.received.msg if info.received else None,
            missing=wrong.code,
            missing_text=wrong.text,
            depth_info=depth_info.received.msg if depth_info and depth_info.received else None,
            view=self.view,
            pixels=image.pixels,
            depth_values=depth.received.pixels if depth.received else None,
        )

    def _check_depth(self, image: Received) -> Callable[[Extent], None]:
        if self.view.registered:
            return lambda depth: check_depth_fits(depth, image.extent)
        return lambda depth: None  # its own camera_info has to fit, see ``frame``

    def _pick(
        self,
        stream: Stream,
        image: Received,
        check: Callable[[Extent], None],
        missing: str,
    ) -> _Picked:
        candidates = self.received[stream]
        best = _nearest(candidates, image)
        if best is not None and _distance(best, image) <= self.slop_ns:
            try:
                check(best.extent)
            except InputError as error:
                return _Picked(code=REASON_INVALID_DEPTH, text=str(error))
            return _Picked(best)
        last_accepted = candidates[-1].time if candidates else float("-inf")
        if stream in self.refused and self.refused[stream][0] >= last_accepted:
            return _Picked(code=REASON_INVALID_DEPTH, text=f"refused: {self.refused[stream][1]}")
        if best is None:
            return _Picked(code=missing, text=f"no {stream} message has arrived")
        return _Picked(
            code=missing,
            text=f"the nearest {stream} message is {_distance(best, image) / 1e9:.3f} s "
            f"from the {'depth' if stream == 'depth_camera_info' else 'colour'} image, more than "
            f"sync_slop_s = {self.slop_ns / 1e9:.3f} s",
        )


def _nearest(candidates: Sequence[Received], image: Received) -> Received | None:
    """Return the message nearest in stamp; of several, the one that came last."""
    return min(reversed(candidates), key=lambda one: _distance(one, image), default=None)


def _distance(candidate: Received, image: Received) -> int:
    if candidate.static:
        return 0
    return abs(candidate.stamp_ns - image.stamp_ns)
