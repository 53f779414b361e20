"""What the node does between its topics: accepts frames and intents, runs them, reports.

No rclpy here: messages come in as objects and answers go out through a callback.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from traceback import format_exception
from typing import Any, Protocol

from sensor_msgs.msg import CameraInfo

from lisa_ros.arrival import Stream, check_message
from lisa_ros.diagnostics import Diagnostics
from lisa_ros.errors import INTERNAL_ERROR, NOT_ACTIVE, InputError, RequestError
from lisa_ros.frame import Frame, ImageMessage
from lisa_ros.gate import choose_frame
from lisa_ros.intent import check_intent
from lisa_ros.model_loader import Segmenter
from lisa_ros.parameters import Settings
from lisa_ros.pipeline import Answer, answer_intent, transform_failure
from lisa_ros.results import describe
from lisa_ros.sync import FrameBuffer
from lisa_ros.transforms import TransformLookup
from lisa_ros.validation import Extent, is_distorted
from lisa_ros.worker import Decision, InferenceWorker, Job, Ready

Outcome = Answer | RequestError


class Logger(Protocol):
    """The part of rclpy's logger that is used."""

    def info(self, message: str) -> Any:
        """Log what happened."""

    def warning(self, message: str) -> Any:
        """Log what was refused."""

    def error(self, message: str) -> Any:
        """Log what failed."""


class PerceptionEngine:
    """Accepts frames and intents while active and answers on a worker thread.

    Args:
        segmenter: the loaded model; only the worker's thread uses it.
        settings: returns the current parameters.
        diagnostics: where everything is counted.
        log: where everything is said.
        clock: monotonic seconds.
        transforms: for the parameter ``target_frame``.
    """

    def __init__(
        self,
        *,
        segmenter: Segmenter,
        settings: Callable[[], Settings],
        diagnostics: Diagnostics,
        log: Logger,
        clock: Callable[[], float] = time.monotonic,
        transforms: TransformLookup | None = None,
    ) -> None:
        self.segmenter = segmenter
        self._settings = settings
        self._diagnostics = diagnostics
        self._log = log
        self._clock = clock
        self._transforms = transforms
        self._frames = FrameBuffer(settings().view)
        self._active = False
        # Counts activations.  The lock makes "deactivate" a border: an answer handed over before it
        # is published, one that is ready after it is not.
        self._epoch = 0
        self._epoch_lock = threading.Lock()
        self._worker: InferenceWorker[Answer] = InferenceWorker(
            gate=self._gate,
            run=self._run,
            on_crash=self._on_crash,
            clock=clock,
            niceness=settings().inference_niceness,
        )

    @property
    def busy(self) -> bool:
        """True while an inference runs."""
        return self._worker.busy

    @property
    def running(self) -> bool:
        """True between ``start`` and ``stop``."""
        return self._worker.accepting

    def frame_age(self) -> float | None:
        """Return the seconds since the newest colour image arrived, None when there is none."""
        received = self._frames.newest_received()
        return None if received is None else self._clock() - received

    def start(self) -> None:
        """Start the inference thread."""
        self._worker.start()

    def stop(self, timeout_s: float) -> bool:
        """End the inference thread; False when an inference still runs after ``timeout_s``."""
        self.deactivate()
        return self._worker.stop(timeout_s)

    def activate(self) -> None:
        """Accept frames and intents."""
        self._active = True

    def deactivate(self) -> None:
        """Refuse intents, end the waiting one, keep a running one from being published."""
        with self._epoch_lock:
            self._active = False
            self._epoch += 1
        self._worker.drop_waiting(_not_active())
        self._frames.clear()

    def add(self, stream: Stream, msg: ImageMessage | CameraInfo) -> None:
        """Take a camera message; a malformed one is counted, logged and dropped."""
        if not self._active:
            return
        now = self._clock()
        self._diagnostics.count(f"received.{stream}")
        try:
            extent = self._check(stream, msg)
        except InputError as error:
            self._frames.note_refused(stream, error, now)
            self._refuse_message(error)
            return
        if self._frames.add(stream, msg, now, extent):
            self._note_clock_jump(stream)
        self._worker.frame_arrived()

    def ask(
        self, text: str, on_done: Callable[[Outcome], None], frame: Frame | None = None
    ) -> None:
        """Ask for an intent to be answered.

        Args:
            text: the intent as it was sent.
            on_done: called exactly once with the answer or the reason why there is none; on the
                worker's thread or on the caller's.  Refusals are logged and counted here already.
            frame: use this frame and not the camera's newest one.
        """
        self._diagnostics.count("intents_received")
        job: Job[Answer] = Job(
            intent=text,
            submitted=self._clock(),
            on_done=lambda done, outcome: self._finish(done, outcome, on_done),
            epoch=self._epoch,
            frame=frame,
        )
        try:
            if not self._active:
                raise _not_active()
            job = replace(job, intent=check_intent(text, self._settings().max_intent_chars))
        except RequestError as error:
            self._finish(job, error, on_done)
            return
        self._worker.submit(job)

    def refuse(self, error: RequestError) -> None:
        """Count and log a refused request."""
        self._diagnostics.count_refused(error.code, str(error))
        self._log.warning(f"{error.code}: {error}")

    def _check(self, stream: Stream, msg: Any) -> Extent:
        view = self._settings().view
        extent = check_message(stream, msg, self._frames.newest_extent(), view=view)
        if (
            stream == "camera_info"
            and not (view.rectify or view.rectified_input)
            and is_distorted(msg)
            and self._diagnostics.should_log("camera_info_distorted")
        ):
            self._log.warning(
                "camera_info.d: the image has lens distortion, which 3D targets do not take into "
                "account. Set rectify to true; or, if the image is rectified already, set "
                "rectified_input to true"
            )
        return extent

    def _note_clock_jump(self, stream: Stream) -> None:
        self._diagnostics.count("clock_jump")
        if self._diagnostics.should_log("clock_jump"):
            self._log.warning(
                f"{stream}.header.stamp jumped back: earlier frames were forgotten. A recording "
                "that starts over does that once a round; if it goes on, look for two publishers "
                "on one topic, or a camera clock that is being set"
            )

    def _refuse_message(self, error: InputError) -> None:
        times = self._diagnostics.count_refused(error.code, str(error))
        if self._diagnostics.should_log(error.code):
            self._log.warning(f"message refused ({error.code}, {times} so far): {error}")

    def _gate(self, job: Job[Answer], waited_s: float, now: float) -> Decision:
        if job.frame is not None:
            return Ready(job.frame)
        settings = self._settings()
        frame = self._frames.newest(settings.sync_slop_s)
        first = self._frames.first_received()
        camera_for_s = 0.0 if first is None else now - first
        return choose_frame(
            frame, waited_s=waited_s, camera_for_s=camera_for_s, now=now, settings=settings
        )

    def _run(self, job: Job[Answer], frame: Frame) -> Answer:
        started = self._clock()
        if job.frame is None:
            frame = self._decode(frame, started)
        decoded = self._clock()
        answer = answer_intent(
            self.segmenter, frame, job.intent, self._settings(), self._transforms
        )
        waits = {
            "wait": started - job.submitted,
            "frame_age_at_start": started - frame.received,
            "decode": decoded - started,
        }
        return replace(answer, timings=answer.timings | waits)

    def _decode(self, frame: Frame, now: float) -> Frame:
        """Return the camera's frame, or an earlier one if it turns out to be damaged."""
        settings = self._settings()
        return self._frames.decode(
            frame,
            slop_s=settings.sync_slop_s,
            oldest=now - settings.max_frame_age_s,
            on_refused=self._refuse_message,
            now=now,
        )

    def _finish(
        self, job: Job[Answer], outcome: Outcome, on_done: Callable[[Outcome], None]
    ) -> None:
        if isinstance(outcome, RequestError):
            self.refuse(outcome)
            on_done(outcome)
            return
        with self._epoch_lock:
            current = job.epoch == self._epoch
            if current:
                on_done(outcome)
        if not current:
            self._finish(job, _not_active(), on_done)
            return
        total = self._clock() - job.submitted
        self._diagnostics.count("intents_answered")
        self._diagnostics.add_timings(outcome.timings | {"total": total})
        if (lost := transform_failure(outcome)) is not None:
            self._diagnostics.count_refused(lost.reason, lost.text)
        self._log.info(f"{describe(outcome)} ({total:.2f} s)")

    def _on_crash(self, where: str, error: Exception) -> None:
        self._diagnostics.count_refused(INTERNAL_ERROR, f"{where}: {error}")
        # The stack is what a bug report needs; the sentence is what a user needs.
        self._log.error(
            f"{where} failed: {type(error).__name__}: {error}\n" + "".join(format_exception(error))
        )


def _not_active() -> RequestError:
    return RequestError(
        code=NOT_ACTIVE,
        message="the node is not active. Configure and activate it "
        "(ros2 lifecycle set <node> configure, then activate), then send the intent again",
    )
