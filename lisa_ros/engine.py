"""What the node does between its topics: accepts frames and intents, runs them, reports.

No publishers here: messages come in as objects and answers go out through callbacks.

    camera messages -> intake     the newest frame
    requests        -> worker     one runs, one waits -> answering -> pipeline: an Answer
    idle time       -> following  the last answer's targets in the newest frame
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from traceback import format_exception

from sensor_msgs.msg import CameraInfo

from lisa_ros.answer import Outcome
from lisa_ros.answering import Answered, Answering
from lisa_ros.arrival import Stream
from lisa_ros.control import Control, OnStage, check_deadline
from lisa_ros.diagnostics import Diagnostics
from lisa_ros.errors import CANCELLED, INTERNAL_ERROR, NOT_ACTIVE, RequestError
from lisa_ros.follow_session import FAILED, REPLACED
from lisa_ros.following import Following, OnFollowed
from lisa_ros.frame import Frame, ImageMessage
from lisa_ros.intake import CameraIntake
from lisa_ros.intent import check_intent
from lisa_ros.locating import transform_failure
from lisa_ros.log_line import Logger, log_line
from lisa_ros.model_loader import Segmenter
from lisa_ros.parameters import Settings
from lisa_ros.refusals import note_refused
from lisa_ros.results import describe
from lisa_ros.transforms import TransformLookup
from lisa_ros.watchdog import Watchdog
from lisa_ros.worker import InferenceWorker, Job


class PerceptionEngine:
    """Accepts frames and intents while active and answers on a worker thread.

    Args:
        segmenter: the loaded model; only the worker's thread uses it.
        settings: returns the current parameters.
        diagnostics: where everything is counted.
        log: where everything is said.
        clock: monotonic seconds.
        transforms: for the parameters ``target_frame`` and ``follow_fixed_frame``.
        on_followed: publishes what follow mode finds.
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
        on_followed: OnFollowed = lambda *_: None,
    ) -> None:
        self.segmenter = segmenter
        self._settings = settings
        self._diagnostics = diagnostics
        self._log = log
        self._clock = clock
        self._intake = CameraIntake(
            settings=settings,
            diagnostics=diagnostics,
            log=log,
            clock=clock,
            on_clock_jump=transforms.forget if transforms is not None else lambda: None,
        )
        self._active = False
        self._watchdog = Watchdog(limit_s=lambda: settings().watchdog_s, log=log)
        # Counts activations.  The lock makes "deactivate" a border: an answer handed over before it
        # is published, one that is ready after it is not.
        self._epoch = 0
        self._epoch_lock = threading.Lock()
        self._following = Following(
            segmenter=segmenter,
            settings=settings,
            diagnostics=diagnostics,
            log=log,
            intake=self._intake,
            transforms=transforms,
            clock=clock,
            request_waits=lambda: self._worker.waiting is not None,
            on_followed=on_followed,
        )
        self._answering = Answering(
            segmenter=segmenter,
            settings=settings,
            intake=self._intake,
            transforms=transforms,
            clock=clock,
        )
        self._worker: InferenceWorker[Answered] = InferenceWorker(
            gate=self._answering.gate,
            run=self._answering.run,
            on_crash=self._on_crash,
            idle=self._following.step,
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

    @property
    def following(self) -> str:
        """The intent whose targets are followed; "" for none."""
        return self._following.intent

    @property
    def stage(self) -> str:
        """What the running request does; "" when none runs."""
        job = self._worker.running
        return job.control.stage if job else ""

    @property
    def hung(self) -> RequestError | None:
        """Why the inference counts as hung; None when it does not."""
        return self._watchdog.hung

    def frame_age(self) -> float | None:
        """Return the seconds since the newest colour image arrived, None when there is none."""
        return self._intake.frame_age()

    def start(self) -> None:
        """Start the inference thread."""
        self._worker.start()

    def stop(self, timeout_s: float) -> bool:
        """End the inference thread; False when an inference still runs after ``timeout_s``."""
        self.deactivate()
        if (job := self._worker.running) is not None:
            job.control.give_up(_not_active())
        return self._worker.stop(timeout_s)

    def activate(self) -> None:
        """Accept frames and intents."""
        self._active = True

    def deactivate(self) -> None:
        """Refuse intents, end the waiting one and following, keep a running one from publishing."""
        with self._epoch_lock:
            self._active = False
            self._epoch += 1
        self._worker.drop_waiting(_not_active())
        self._following.stop(NOT_ACTIVE)
        self._intake.clear()

    def add(self, stream: Stream, msg: ImageMessage | CameraInfo) -> None:
        """Take a camera message; a malformed one is counted, logged and dropped."""
        if self._active and self._intake.add(stream, msg):
            self._worker.wake()

    def ask(
        self,
        text: str,
        on_done: Callable[[Outcome], None],
        frame: Frame | None = None,
        *,
        follow: bool = False,
        deadline_s: float = 0.0,
        on_stage: OnStage | None = None,
    ) -> Control:
        """Ask for an intent to be answered.

        Args:
            text: the intent as it was sent.
            on_done: called exactly once with the answer or the reason why there is none; on the
                worker's thread or on the caller's (of this and other methods).  Refusals are logged
                and counted here already.
            frame: use this frame and not the camera's newest one.
            follow: follow the targets in the camera's frames from then on.
            deadline_s: refuse when there is no answer so many seconds from now; 0 for only the
                parameter ``inference_timeout_s``.
            on_stage: told of each stage and token, on the worker's thread.

        Returns:
            The request, for ``cancel_request``.
        """
        self._diagnostics.count("intents_received")
        limits = [one for one in (deadline_s, self._settings().inference_timeout_s) if one > 0]
        job: Job[Answered] = Job(
            intent=text,
            on_done=lambda done, outcome: self._finish(done, outcome, on_done),
            control=Control(
                deadline_s=min(limits, default=0.0), clock=self._clock, on_stage=on_stage
            ),
            epoch=self._epoch,
            frame=frame,
            follow=follow,
        )
        try:
            if not self._active:
                raise _not_active()
            if self.hung is not None:
                raise self.hung
            check_deadline(deadline_s)
            job = replace(job, intent=check_intent(text, self._settings().max_intent_chars))
        except RequestError as error:
            job.on_done(job, error)
            return job.control
        self._worker.submit(job)
        return job.control

    def cancel(self) -> tuple[int, str]:
        """End all requests and following.

        Returns:
            The number of requests that were ended, and the intent that was followed ("" for none).
        """
        # After an answer that is just being handed over: it may start to be followed.
        with self._epoch_lock:
            followed = self._following.intent
            if not self._following.stop(CANCELLED):
                followed = ""
            return sum(self._end(job, _cancelled()) for job in self._jobs()), followed

    def cancel_request(self, control: Control) -> bool:
        """End one request; False when it has ended already."""
        return any(self._end(job, _cancelled()) for job in self._jobs() if job.control is control)

    def watch(self) -> None:
        """End requests whose time is over, and notice an inference that hangs; call it often."""
        for job in self._jobs():
            if (error := job.control.failure()) is not None:
                self._end(job, error)
        hung = self._watchdog.look(self._silent_for(), self.stage or "following")
        if hung is not None:
            self._following.stop(FAILED)
            for job in self._jobs():
                self._end(job, hung)

    def refuse(self, error: RequestError) -> None:
        """Count and log a refused request."""
        note_refused(error, diagnostics=self._diagnostics, log=self._log)

    def _jobs(self) -> list[Job[Answered]]:
        return [job for job in (self._worker.waiting, self._worker.running) if job is not None]

    def _silent_for(self) -> float:
        job = self._worker.running
        # A session that was ended because it hangs no longer tells; the thread is still busy then.
        silent = job.control.silent_for() if job else self._following.silent_for() or 1e-3
        # Read last: what has begun meanwhile, and not yet told so, is not silent for longer than it
        # runs, however long ago it was asked for.
        return min(silent, self._worker.busy_for())

    def _end(self, job: Job[Answered], error: RequestError) -> bool:
        """End a request now; its inference, if it runs, ends at its next stage or token."""
        if job.control.finished:
            return False
        job.control.give_up(error)
        if not self._worker.drop(job, error):
            job.on_done(job, error)
        return True

    def _finish(
        self,
        job: Job[Answered],
        outcome: Answered | RequestError,
        on_done: Callable[[Outcome], None],
    ) -> None:
        if isinstance(outcome, RequestError):
            if job.control.finish():
                self.refuse(outcome)
                on_done(outcome)
            return
        answer = outcome.answer
        with self._epoch_lock:
            current = job.epoch == self._epoch
            if current:
                if not job.control.finish():
                    return  # it was given up a moment ago
                if job.frame is None:
                    # Before the answer is published: its topics are no longer the old target's.
                    self._following.stop(REPLACED)
                on_done(answer)
                if job.follow:
                    self._following.start(outcome.asked, answer, outcome.frame)
        if not current:
            self._finish(job, _not_active(), on_done)
            return
        total = self._clock() - job.control.submitted
        self._diagnostics.count("intents_answered")
        self._diagnostics.add_timings(answer.timings | {"total": total})
        if (lost := transform_failure(answer)) is not None:
            self._diagnostics.count_refused(lost.reason, lost.text)
        self._log.info(describe(answer, total))

    def _on_crash(self, where: str, error: Exception) -> None:
        self._diagnostics.count_refused(INTERNAL_ERROR, f"{where}: {error}")
        # The stack is what a bug report needs; the sentence is what a user needs.
        self._log.error(
            log_line("crashed", where=where, error=f"{type(error).__name__}: {error}")
            + "\n"
            + "".join(format_exception(error))
        )


def _cancelled() -> RequestError:
    return RequestError(code=CANCELLED, message="the request was cancelled")


def _not_active() -> RequestError:
    return RequestError(
        code=NOT_ACTIVE,
        message="the node is not active. Configure and activate it "
        "(ros2 lifecycle set <node> configure, then activate), then send the intent again",
    )
