"""One followed intent: the follower, and what each frame gives, as an answer with positions."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from std_msgs.msg import Header

from lisa_model.overlay import mask_box
from lisa_model.progress import Progress
from lisa_ros.answer import Answer, Instance
from lisa_ros.control import LOCATING, Control
from lisa_ros.follow_smoothing import FollowSmoother
from lisa_ros.frame import Frame
from lisa_ros.locating import into_frame, locate
from lisa_ros.parameters import Settings
from lisa_ros.pipeline import Asked
from lisa_ros.transforms import TransformError, TransformLookup

if TYPE_CHECKING:
    from lisa_model.follow import Follower, FollowResult
    from lisa_model.segmenter import SegmentationResult

# Frames that the rate is taken over.
RATE_WINDOW = 10

# Values of msg/FollowState's `reason`, besides errors.CANCELLED and errors.NOT_ACTIVE.
REPLACED = "replaced"
NOTHING_TO_FOLLOW = "nothing_to_follow"
FAILED = "failed"


@dataclass(frozen=True)
class FollowedNow:
    """A target in one frame; see msg/FollowedTarget."""

    id: int
    state: str
    confidence: float
    score: float


@dataclass(frozen=True)
class FollowReport:
    """What follow mode does; see msg/FollowState."""

    header: Header
    intent: str
    following: bool
    reason: str
    text: str = ""
    rate_hz: float = 0.0
    targets: tuple[FollowedNow, ...] = ()


class FollowSession:
    """Used on the inference thread only, except for ``control``.

    Args:
        asked: the answer's image and masks; must come from a model that can look again.
        answer: whose targets are followed.
        frame: that it was computed on.
        segmenter: the model.
        settings: returns the current parameters.
        transforms: for the parameters ``target_frame`` and ``follow_fixed_frame``.
        yield_to: raises when something else is to run now; asked before each look.
        control: given up when following is to end.
    """

    def __init__(
        self,
        *,
        asked: Asked,
        answer: Answer,
        frame: Frame,
        segmenter: Any,
        settings: Callable[[], Settings],
        transforms: TransformLookup | None,
        yield_to: Callable[[], None],
        control: Control,
    ) -> None:
        self.intent = asked.intent
        self.control = control
        self.header = answer.header
        self._start: tuple[Asked, Answer, Frame] | None = (asked, answer, frame)
        self._segmenter = segmenter
        self._settings = settings
        self._transforms = transforms
        self._yield_to = yield_to
        self._smoother = FollowSmoother(transforms)
        self._times: deque[float] = deque(maxlen=RATE_WINDOW)
        self._received = frame.received
        self._follower: Follower | None = None

    def pause(self, now: float) -> float:
        """Return the seconds until the next frame may be followed, by ``follow_max_hz``."""
        limit = self._settings().follow_max_hz
        if not limit or not self._times:
            return 0.0
        return max(0.0, self._times[-1] + 1.0 / limit - now)

    def is_new(self, frame: Frame) -> bool:
        """Tell whether a frame came after the last one."""
        return frame.received > self._received

    def begin(self) -> FollowReport | None:
        """Take over the answer's targets, the first time; later on None.

        Raises:
            RequestError: following is to end.
            Exception: whatever the model or ``yield_to`` raises; can then be called again.
        """
        if self._start is None:
            return None
        from lisa_model.follow import Follower

        asked, answer, frame = self._start
        chosen = [row for row, one in enumerate(answer.instances) if one.is_target]
        ids = [answer.instances[row].id for row in chosen]
        follower = Follower(segmenter=_Eyes(self, self._segmenter), config=self._config())
        result = follower.adopt(
            asked.rgb, asked.intent, _rows(asked.result, chosen), now_s=frame.received, ids=ids
        )
        self._follower, self._start = follower, None
        return self._report(answer.header, result)

    def step(self, frame: Frame, now: float) -> tuple[Answer, FollowReport]:
        """Follow into a decoded frame.

        Raises:
            RequestError: following is to end.
            Exception: whatever the model or ``yield_to`` raises.
        """
        assert self._follower is not None, "begin() comes first"
        self._received, self.header = frame.received, frame.colour.header
        self._follower.config = self._config()
        rgb = frame.rgb()
        result = self._follower.update(rgb, now_s=frame.received)
        self.control.enter(LOCATING)
        self._times.append(now)
        answer = self._answer(rgb, frame, result)
        return answer, self._report(answer.header, result)

    @property
    def smoothing_problem(self) -> TransformError | None:
        """Why the last frame's positions were not smoothed; None when they were, or need not be."""
        return self._smoother.problem

    def enter(self, progress: Progress) -> None:
        """Take what the model tells while it is asked again."""
        self.control.on_progress(progress)
        self._yield_to()

    def max_tokens(self) -> int:
        """Return the parameter max_answer_tokens."""
        return self._settings().max_answer_tokens

    def _config(self) -> Any:
        from lisa_model.follow_target import FollowConfig

        return FollowConfig(reask_every_s=self._settings().follow_reask_s or None)

    def _answer(self, rgb: NDArray[np.uint8], frame: Frame, result: FollowResult) -> Answer:
        settings = self._settings()
        header = frame.colour.header
        seen = tuple(
            Instance(
                id=one.id,
                mask=one.mask,
                score=one.score,
                area_px=int(one.mask.sum()),
                box_xywh=mask_box(one.mask),
                is_target=True,
            )
            for one in result.targets
            if one.mask.any()
        )
        located = self._smoother.smooth(locate(seen, frame, settings), frame, settings)
        instances, target_frame = into_frame(located, header, settings, self._transforms)
        return Answer(
            intent=self.intent,
            text=result.text,
            model=self._segmenter.name,
            header=header,
            rgb=rgb,
            instances=instances,
            timings={f"follow.{name}": seconds for name, seconds in result.timings.items()},
            received=frame.received,
            target_frame=target_frame,
        )

    def _report(self, header: Header, result: FollowResult) -> FollowReport:
        times = self._times
        span = times[-1] - times[0] if len(times) > 1 else 0.0
        return FollowReport(
            header=header,
            intent=self.intent,
            following=True,
            reason=result.asked.value,
            text=result.text,
            rate_hz=(len(times) - 1) / span if span > 0 else 0.0,
            targets=tuple(
                FollowedNow(one.id, one.state.value, one.confidence, one.score)
                for one in result.targets
            ),
        )


class _Eyes:
    """The model as the follower sees it: each look and token may end or put off the work."""

    def __init__(self, session: FollowSession, segmenter: Any) -> None:
        self._session = session
        self._segmenter = segmenter

    def segment(self, image: NDArray[np.uint8], prompt: str) -> SegmentationResult:
        """Ask the LLM."""
        result: SegmentationResult = self._segmenter.segment(
            image,
            prompt,
            max_new_tokens=self._session.max_tokens(),
            on_progress=self._session.enter,
        )
        return result

    def look(self, image: NDArray[np.uint8], queries: NDArray[np.float32], **options: Any) -> Any:
        """Look without asking."""
        return self._segmenter.look(image, queries, on_progress=self._session.enter, **options)


def _rows(result: Any, rows: list[int]) -> Any:
    """Return a SegmentationResult with some of its masks."""
    return replace(
        result,
        mask_logits=result.mask_logits[rows],
        masks=result.masks[rows],
        scores=result.scores[rows],
        queries=result.queries[rows],
    )
