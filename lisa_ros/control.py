"""One request from its arrival to its end: where it stands, its deadline, who gave it up."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from lisa_model.progress import Progress
from lisa_ros.errors import DEADLINE_EXCEEDED, InputError, RequestError

# Besides lisa_model's stages; the STAGE constants of action/FindTarget.
WAITING = "waiting"
LOCATING = "locating"


@dataclass(frozen=True)
class StageReport:
    """Where a request stands.

    Attributes:
        stage: WAITING, LOCATING, or one of lisa_model.progress.Stage.
        partial_answer: makes the text that the model has written so far; "" in other stages.
        elapsed_s: since the request came.
    """

    stage: str
    partial_answer: Callable[[], str]
    elapsed_s: float


OnStage = Callable[[StageReport], None]


def check_deadline(deadline_s: float) -> None:
    """Check the deadline that a request came with.

    Raises:
        InputError: code ``deadline_invalid``.
    """
    if not 0 <= deadline_s < math.inf:  # False for NaN too
        raise InputError(
            code="deadline_invalid",
            field="deadline_s",
            problem=f"is {deadline_s}",
            remedy="Send the seconds that the answer may take, or 0 for no limit",
        )


class Control:
    """Thread-safe: the executor's thread gives up, the inference thread looks whether it should.

    Args:
        deadline_s: the request ends so many seconds after now; 0 for no end.
        clock: monotonic seconds.
        on_stage: told of each stage and token, on the inference thread.
    """

    def __init__(
        self,
        *,
        deadline_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        on_stage: OnStage | None = None,
    ) -> None:
        self._clock = clock
        self._on_stage = on_stage
        self._lock = threading.Lock()
        self._error: RequestError | None = None
        self._finished = False
        self.deadline_s = deadline_s
        self.submitted = clock()
        self._stage = WAITING
        self._moved = self.submitted

    @property
    def stage(self) -> str:
        """Where the request stands."""
        return self._stage

    @property
    def finished(self) -> bool:
        """True when the request has ended."""
        return self._finished

    def silent_for(self) -> float:
        """Return the seconds since the request last came on by a stage or a token."""
        return self._clock() - self._moved

    def seconds_left(self) -> float:
        """Return the seconds until the deadline, infinity when there is none."""
        if not self.deadline_s:
            return float("inf")
        return self.submitted + self.deadline_s - self._clock()

    def give_up(self, error: RequestError) -> None:
        """Have the computation end at its next stage or token; the first reason counts."""
        with self._lock:
            self._error = self._error or error

    def failure(self) -> RequestError | None:
        """Return why the request is to end now, None when it may go on."""
        if self._error is None and self.seconds_left() <= 0:
            self.give_up(
                RequestError(
                    code=DEADLINE_EXCEEDED,
                    message=f"no answer within {self.deadline_s:g} s (stage: {self._stage}). Allow "
                    "more time, lower max_answer_tokens, or use a smaller model or a faster device",
                )
            )
        return self._error

    def check(self) -> None:
        """Raise why the request is to end now.

        Raises:
            RequestError: it was given up, or its deadline has passed.
        """
        if (error := self.failure()) is not None:
            raise error

    def enter(self, stage: str, partial_answer: Callable[[], str] = str) -> None:
        """Note that a stage begins, or that the answer has grown.

        Raises:
            RequestError: see ``check``.
        """
        self._stage, self._moved = stage, self._clock()
        self.check()
        if self._on_stage is not None:
            self._on_stage(StageReport(stage, partial_answer, self._moved - self.submitted))

    def on_progress(self, progress: Progress) -> None:
        """Take what the model tells; see lisa_model.progress.OnProgress."""
        self.enter(progress.stage.value, progress.decode)

    def finish(self) -> bool:
        """Return True the first time: a request ends once, whoever ends it."""
        with self._lock:
            finished, self._finished = self._finished, True
        return not finished
