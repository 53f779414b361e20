"""What the node does between its topics: accepts frames and intents, runs them, reports.

No publishers here: messages come in as objects and answers go out through callbacks.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from traceback import format_exception

from sensor_msgs.msg import CameraInfo

from lisa_ros.answering import Answered, Answering
from lisa_ros.arrival import Stream
from lisa_ros.control import Control, OnStage
from lisa_ros.diagnostics import Diagnostics
from lisa_ros.errors import (
    CANCELLED,
    INFERENCE_HUNG,
    INTERNAL_ERROR,
    NOT_ACTIVE,
    InputError,
    RequestError,
)
from lisa_ros.follow_session import FAILED, REPLACED
from lisa_ros.following import Following, OnFollowed
from lisa_ros.frame import Frame, ImageMessage
from lisa_ros.gate import choose_frame
from lisa_ros.intake import CameraIntake
from lisa_ros.intent import check_intent
from lisa_ros.log_line import Logger, log_line
from lisa_ros.model_loader import Segmenter
from lisa_ros.parameters import Settings
from lisa_ros.pipeline import Answer, transform_failure
from lisa_ros.results import describe
from lisa_ros.transforms import TransformLookup
from lisa_ros.worker import Decision, InferenceWorker, Job, Ready, Wait

Outcome = Answer | RequestError


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
            settings=settings, diagnostics=diagnostics, log=log, clock=clock
        )
        self._active = False
        self._hung: RequestError | None = None
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
            gate=self._gate,
            run=self._run,
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
        return self._hung

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
            if self._hung is not None:
                raise self._hung
            _check_deadline(deadline_s)
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
        silent = self._silent_for()
        limit = self._settings().watchdog_s
        if self._hung is None and limit and silent > limit:
            self._hung = RequestError(
                code=INFERENCE_HUNG,
                message=f"the inference has not come on for {silent:.0f} s, more than watchdog_s = "
                f"{limit:g} s (stage: {self.stage or 'following'}). Requests are refused until it "
                "does. If it does not, restart the node; if the model is only slow, raise "
                "watchdog_s",
            )
            self._log.error(log_line("inference_hung", silent_s=silent, message=str(self._hung)))
            self._following.stop(FAILED)
            for job in self._jobs():
                self._end(job, self._hung)
        elif self._hung is not None and silent == 0.0:
            self._hung = None
            self._log.info(log_line("inference_back"))

    def refuse(self, error: RequestError) -> None:
        """Count and log a refused request."""
        self._diagnostics.count_refused(error.code, str(error))
        self._log.warning(log_line("refused", code=error.code, message=str(error)))

    def _jobs(self) -> list[Job[Answered]]:
        return [job for job in (self._worker.waiting, self._worker.running) if job is not None]

    def _silent_for(self) -> float:
        if not self._worker.busy:
            return 0.0
        job = self._worker.running
        # A session that was ended because it hangs no longer tells; the thread is still busy then.
        return job.control.silent_for() if job else self._following.silent_for() or 1e-3

    def _end(self, job: Job[Answered], error: RequestError) -> bool:
        """End a request now; its inference, if it runs, ends at its next stage or token."""
        if job.control.finished:
            return False
        job.control.give_up(error)
        if not self._worker.drop(job, error):
            job.on_done(job, error)
        return True

    def _gate(self, job: Job[Answered], waited_s: float, now: float) -> Decision:
        job.control.check()
        if job.frame is not None:
            return Ready(job.frame)
        decision = choose_frame(
            self._intake.newest(),
            waited_s=waited_s,
            camera_for_s=self._intake.running_for(now),
            now=now,
            settings=self._settings(),
        )
        if isinstance(decision, Wait):
            return Wait(max(0.0, min(decision.seconds, job.control.seconds_left())))
        return decision

    def _run(self, job: Job[Answered], frame: Frame) -> Answered:
        return self._answering.answer(job.intent, frame, job.control, from_camera=job.frame is None)

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
            f"{where} failed: {type(error).__name__}: {error}\n" + "".join(format_exception(error))
        )


def _check_deadline(deadline_s: float) -> None:
    if not 0 <= deadline_s < math.inf:  # False for NaN too
        raise InputError(
            code="deadline_invalid",
            field="deadline_s",
            problem=f"is {deadline_s}",
            remedy="Send the seconds that the answer may take, or 0 for no limit",
        )


def _cancelled() -> RequestError:
    return RequestError(code=CANCELLED, message="the request was cancelled")


def _not_active() -> RequestError:
    return RequestError(
        code=NOT_ACTIVE,
        message="the node is not active. Configure and activate it "
        "(ros2 lifecycle set <node> configure, then activate), then send the intent again",
    )
