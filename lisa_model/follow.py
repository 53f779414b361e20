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

from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lisa_model.follow_target import (
    FollowConfig,
    Followed,
    Sight,
    State,
    Target,
    overlap,
    window_around,
)
from lisa_model.look import CanLook
from lisa_model.segmenter import Clock, SegmentationResult

# Masks that overlap by more than this IoU are of one thing.
SAME_THING = 0.3


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
        self.stop()
        self._intent, self._text, self._asked_s = intent, result.text, now_s
        for query, sight in self._answers(image, result):
            self._add(query, sight)
        clock.lap("ask_s")
        seen = {t.id: t.confidence(t.last, self.config) for t in self._targets}
        return self._result(image, seen, Asked.INTENT, clock)

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
        seen: dict[int, float] = {}
        resized = [t for t in self._targets if t.last.mask.shape != image.shape[:2]]
        for target in self._targets:
            if target not in resized:
                self._look_near(image, target, seen)
        clock.lap("look_s")
        far = [t for t in self._targets if t.id not in seen and self._searches(t, t in resized)]
        self._search(image, far, seen)
        clock.lap("search_s")
        lost = False
        for target in self._targets:
            if target.id not in seen:
                lost = target.miss(self.config) or lost
        asked = self._due(lost, now_s)
        if asked is not Asked.NOT:
            self._ask_again(image, now_s, seen)
            clock.lap("ask_s")
        return self._result(image, seen, asked, clock)

    def _look_near(self, image: NDArray[np.uint8], target: Target, seen: dict[int, float]) -> None:
        look = self.segmenter.look(image, target.query[None], region=target.region(self.config))
        sight = Sight(look.masks[0], float(look.scores[0]), look.appearances[0])
        if target.state is State.LOST:
            self._confirm(image, target, sight, seen)
            return
        confidence = target.confidence(sight, self.config)
        if confidence >= self.config.lost_below:
            target.see(sight, self.config)
            seen[target.id] = confidence

    def _searches(self, target: Target, resized: bool) -> bool:
        """Is a target to be searched in the whole image in this frame?"""
        if target.state is State.LOST:
            return (target.lost_for + 1) % self.config.search_every == 0
        return resized or target.misses == 0  # the first miss: it may have moved by a leap

    def _search(
        self, image: NDArray[np.uint8], targets: list[Target], seen: dict[int, float]
    ) -> None:
        if not targets:
            return
        look = self.segmenter.look(image, np.stack([t.query for t in targets]))
        for row, target in enumerate(targets):
            sight = Sight(look.masks[row], float(look.scores[row]), look.appearances[row])
            self._confirm(image, target, sight, seen)

    def _confirm(
        self, image: NDArray[np.uint8], target: Target, sight: Sight, seen: dict[int, float]
    ) -> None:
        """Take a mask for a target that was not where it was expected, if it is sure enough."""
        if target.confidence(sight, self.config) < self.config.found_above:
            return
        # A look at just this place must agree: other things resemble the target less from close by.
        near = self._look_at(image, target.query, sight.mask)
        confidence = target.confidence(near, self.config)
        if confidence >= self.config.found_above and not self._taken(near, target, seen):
            target.see(near, self.config)
            seen[target.id] = confidence

    def _look_at(
        self, image: NDArray[np.uint8], query: NDArray[np.float32], mask: NDArray[np.bool_]
    ) -> Sight:
        """What a query shows around a mask (H, W), not empty."""
        look = self.segmenter.look(image, query[None], region=window_around(mask, self.config))
        return Sight(look.masks[0], float(look.scores[0]), look.appearances[0])

    def _taken(self, sight: Sight, target: Target, seen: dict[int, float]) -> bool:
        """Is a mask that of another target which was seen in this frame?"""
        return any(
            overlap(other.last.mask, sight.mask) > SAME_THING
            for other in self._targets
            if other is not target and other.id in seen
        )

    def _due(self, lost: bool, now_s: float) -> Asked:
        config, since = self.config, now_s - self._asked_s
        if config.reask_every_s is not None and since >= config.reask_every_s:
            return Asked.PERIOD
        if lost and config.reask_when_lost and since >= config.reask_gap_s:
            return Asked.LOST
        return Asked.NOT

    def _ask_again(self, image: NDArray[np.uint8], now_s: float, seen: dict[int, float]) -> None:
        """Put a new answer's masks to the targets; see docs/follow.md for the rules."""
        assert self._intent is not None
        result = self.segmenter.segment(image, self._intent)
        self._text, self._asked_s = result.text, now_s
        answers = self._answers(image, result)
        left = list(self._targets)
        strangers: list[tuple[NDArray[np.float32], Sight]] = []
        for query, sight in answers:
            target = self._owner(query, sight, left, seen)
            if target is None:
                strangers.append((query, sight))
                continue
            left.remove(target)
            target.query = query
            confidence = target.confidence(sight, self.config)
            if target.id not in seen or confidence > seen[target.id]:
                target.see(sight, self.config)
                seen[target.id] = confidence
        if not strangers or len(left) < len(self._targets):
            self._strangers = 0
        elif not self._targets:
            self._replace(strangers, seen)
        elif seen:  # while nothing is in view, the LLM can only point at something else
            self._strangers += 1
            if self._strangers >= self.config.switch_after:
                self._replace(strangers, seen)

    def _owner(
        self,
        query: NDArray[np.float32],
        sight: Sight,
        targets: list[Target],
        seen: dict[int, float],
    ) -> Target | None:
        """The target that a mask of a new answer belongs to."""
        for target in targets:
            if target.id in seen and overlap(target.last.mask, sight.mask) >= SAME_THING:
                return target
        for target in targets:
            sure = target.confidence(sight, self.config) >= self.config.found_above
            meant = target.meant_by(query, self.config)
            gone = target.id not in seen
            if gone and sure and meant and not self._taken(sight, target, seen):
                return target
        return None

    def _replace(
        self, answers: list[tuple[NDArray[np.float32], Sight]], seen: dict[int, float]
    ) -> None:
        self._targets, self._strangers = [], 0
        seen.clear()
        for query, sight in answers:
            target = self._add(query, sight)
            seen[target.id] = target.confidence(sight, self.config)

    def _add(self, query: NDArray[np.float32], sight: Sight) -> Target:
        target = Target(next(self._ids), query, sight.appearance, sight)
        self._targets.append(target)
        return target

    def _answers(
        self, image: NDArray[np.uint8], result: SegmentationResult
    ) -> list[tuple[NDArray[np.float32], Sight]]:
        """The answer's queries and masks, without empty ones."""
        found = []
        for query, mask, score in zip(result.queries, result.masks, result.scores, strict=True):
            if int(mask.sum()) < self.config.min_area_px:
                continue
            # What later looks will see of it. Where the two agree, the answer's mask is the better.
            close = self._look_at(image, query, mask)
            if overlap(mask, close.mask) >= SAME_THING:
                found.append((query, Sight(mask, float(score), close.appearance)))
            elif close.area >= self.config.min_area_px:
                found.append((query, close))
        return found

    def _result(
        self, image: NDArray[np.uint8], seen: dict[int, float], asked: Asked, clock: Clock
    ) -> FollowResult:
        nothing = np.zeros(image.shape[:2], dtype=np.bool_)
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
