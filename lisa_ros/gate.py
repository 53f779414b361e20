"""When an intent may start, and on which frame."""

from __future__ import annotations

from lisa_ros.errors import INTENT_WITHOUT_FRAME, STALE_FRAME, RequestError
from lisa_ros.frame import REASON_INVALID_DEPTH, Frame
from lisa_ros.parameters import Settings
from lisa_ros.worker import Decision, Ready, Wait

# When the camera has just come up, its depth and camera_info may take this long to follow.
START_UP_S = 0.3


def choose_frame(
    frame: Frame | None, *, waited_s: float, camera_for_s: float, now: float, settings: Settings
) -> Decision:
    """Decide whether an intent runs on a camera frame, waits for one, or is refused.

    Without a frame, or with one older than ``max_frame_age_s`` by its time of arrival (the camera's
    own stamps may come from another clock), the intent waits up to ``frame_timeout_s``: it may have
    been sent a moment before the camera came up.  After that it is dropped, because acting on it
    later would surprise.

    Args:
        frame: the newest frame, if any.
        waited_s: how long the intent has been waiting for a frame [s].
        camera_for_s: since the first colour image arrived [s].
        now: monotonic seconds.
        settings: the node's parameters.
    """
    left = settings.frame_timeout_s - waited_s
    if frame is None:
        if left > 0:
            return Wait(left)
        return RequestError(
            code=INTENT_WITHOUT_FRAME,
            message=f"no camera frame arrived within {settings.frame_timeout_s:g} s of the intent; "
            "it was dropped. Start the camera or check the remapping of camera/color/image_raw, "
            "then send the intent again",
        )
    age = now - frame.received
    if age > settings.max_frame_age_s:
        if left > 0:
            return Wait(left)
        return RequestError(
            code=STALE_FRAME,
            message=f"the newest camera frame arrived {age:.1f} s ago, more than max_frame_age_s = "
            f"{settings.max_frame_age_s:g} s; the intent was dropped. Check that the camera still "
            "runs, then send the intent again",
        )
    depth_may_come = not frame.complete and frame.missing != REASON_INVALID_DEPTH
    if depth_may_come and camera_for_s < START_UP_S:
        return Wait(START_UP_S - camera_for_s)
    return Ready(frame)
