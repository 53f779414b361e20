"""Camera messages on their way into the frame buffer: checked, counted, refused if malformed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sensor_msgs.msg import CameraInfo

from lisa_ros.arrival import Stream, check_message
from lisa_ros.diagnostics import Diagnostics
from lisa_ros.errors import InputError
from lisa_ros.frame import Frame, ImageMessage
from lisa_ros.log_line import Logger, log_line
from lisa_ros.parameters import Settings
from lisa_ros.sync import FrameBuffer
from lisa_ros.validation import Extent, is_distorted


class CameraIntake:
    """Takes camera messages on the executor's thread, gives frames to the inference thread.

    Args:
        settings: returns the current parameters.
        diagnostics: where everything is counted.
        log: where everything is said.
        clock: monotonic seconds.
        on_clock_jump: called when stamps have jumped back.
    """

    def __init__(
        self,
        *,
        settings: Callable[[], Settings],
        diagnostics: Diagnostics,
        log: Logger,
        clock: Callable[[], float],
        on_clock_jump: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._diagnostics = diagnostics
        self._log = log
        self._clock = clock
        self._on_clock_jump = on_clock_jump
        self._frames = FrameBuffer(settings().view)

    def clear(self) -> None:
        """Forget all frames."""
        self._frames.clear()

    def frame_age(self) -> float | None:
        """Return the seconds since the newest colour image arrived, None when there is none."""
        received = self._frames.newest_received()
        return None if received is None else self._clock() - received

    def running_for(self, now: float) -> float:
        """Return the seconds since the camera's first colour image, 0 when there is none."""
        first = self._frames.first_received()
        return 0.0 if first is None else now - first

    def add(self, stream: Stream, msg: ImageMessage | CameraInfo) -> bool:
        """Take a message; a malformed one is counted, logged and dropped, and gives False."""
        now = self._clock()
        self._diagnostics.count(f"received.{stream}")
        try:
            extent = self._check(stream, msg)
        except InputError as error:
            self._frames.note_refused(stream, error, now)
            self._refuse(error)
            return False
        if self._frames.add(stream, msg, now, extent):
            self._note_clock_jump(stream)
        return True

    def newest(self) -> Frame | None:
        """Return the newest frame, not decoded."""
        return self._frames.newest(self._settings().sync_slop_s)

    def decode(self, frame: Frame, now: float) -> Frame:
        """Return the camera's frame, or an earlier one if it turns out to be damaged.

        Raises:
            InputError: no frame that is new enough can be decoded.
        """
        settings = self._settings()
        return self._frames.decode(
            frame,
            slop_s=settings.sync_slop_s,
            oldest=now - settings.max_frame_age_s,
            on_refused=self._refuse,
            now=now,
        )

    def _check(self, stream: Stream, msg: Any) -> Extent:
        view = self._settings().view
        extent = check_message(stream, msg, self._frames.newest_extent(), view=view)
        if (
            stream == "camera_info"
            and not (view.rectify or view.rectified_input)
            and is_distorted(msg)
            and self._diagnostics.should_log("camera_info_distorted")
        ):
            message = (
                "camera_info.d: the image has lens distortion, which 3D targets do not take into "
                "account. Set rectify to true; or, if the image is rectified already, set "
                "rectified_input to true"
            )
            self._log.warning(log_line("lens_distorted", message=message))
        return extent

    def _note_clock_jump(self, stream: Stream) -> None:
        self._diagnostics.count("clock_jump")
        self._on_clock_jump()
        if self._diagnostics.should_log("clock_jump"):
            message = (
                f"{stream}.header.stamp jumped back: earlier frames were forgotten. A recording "
                "that starts over does that once a round; if it goes on, look for two publishers "
                "on one topic, or a camera clock that is being set"
            )
            self._log.warning(log_line("clock_jump", stream=stream, message=message))

    def _refuse(self, error: InputError) -> None:
        times = self._diagnostics.count_refused(error.code, str(error))
        if self._diagnostics.should_log(error.code):
            self._log.warning(
                log_line("message_refused", code=error.code, count=times, message=str(error))
            )
