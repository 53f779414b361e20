"""One intent on the inference thread: its frame, then the answer, or why there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from lisa_ros.answer import Answer
from lisa_ros.control import LOCATING, WAITING
from lisa_ros.frame import Frame
from lisa_ros.gate import choose_frame
from lisa_ros.intake import CameraIntake
from lisa_ros.memory import is_out_of_memory, out_of_memory
from lisa_ros.model_loader import Segmenter, release_memory
from lisa_ros.parameters import Settings
from lisa_ros.pipeline import Asked, ask_model, make_answer
from lisa_ros.transforms import TransformLookup
from lisa_ros.worker import Decision, Job, Ready, Wait


@dataclass(frozen=True)
class Answered:
    """An answer, and what following it needs.

    Attributes:
        answer: what is published.
        asked: the model's result, with its queries.
        frame: that it was computed on, decoded.
    """

    answer: Answer
    asked: Asked
    frame: Frame


class Answering:
    """Answers jobs; ``gate`` and ``run`` are the worker's, on the inference thread only.

    Args:
        segmenter: the model.
        settings: returns the current parameters.
        intake: has the camera's frames, and decodes them.
        transforms: for the parameter ``target_frame``.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        *,
        segmenter: Segmenter,
        settings: Callable[[], Settings],
        intake: CameraIntake,
        transforms: TransformLookup | None,
        clock: Callable[[], float],
    ) -> None:
        self._segmenter = segmenter
        self._settings = settings
        self._intake = intake
        self._transforms = transforms
        self._clock = clock

    def gate(self, job: Job[Answered], waited_s: float, now: float) -> Decision:
        """Decide whether a job can start, and on which frame; see ``choose_frame``.

        Raises:
            RequestError: it was given up, or its deadline has passed.
        """
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

    def run(self, job: Job[Answered], frame: Frame) -> Answered:
        """Answer a job.

        Args:
            job: its control is told of each stage, and asked whether to go on.
            frame: as ``gate`` chose it, not yet decoded.  An earlier frame of the camera may take
                its place when it turns out to be damaged.

        Raises:
            RequestError: it was given up, an image cannot be decoded, or memory ran out.
            Exception: whatever the model raises.
        """
        try:
            return self._answer(job, frame)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            refusal = out_of_memory(error, self._settings())
        # Not within the handler: the exception holds the frames, and they what is to be given back.
        release_memory()
        raise refusal

    def _answer(self, job: Job[Answered], frame: Frame) -> Answered:
        control = job.control
        control.enter(WAITING)
        started = self._clock()
        if job.frame is None:
            frame = self._intake.decode(frame, started)
        decoded = self._clock()
        settings = self._settings()
        asked = ask_model(self._segmenter, frame, job.intent, settings, control.on_progress)
        control.enter(LOCATING)
        answer = make_answer(asked, frame, self._segmenter.name, settings, self._transforms)
        waits = {"wait": started - control.submitted, "decode": decoded - started}
        if job.frame is None:  # an image that was sent along did not come from the camera
            waits["frame_age_at_start"] = started - frame.received
        return Answered(replace(answer, timings=answer.timings | waits), asked, frame)
