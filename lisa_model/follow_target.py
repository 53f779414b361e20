"""One followed target: how sure it is, where to look for it next, when it counts as lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from lisa_model.follow_border import is_rest
from lisa_model.look import Look
from lisa_model.mask_parts import body_box, cut_off
from lisa_model.zoom import CropWindow, zoom_window

# A presence from which on more says no more, and one that says nothing: what is not there has less.
ENOUGH_PRESENCE, NO_PRESENCE = 0.3, 0.05


class State(StrEnum):
    """What is known of a target in a frame."""

    TRACKING = "tracking"
    LOST = "lost"
    FOUND_AGAIN = "found_again"  # the first frame after LOST; TRACKING follows


@dataclass(frozen=True, kw_only=True)
class FollowConfig:
    """How targets are followed. How the defaults were chosen: docs/follow.md.

    Attributes:
        lost_below: a frame in which the confidence is below this is a miss, unless the mask is what
            the image's border leaves of the target (:meth:`Target.leaves`).
        found_above: confidence from which a target counts as found again (not below
            ``lost_below``: the gap keeps a target from flickering).
        doubt_below: a sight with less than this share of the target's usual confidence is in doubt.
            A target in doubt is searched in the whole image now and then (after ``search_every``
            frames, then after ever more), and nothing is learned of its looks.
        frames_until_lost: misses in a row until a target is lost.
        search_every: a lost target is searched in the whole image every so many frames (where it
            was last seen, it is looked for in each frame).
        reask_every_s: the LLM is asked again so many seconds after it was last asked [s]; None for
            never.
        reask_when_lost: ask the LLM again in the frame in which a target is lost.
        reask_gap_s: but not sooner than this after it was last asked [s].
        same_query: cosine of two [SEG] prompts from which they mean the same. An answer that means
            something else does not find a target that is out of view: about an image without it,
            the LLM speaks of something else.
        switch_after: a target is given up for another (with a new id) when so many answers of the
            LLM in a row show something else.
        context: side of the region looked at over the side of the target's last box.
        min_share: smallest side of the region over the image's side.
        growth: a mask that has grown by more than this factor within a frame is a miss, unless the
            target was cut off by the image's border.
        min_area_px: a smaller mask is no mask [pixels].
        renewal: share of the newest sure sight in the appearance that a target is known by lately.
    """

    lost_below: float = 0.5
    found_above: float = 0.6
    doubt_below: float = 0.8
    frames_until_lost: int = 3
    search_every: int = 3
    reask_every_s: float | None = 10.0
    reask_when_lost: bool = True
    reask_gap_s: float = 2.0
    same_query: float = 0.65
    switch_after: int = 2
    context: float = 1.8
    min_share: float = 0.2
    growth: float = 2.5
    min_area_px: int = 12
    renewal: float = 0.2

    def __post_init__(self) -> None:
        if not 0.0 <= self.lost_below <= self.found_above <= 1.0:
            raise ValueError(
                f"needed 0 <= lost_below ({self.lost_below}) <= found_above "
                f"({self.found_above}) <= 1"
            )
        for name in ("frames_until_lost", "search_every", "switch_after", "min_area_px"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.reask_every_s is not None and self.reask_every_s <= 0:
            raise ValueError(f"reask_every_s must be above 0 or None, got {self.reask_every_s}")
        if self.reask_gap_s < 0:
            raise ValueError(f"reask_gap_s must not be negative, got {self.reask_gap_s}")
        if self.context < 1 or self.growth <= 1 or not 0 < self.min_share <= 1:
            raise ValueError("needed context >= 1, growth > 1 and 0 < min_share <= 1")
        if not -1 <= self.same_query <= 1:
            raise ValueError(f"same_query must be in -1..1, got {self.same_query}")
        if not 0 <= self.doubt_below <= 1:
            raise ValueError(f"doubt_below must be in 0..1, got {self.doubt_below}")
        if not 0 <= self.renewal <= 1:
            raise ValueError(f"renewal must be in 0..1, got {self.renewal}")


@dataclass(frozen=True)
class Sight:
    """A mask that may be a target's.

    Attributes:
        mask: (H, W) bool.
        score: IoU that the decoder expects, 0..1.
        appearance: (dim,) float32, unit length or zeros; see :class:`lisa_model.look.Look`.
        presence: 0..1 that it is what the query means; None when the model cannot tell.
    """

    mask: NDArray[np.bool_]
    score: float
    appearance: NDArray[np.float32]
    presence: float | None = None

    @property
    def area(self) -> int:
        """Pixels of the mask."""
        return int(self.mask.sum())


def sight_in(look: Look, row: int = 0) -> Sight:
    """What a look shows of one of its queries."""
    presence = None if look.presences is None else float(look.presences[row])
    return Sight(look.masks[row], float(look.scores[row]), look.appearances[row], presence)


@dataclass(frozen=True)
class Followed:
    """A target in one frame.

    Attributes:
        id: stays while the target is followed, also through being lost.
        state: see :class:`State`.
        confidence: 0..1 that the mask shows the target; 0 when it was not looked for.
        score: IoU that the mask decoder expects of the mask; 0 without one.
        mask: (H, W) bool; empty (all False) when the target is not seen in this frame.
    """

    id: int
    state: State
    confidence: float
    score: float
    mask: NDArray[np.bool_]


@dataclass(eq=False)
class Target:
    """What is remembered of a target; changed by :meth:`see` and :meth:`miss`.

    Attributes:
        id: of the target.
        query: (dim,) float32, its [SEG] prompt.
        first: appearance when it was asked for.
        recent: appearance of late: a thing looks different from another side.
        presence: that it had when it was asked for.
        last: newest mask that was taken for it.
        state, misses, lost_for: misses in a row; frames since it was lost.
        usual: confidence of late in sights without doubt; at first, of what was asked for.
        doubts: sights in a row with much less confidence than usual; negative for sights without.
        next_check: number of doubts at which the whole image is searched for a better one.
        unbroken: since it was the target without doubt for a while, each sight was the rest of the
            one before: what is left of it at the border is no other thing.
        shift: how the box's centre moved between the last two frames with a mask [pixels].
    """

    id: int
    query: NDArray[np.float32]
    first: NDArray[np.float32]
    last: Sight
    state: State = State.TRACKING
    misses: int = 0
    lost_for: int = 0
    usual: float = field(init=False)
    doubts: int = 0
    next_check: int = 0
    unbroken: bool = True
    shift: tuple[float, float] = (0.0, 0.0)
    recent: NDArray[np.float32] = field(init=False)
    presence: float | None = field(init=False)

    def __post_init__(self) -> None:
        self.recent = self.first
        self.presence = self.last.presence
        self.usual = 0.5 + 0.5 * self.last.score

    def confidence(self, sight: Sight, config: FollowConfig) -> float:
        """How sure it is that a mask shows this target, 0..1.

        Mostly, the mask must look like the target (cosine of appearances). What the decoder expects
        of its mask counts for half only: it expects much of masks of other things too. An empty
        mask, and one that grows by a leap, is none.
        """
        area = sight.area
        if area < config.min_area_px:
            return 0.0
        # As shares of the image, whose size may have changed.
        share, before = area / sight.mask.size, self.last.area / self.last.mask.size
        known = self.state is not State.LOST and not cut_off(self.last.mask)
        if known and share > config.growth * before:
            return 0.0
        alike = max(float(self.first @ sight.appearance), float(self.recent @ sight.appearance))
        return self._likeness(alike, sight, self.presence) * (0.5 + 0.5 * sight.score)

    def leaves(self, sight: Sight, config: FollowConfig) -> bool:
        """Is a mask what the image's border leaves of this target?

        The less is left, the less that looks and means like the whole: it is compared with what was
        left in the frame before.
        """
        if not self.unbroken or sight.area < config.min_area_px or not cut_off(sight.mask):
            return False
        cosine = float(self.last.appearance @ sight.appearance)
        likeness = self._likeness(cosine, sight, self.last.presence)
        return likeness * (0.5 + 0.5 * sight.score) >= config.lost_below and self._is_rest(sight)

    def _is_rest(self, sight: Sight) -> bool:
        seen = self.state is not State.LOST and not self.misses
        return seen and is_rest(sight.mask, self.last.mask)

    def _likeness(self, cosine: float, sight: Sight, presence: float | None) -> float:
        """Looks and meaning (as a share of ``presence``) as one number, 0..1: their geometric mean,
        for one must not make up for the other."""
        cosine = min(1.0, max(0.0, cosine))
        if sight.presence is None or presence is None:
            return cosine
        expected = min(presence, ENOUGH_PRESENCE) + NO_PRESENCE
        return float(np.sqrt(cosine * min(1.0, (sight.presence + NO_PRESENCE) / expected)))

    def region(self, config: FollowConfig) -> CropWindow:
        """Where to look for it next: where it was, moved on as it moved before."""
        if self.misses:
            return window_around(self.last.mask, config, wider=True)
        return window_around(self.last.mask, config, shift=self.shift)

    def meant_by(self, query: NDArray[np.float32], config: FollowConfig) -> bool:
        """Does a new [SEG] prompt (dim,) mean what this target was asked for?"""
        lengths = float(np.linalg.norm(self.query) * np.linalg.norm(query))
        return float(self.query @ query) >= config.same_query * lengths

    def see(self, sight: Sight, config: FollowConfig) -> None:
        """Take a mask for the target's."""
        rest = self.unbroken and self._is_rest(sight)
        self._judge(sight, config)
        self.unbroken = rest or -self.doubts >= config.frames_until_lost
        known = self.state is not State.LOST and not self.misses
        before, after = body_box(self.last.mask), body_box(sight.mask)
        self.shift = (
            ((after[0] + after[2] - before[0] - before[2]) / 2) if known else 0.0,
            ((after[1] + after[3] - before[1] - before[3]) / 2) if known else 0.0,
        )
        self.state = State.FOUND_AGAIN if self.state is State.LOST else State.TRACKING
        self.misses, self.lost_for = 0, 0
        self.last = sight

    def _judge(self, sight: Sight, config: FollowConfig) -> None:
        confidence = self.confidence(sight, config)
        if confidence < config.doubt_below * self.usual:
            if self.doubts <= 0:
                self.next_check = config.search_every
            self.doubts = max(self.doubts, 0) + 1
            return
        self.doubts = min(self.doubts, 0) - 1
        # Learn only from what is whole, has been the target for a while, and is still like what was
        # asked for: neither a short error nor a chain of small changes must lead to another thing.
        alike = self._likeness(float(self.first @ sight.appearance), sight, self.presence)
        sure = alike * (0.5 + 0.5 * sight.score) >= config.found_above
        if -self.doubts >= config.frames_until_lost and sure and not cut_off(sight.mask):
            mixed = (1 - config.renewal) * self.recent + config.renewal * sight.appearance
            self.recent = (mixed / np.linalg.norm(mixed)).astype(np.float32)
            self.usual += config.renewal * (confidence - self.usual)

    def to_check(self) -> bool:
        """Is it time to search the whole image for a better one? Each time makes the next one come
        after twice as many doubts."""
        if self.doubts < max(1, self.next_check):
            return False
        self.next_check *= 2
        return True

    def miss(self, config: FollowConfig) -> bool:
        """Note a frame without the target; True when it is lost by this."""
        if self.state is State.LOST:
            self.lost_for += 1
            return False
        self.state = State.TRACKING
        self.misses += 1
        if self.misses < config.frames_until_lost:
            return False
        self.state, self.lost_for, self.doubts = State.LOST, 0, 0
        return True


def window_around(
    mask: NDArray[np.bool_],
    config: FollowConfig,
    *,
    shift: tuple[float, float] = (0.0, 0.0),
    wider: bool = False,
) -> CropWindow:
    """The region to look at for a target that had a mask in the frame before.

    Args:
        mask: (H, W) bool, not empty.
        config: see :class:`FollowConfig`.
        shift: how it moved between the two frames before; it is expected to go on like that, give
            or take half of it [pixels].
        wider: it was not where it was expected: look at a region of twice the side.
    """
    height, width = mask.shape
    x0, y0, x1, y1 = body_box(mask)
    dx, dy = shift
    mx, my = abs(dx) / 2, abs(dy) / 2
    side = 2 if wider else 1
    return zoom_window(
        (x0 + dx - mx, y0 + dy - my, x1 + dx + mx, y1 + dy + my),
        height=height,
        width=width,
        context=side * config.context,
        min_share=min(1.0, side * config.min_share),
    )
