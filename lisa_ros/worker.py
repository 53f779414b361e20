"""One inference thread with one waiting place.

The camera writes into the frame buffer, intents into the single waiting place of the worker.
Nothing queues, so a 30 Hz camera and a 1 Hz model neither lag nor grow, and the executor's thread
never computes. While no intent waits, the thread does idle work: it follows targets.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from lisa_ros.control import Control
from lisa_ros.errors import INFERENCE_FAILED, INTENT_REPLACED, SHUTTING_DOWN, RequestError
from lisa_ros.frame import Frame

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, eq=False)
class Job(Generic[ResultT]):
    """One intent to be answered.

    Attributes:
        intent: checked intent.
        on_done: called once by the worker, with the result or the reason why there is none.  On the
            worker's thread, or on the caller's of ``submit``/``drop``/``drop_waiting``/``stop``.
        control: where it stands, and how it is given up.
        epoch: which activation of the node it belongs to.
        frame: the frame to use; None for the camera's newest one.
        follow: its targets are to be followed from then on.
    """

    intent: str
    on_done: Callable[[Job[ResultT], ResultT | RequestError], None]
    control: Control = field(default_factory=Control)
    epoch: int = 0
    frame: Frame | None = None
    follow: bool = False


@dataclass(frozen=True)
class Ready:
    """The job can run on this frame."""

    frame: Frame


@dataclass(frozen=True)
class Wait:
    """The job has no usable frame yet; ask again in ``seconds`` or when a frame arrives."""

    seconds: float


Decision = Ready | Wait | RequestError


def be_nice(niceness: int) -> None:
    """Lower the priority of the calling thread; threads that it starts later inherit that.

    On a machine whose cores an inference fills, the camera driver and the executor, which need
    little but at once, then come first. On Linux niceness belongs to a thread; elsewhere to the
    whole process, which has to keep its priority, so there nothing is done. A thread that yields
    more already, such as under nice(1), goes on so: to raise a priority takes a privilege.

    Args:
        niceness: 0 (no change) to 19.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        if os.getpriority(os.PRIO_PROCESS, thread) < niceness:
            os.setpriority(os.PRIO_PROCESS, thread, niceness)


class InferenceWorker(Generic[ResultT]):
    """Runs jobs one at a time on its own thread.

    Args:
        gate: ``gate(job, waited_s, now)`` decides whether a job can start; called each time a frame
            arrives while the job waits.
        run: does the inference; may raise anything.
        on_crash: told about exceptions that are nobody's fault but the program's: with ``run``'s or
            ``on_done``'s exception.
        idle: does one piece of work for which no job waits, after each ``wake``; returns the
            seconds after which it wants to be called without one, or None.
        clock: monotonic seconds.
        niceness: of the thread, and so of the compute threads that it starts; see ``be_nice``.
    """

    def __init__(
        self,
        *,
        gate: Callable[[Job[ResultT], float, float], Decision],
        run: Callable[[Job[ResultT], Frame], ResultT],
        on_crash: Callable[[str, Exception], None],
        idle: Callable[[], float | None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        niceness: int = 0,
    ) -> None:
        self._niceness = niceness
        self._gate = gate
        self._run = run
        self._on_crash = on_crash
        self._idle = idle
        self._clock = clock
        self._condition = threading.Condition()
        self._waiting: Job[ResultT] | None = None
        self._waiting_since: float | None = None  # when the worker first looked at it
        self._running: Job[ResultT] | None = None
        self._woken = False
        self._idle_pause: float | None = None
        self._busy_since: float | None = None  # when the thread took up what it does now
        self._stopping = False
        # A daemon, so that an inference that hangs cannot keep the process from ending.
        self._thread = threading.Thread(target=self._loop, name="lisa_inference", daemon=True)

    @property
    def busy(self) -> bool:
        """True while an inference runs."""
        return self._busy_since is not None

    def busy_for(self) -> float:
        """Return the seconds since the thread took up what it does now; 0 while it waits."""
        since = self._busy_since
        return 0.0 if since is None else self._clock() - since

    @property
    def running(self) -> Job[ResultT] | None:
        """The job that runs."""
        return self._running

    @property
    def waiting(self) -> Job[ResultT] | None:
        """The job that waits for its turn or for a frame."""
        return self._waiting

    @property
    def accepting(self) -> bool:
        """True between ``start`` and ``stop``."""
        return self._thread.is_alive() and not self._stopping

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, job: Job[ResultT]) -> None:
        """Put a job into the waiting place; one that waits there already is ended as replaced."""
        with self._condition:
            stopping = self._stopping
            replaced = None
            if not stopping:
                replaced, self._waiting = self._waiting, job
                self._waiting_since = None
                self._condition.notify_all()
        if stopping:
            self._finish(job, RequestError(code=SHUTTING_DOWN, message="the node is shutting down"))
        if replaced is not None:
            message = f'"{replaced.intent}" was replaced by "{job.intent}" before it started'
            self._finish(replaced, RequestError(code=INTENT_REPLACED, message=message))

    def wake(self) -> None:
        """Have the worker look again at the waiting job, or at its idle work: a frame arrived."""
        with self._condition:
            self._woken = True
            self._condition.notify_all()

    def drop_waiting(self, error: RequestError) -> bool:
        """End the waiting job with this error; False when there is none."""
        with self._condition:
            dropped, self._waiting = self._waiting, None
        if dropped is not None:
            self._finish(dropped, error)
        return dropped is not None

    def drop(self, job: Job[ResultT], error: RequestError) -> bool:
        """End this job with this error if it waits; False when it does not."""
        with self._condition:
            found = self._waiting is job
            if found:
                self._waiting = None
        if found:
            self._finish(job, error)
        return found

    def stop(self, timeout_s: float) -> bool:
        """End the waiting job and the thread; wait for a running inference.

        Returns:
            False when an inference still runs after ``timeout_s``; the thread then ends after it.
        """
        with self._condition:
            self._stopping = True
            self._condition.notify_all()
        self.drop_waiting(RequestError(code=SHUTTING_DOWN, message="the node is shutting down"))
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _loop(self) -> None:
        be_nice(self._niceness)
        while self._step():
            pass

    def _step(self) -> bool:
        """Do one job or one piece of idle work; False when stopping.

        A function of its own so that no frame or result outlives its job in a local variable.
        """
        taken = self._take()
        if taken is None:
            return False
        job, decision = taken
        if job is None:
            self._do_idle_work()
            return True
        if isinstance(decision, RequestError):
            self._finish(job, decision)
            return True
        assert isinstance(decision, Ready)
        self._busy_since = self._clock()
        outcome: ResultT | RequestError
        try:
            outcome = self._run(job, decision.frame)
        except RequestError as error:
            outcome = error
        except Exception as error:  # the model may raise anything; the node lives on
            self._on_crash("the inference", error)
            outcome = RequestError(
                code=INFERENCE_FAILED, message=f"{type(error).__name__}: {error}"
            )
        finally:
            self._busy_since = None
            self._running = None
        self._finish(job, outcome)
        # What was just answered may be followed.
        self.wake()
        return True

    def _do_idle_work(self) -> None:
        self._busy_since = self._clock()
        try:
            self._idle_pause = self._idle()
        except Exception as error:
            self._idle_pause = None
            self._on_crash("idle work", error)
        finally:
            self._busy_since = None

    def _take(self) -> tuple[Job[ResultT] | None, Ready | RequestError | None] | None:
        """Wait for a job that can start or is refused, or for idle work (None); None to stop."""
        with self._condition:
            while not self._stopping:
                job = self._waiting
                if job is None:
                    if self._woken:
                        self._woken = False
                        return None, None
                    notified = self._condition.wait(self._idle_pause)
                    self._woken = self._woken or not notified
                    continue
                now = self._clock()
                if self._waiting_since is None:
                    self._waiting_since = now
                decision = self._ask_gate(job, now - self._waiting_since, now)
                if isinstance(decision, Wait):
                    self._condition.wait(decision.seconds)
                    continue
                self._waiting = None
                if isinstance(decision, Ready):
                    self._running = job
                return job, decision
        return None

    def _ask_gate(self, job: Job[ResultT], waited: float, now: float) -> Decision:
        try:
            return self._gate(job, waited, now)
        except RequestError as error:
            return error
        except Exception as error:
            self._on_crash("choosing a frame", error)
            return RequestError(code=INFERENCE_FAILED, message=f"{type(error).__name__}: {error}")

    def _finish(self, job: Job[ResultT], outcome: ResultT | RequestError) -> None:
        try:
            job.on_done(job, outcome)
        except Exception as error:
            self._on_crash("handing over the result", error)
