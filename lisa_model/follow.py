"""Follow mode: one answer of the LLM, then masks of the same targets in every new frame.

The [SEG] prompts of the answer stay as queries: a new frame costs the vision encoder and the mask
decoder, near where the targets were, and no LLM. The LLM is asked again by a schedule and when a
target gets lost.

>>> follower = Follower(segmenter=segmenter)  # doctest: +SKIP
>>> follower.ask(image, "change the TV channel", now_s=0.0)  # doctest: +SKIP
>>> follower.update(next_image, now_s=0.1).targets[0].mask  # doctest: +SKIP

Nothing here knows about ROS or threads: every call works on one frame and returns. One thread at a
time may use a follower; between two frames it may be stopped, dropped or asked for something else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lisa_model.follow_answers import Marked, marked, take_over
from lisa_model.follow_frame import Frame
from lisa_model.follow_target import FollowConfig, Followed, Target
from lisa_model.look import CanLook
from lisa_model.segmenter import Clock, SegmentationResult


class Eyes(CanLook, Protocol):
    """What a follower needs of a :class:`lisa_model.segmenter.ReasoningSegmenter`."""

    def segment(self, image: NDArray[np.uint8], prompt: str) -> SegmentationResult:
        """See :meth:`lisa_model.segmenter.ReasoningSegmenter.segment`."""


class Asked(StrEnum):
    """Why the LLM was asked in a frame."""

    NOT = ""
    INTENT = "intent"
    PERIOD = "period"
    LOST = "lost"


@dataclass(frozen=True)
class FollowResult:
    """What one frame gave.

    Attributes:
        targets: in the order of their ids; empty when the answer had no mask.
        asked: why the LLM was asked in this frame, ``Asked.NOT`` when it was not.
        text: the LLM's newest answer.
        timings: seconds by stage: look_s (near the targets), search_s (whole image), ask_s (LLM).
    """

    targets: tuple[Followed, ...]
    asked: Asked
    text: str
    timings: dict[str, float] = field(default_factory=dict)


class Follower:
    """Follows the targets of one intent from frame to frame."""

    def __init__(self, *, segmenter: Eyes, config: FollowConfig | None = None) -> None:
        self.segmenter = segmenter
        self.config = config or FollowConfig()
        self._ids = count(1)
        self.stop()

    def stop(self) -> None:
        """Forget intent and targets; ids go on."""
        self._intent: str | None = None
        self._targets: list[Target] = []
        self._text = ""
        self._asked_s = 0.0
        self._strangers = 0

    @property
    def intent(self) -> str | None:
        """What is followed, None for nothing."""
        return self._intent

    def ask(self, image: NDArray[np.uint8], intent: str, now_s: float) -> FollowResult:
        """Ask the LLM what is meant, and follow that from now on.

        Args:
            image: (H, W, 3) uint8 RGB.
            intent: what the person said.
            now_s: time of the image, by any clock that does not run backwards [s].

        Raises:
            InvalidImageError, InvalidIntentError: as the segmenter does; what was followed before
                is still followed then.
        """
        clock = Clock()
        result = self.segmenter.segment(image, intent)
        return self._start(image, intent, result, now_s, clock)

    def adopt(
        self,
        image: NDArray[np.uint8],
        intent: str,
        result: SegmentationResult,
        *,
        now_s: float,
        first_id: int | None = None,
        ids: Sequence[int] | None = None,
    ) -> FollowResult:
        """Follow an answer that was already computed; the LLM is not asked.

        Args:
            image: (H, W, 3) uint8 RGB that was answered about.
            intent: what the person said; asked again by the schedule.
            result: of this follower's segmenter, about this image.
            now_s: time of the image, see :meth:`ask` [s].
            first_id: id of the first target, the next ones count up; None to go on counting.
            ids: id of each mask of ``result`` instead; later targets go on after the largest.
                An empty mask takes no target, and its id is not used.

        Raises:
            ValueError: the result is not about an image of this size, has masks without queries,
                or the ids do not fit; what was followed before is still followed then.
        """
        _check_answer(image, result, first_id, ids)
        return self._start(image, intent, result, now_s, Clock(), first_id=first_id, ids=ids)

    def _start(
        self,
        image: NDArray[np.uint8],
        intent: str,
        result: SegmentationResult,
        now_s: float,
        clock: Clock,
        *,
        first_id: int | None = None,
        ids: Sequence[int] | None = None,
    ) -> FollowResult:
        """Forget what was followed, and follow an answer's masks."""
        answers = marked(self._frame(image), result)
        self.stop()
        self._intent, self._text, self._asked_s = intent, result.text, now_s
        if first_id is not None:
            self._ids = count(first_id)
        for one in answers:
            self._add(one, None if ids is None else ids[one.row])
        if ids:
            self._ids = count(max(ids) + 1)
        clock.lap("ask_s")
        frame = self._frame(image)
        for target in self._targets:
            frame.seen[target.id] = target.confidence(target.last, self.config)
        return self._result(frame, Asked.INTENT, clock)

    def update(self, image: NDArray[np.uint8], now_s: float) -> FollowResult:
        """Find the targets in the next frame.

        The image's size may change between frames: all targets are then searched for.

        Args:
            image: (H, W, 3) uint8 RGB.
            now_s: time of the image, by the clock of :meth:`ask` [s].

        Raises:
            RuntimeError: nothing was asked for.
            InvalidImageError: naming what is wrong; nothing has changed then.
        """
        if self._intent is None:
            raise RuntimeError("nothing to follow: ask first")
        clock = Clock()
        frame = self._frame(image)
        frame.look_near()
        clock.lap("look_s")
        frame.search()
        clock.lap("search_s")
        lost = False
        for target in self._targets:
            if target.id not in frame.seen:
                lost = target.miss(self.config) or lost
        asked = self._due(lost, now_s)
        if asked is not Asked.NOT:
            self._ask_again(frame, now_s)
            clock.lap("ask_s")
        return self._result(frame, asked, clock)

    def _frame(self, image: NDArray[np.uint8]) -> Frame:
        return Frame(image, self.segmenter, self.config, self._targets)

    def _due(self, lost: bool, now_s: float) -> Asked:
        config, since = self.config, now_s - self._asked_s
        if config.reask_every_s is not None and since >= config.reask_every_s:
            return Asked.PERIOD
        if lost and config.reask_when_lost and since >= config.reask_gap_s:
            return Asked.LOST
        return Asked.NOT

    def _ask_again(self, frame: Frame, now_s: float) -> None:
        """Put a new answer's masks to the targets; see docs/follow.md for the rules."""
        assert self._intent is not None
        result = self.segmenter.segment(frame.image, self._intent)
        self._text, self._asked_s = result.text, now_s
        answers = marked(frame, result)
        strangers = take_over(frame, answers)
        if not strangers or len(strangers) < len(answers):
            self._strangers = 0
        elif not self._targets:
            self._replace(frame, strangers)
        elif frame.seen:  # while nothing is in view, the LLM can only point at something else
            self._strangers += 1
            if self._strangers >= self.config.switch_after:
                self._replace(frame, strangers)

    def _replace(self, frame: Frame, answers: Sequence[Marked]) -> None:
        self._targets, self._strangers = [], 0
        frame.seen.clear()
        for one in answers:
            target = self._add(one)
            frame.seen[target.id] = target.confidence(one.sight, self.config)

    def _add(self, one: Marked, number: int | None = None) -> Target:
        number = next(self._ids) if number is None else number
        target = Target(number, one.query, one.sight.appearance, one.sight)
        self._targets.append(target)
        return target

    def _result(self, frame: Frame, asked: Asked, clock: Clock) -> FollowResult:
        seen, nothing = frame.seen, np.zeros(frame.image.shape[:2], dtype=np.bool_)
        targets = tuple(
            Followed(
                id=target.id,
                state=target.state,
                confidence=seen.get(target.id, 0.0),
                score=target.last.score if target.id in seen else 0.0,
                mask=target.last.mask if target.id in seen else nothing,
            )
            for target in self._targets
        )
        return FollowResult(targets, asked, self._text, clock.laps)


def _check_answer(
    image: NDArray[np.uint8],
    result: SegmentationResult,
    first_id: int | None,
    ids: Sequence[int] | None,
) -> None:
    """Refuse what :meth:`Follower.adopt` cannot follow."""
    number = len(result.masks)
    if number and result.masks.shape[1:] != image.shape[:2]:
        raise ValueError(
            f"result has masks of {result.masks.shape[1:]} for an image of {image.shape[:2]}; "
            "pass the image that was answered about"
        )
    if len(result.queries) != number:
        raise ValueError(
            f"result has {number} masks and {len(result.queries)} queries; only an answer with "
            "its queries can be followed"
        )
    if ids is not None and first_id is not None:
        raise ValueError("give first_id or ids, not both")
    if ids is not None and (len(ids) != number or len(set(ids)) != number):
        raise ValueError(f"ids must be {number} different numbers, got {list(ids)}")
