"""Follow mode in the node: when a session starts, takes its turn, and ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from lisa_ros.answer import Answer
from lisa_ros.control import Control
from lisa_ros.diagnostics import Diagnostics
from lisa_ros.errors import CANCELLED, FOLLOW_FAILED, INTERNAL_ERROR, RequestError
from lisa_ros.follow_session import (
    FAILED,
    NOTHING_TO_FOLLOW,
    REPLACED,
    FollowReport,
    FollowSession,
)
from lisa_ros.frame import Frame
from lisa_ros.intake import CameraIntake
from lisa_ros.locating import transform_failure
from lisa_ros.log_line import Logger, log_line
from lisa_ros.memory import is_out_of_memory, out_of_memory
from lisa_ros.model_loader import Segmenter, release_memory
from lisa_ros.parameters import Settings
from lisa_ros.pipeline import Asked
from lisa_ros.transforms import TransformLookup


class _YieldError(Exception):
    """A request waits: the frame is given up, following goes on afterwards."""


# Who publishes: takes the masks of a frame (None when there are no new ones) and the state. Called
# on the inference thread, and on the caller's of ``Following.stop``.
OnFollowed = Callable[[Answer | None, FollowReport], None]


class Following:
    """Follows the targets of one answer, a frame at a time, while no request waits.

    Args:
        segmenter: the model; has to be able to look again (``look``).
        settings: returns the current parameters.
        diagnostics: where everything is counted.
        log: where everything is said.
        intake: where frames come from.
        transforms: for the parameters ``target_frame`` and ``follow_fixed_frame``.
        clock: monotonic seconds.
        request_waits: tells whether a request waits for the inference thread.
        on_followed: publishes.
    """

    def __init__(
        self,
        *,
        segmenter: Segmenter,
        settings: Callable[[], Settings],
        diagnostics: Diagnostics,
        log: Logger,
        intake: CameraIntake,
        transforms: TransformLookup | None,
        clock: Callable[[], float],
        request_waits: Callable[[], bool],
        on_followed: OnFollowed,
    ) -> None:
        self._segmenter = segmenter
        self._settings = settings
        self._diagnostics = diagnostics
        self._log = log
        self._intake = intake
        self._transforms = transforms
        self._clock = clock
        self._request_waits = request_waits
        self._on_followed = on_followed
        # A border: what was computed before a session ends is published before its end is.
        self._lock = threading.RLock()
        self._session: FollowSession | None = None

    @property
    def intent(self) -> str:
        """What is followed; "" for nothing."""
        session = self._session
        return session.intent if session else ""

    def silent_for(self) -> float:
        """Return the seconds since the session's computation last came on; 0 without a session."""
        session = self._session
        return session.control.silent_for() if session else 0.0

    def start(self, asked: Asked, answer: Answer, frame: Frame) -> None:
        """Follow an answer's targets from now on; what was followed before ends as replaced."""
        session = FollowSession(
            asked=asked,
            answer=answer,
            frame=frame,
            segmenter=self._segmenter,
            settings=self._settings,
            transforms=self._transforms,
            yield_to=self._yield,
            control=Control(clock=self._clock),
        )
        with self._lock:
            self.stop(REPLACED)
            self._session = session
        self._log.info(log_line("follow_started", intent=session.intent))

    def stop(self, reason: str) -> bool:
        """End following; False when nothing is followed.

        That it has ended may fail to be published, and is counted and logged then: whoever calls
        has more to do, such as a request to answer or others to end.

        Args:
            reason: one of follow_session's constants, errors.CANCELLED or errors.NOT_ACTIVE.
        """
        with self._lock:
            session, self._session = self._session, None
            if session is None:
                return False
            session.control.give_up(RequestError(code=CANCELLED, message="following has ended"))
            report = FollowReport(session.header, session.intent, False, reason)
            try:
                self._on_followed(None, report)
            except Exception as error:
                self._diagnostics.count_refused(INTERNAL_ERROR, repr(error))
                self._log.error(log_line("follow_end_not_published", error=repr(error)))
        self._log.info(log_line("follow_ended", intent=session.intent, reason=reason))
        return True

    def step(self) -> float | None:
        """Follow into the newest frame, if there is a new one; the worker's idle work.

        Returns:
            Seconds until it wants to be called again; None for when a frame arrives.
        """
        session = self._session
        if session is None:
            return None
        try:
            return self._step(session)
        except _YieldError:
            return None  # the worker looks again after the request
        except RequestError as error:
            if self._session is session:  # not because it was ended
                self._refuse(error)
            return None
        except Exception as error:
            self._fail(session, error)
        # Here, where nothing holds the exception's frames any more.
        release_memory()
        return None

    def _step(self, session: FollowSession) -> float | None:
        session.control.enter("waiting")
        begun = session.begin()
        if begun is not None:
            if not begun.targets:
                self.stop(NOTHING_TO_FOLLOW)
                return None
            self._hand_over(session, None, begun)
            return 0.0
        now = self._clock()
        if (pause := session.pause(now)) > 0:
            return pause
        frame = self._intake.newest()
        if frame is None or not session.is_new(frame):
            return None
        frame = self._intake.decode(frame, now)
        if not session.is_new(frame):
            return None
        answer, report = session.step(frame, now)
        self._hand_over(session, answer, report)
        total = self._clock() - now
        timings = {"follow.total": total, "follow.frame_age_at_end": self._clock() - frame.received}
        self._diagnostics.count("frames_followed")
        self._diagnostics.add_timings(answer.timings | timings)
        if (lost := transform_failure(answer)) is not None:
            self._diagnostics.count_refused(lost.reason, lost.text)
        if (unsmoothed := session.smoothing_problem) is not None:
            self._diagnostics.count_refused(unsmoothed.code, str(unsmoothed))
        if report.reason:
            self._diagnostics.count("follow_asked")
            self._log.info(
                log_line("follow_asked", intent=session.intent, reason=report.reason, total_s=total)
            )
        return session.pause(self._clock())

    def _hand_over(
        self, session: FollowSession, answer: Answer | None, report: FollowReport
    ) -> None:
        with self._lock:
            if self._session is session:
                self._on_followed(answer, report)

    def _yield(self) -> None:
        if self._request_waits():
            raise _YieldError

    def _refuse(self, error: RequestError) -> None:
        self._diagnostics.count_refused(error.code, str(error))
        if self._diagnostics.should_log(error.code):
            self._log.warning(log_line("frame_not_followed", code=error.code, message=str(error)))

    def _fail(self, session: FollowSession, error: Exception) -> None:
        """End a session that the model cannot go on with: trying each frame would not help."""
        if is_out_of_memory(error):
            reason: Any = out_of_memory(error, self._settings())
        else:
            message = f"following was ended by {type(error).__name__}: {error}"
            reason = RequestError(code=FOLLOW_FAILED, message=message)
        self._diagnostics.count_refused(reason.code, str(reason))
        self._log.error(log_line("follow_failed", code=reason.code, message=str(reason)))
        if self._session is session:
            self.stop(FAILED)
