"""One intent on the inference thread: from the frame to the answer, or to why there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from lisa_ros.control import LOCATING, WAITING, Control
from lisa_ros.frame import Frame
from lisa_ros.intake import CameraIntake
from lisa_ros.memory import is_out_of_memory, out_of_memory
from lisa_ros.model_loader import Segmenter, release_memory
from lisa_ros.parameters import Settings
from lisa_ros.pipeline import Answer, Asked, ask_model, make_answer
from lisa_ros.transforms import TransformLookup


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
    """Answers intents; on the inference thread only.

    Args:
        segmenter: the model.
        settings: returns the current parameters.
        intake: decodes the camera's frames.
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

    def answer(self, intent: str, frame: Frame, control: Control, *, from_camera: bool) -> Answered:
        """Answer an intent.

        Args:
            intent: checked.
            frame: not yet decoded.
            control: told of each stage, and asked whether to go on.
            from_camera: an earlier frame may take its place when it turns out to be damaged.

        Raises:
            RequestError: it was given up, an image cannot be decoded, or memory ran out.
            Exception: whatever the model raises.
        """
        try:
            return self._answer(intent, frame, control, from_camera)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            refusal = out_of_memory(error, self._settings())
        # Not within the handler: the exception holds the frames, and they what is to be given back.
        release_memory()
        raise refusal

    def _answer(self, intent: str, frame: Frame, control: Control, from_camera: bool) -> Answered:
        control.enter(WAITING)
        started = self._clock()
        if from_camera:
            frame = self._intake.decode(frame, started)
        decoded = self._clock()
        settings = self._settings()
        asked = ask_model(self._segmenter, frame, intent, settings, control.on_progress)
        control.enter(LOCATING)
        answer = make_answer(asked, frame, self._segmenter.name, settings, self._transforms)
        waits = {
            "wait": started - control.submitted,
            "frame_age_at_start": started - frame.received,
            "decode": decoded - started,
        }
        return Answered(replace(answer, timings=answer.timings | waits), asked, frame)
