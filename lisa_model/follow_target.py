"""One followed target: how sure it is, where to look for it next, when it counts as lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from lisa_model.overlay import mask_box
from lisa_model.zoom import CropWindow, zoom_window

Box = tuple[float, float, float, float]
# Parts of a mask that are smaller than this share of its largest part are strays.
LARGE_PART = 0.25


class State(StrEnum):
    """What is known of a target in a frame."""

    TRACKING = "tracking"
    LOST = "lost"
    FOUND_AGAIN = "found_again"  # the first frame after LOST; TRACKING follows


@dataclass(frozen=True, kw_only=True)
class FollowConfig:
    """How targets are followed. How the defaults were chosen: docs/follow.md.

    Attributes:
        lost_below: a frame in which the confidence is below this is a miss.
        found_above: confidence from which a target counts as found again (not below
            ``lost_below``: the gap keeps a target from flickering).
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

    lost_below: float = 0.45
    found_above: float = 0.6
    frames_until_lost: int = 3
    search_every: int = 6
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
        if not 0 <= self.renewal <= 1:
            raise ValueError(f"renewal must be in 0..1, got {self.renewal}")


@dataclass(frozen=True)
class Sight:
    """A mask that may be a target's.

    Attributes:
        mask: (H, W) bool.
        score: IoU that the decoder expects, 0..1.
        appearance: (dim,) float32, unit length or zeros; see :class:`lisa_model.look.Look`.
    """

    mask: NDArray[np.bool_]
    score: float
    appearance: NDArray[np.float32]

    @property
    def area(self) -> int:
        """Pixels of the mask."""
        return int(self.mask.sum())


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
        last: newest mask that was taken for it.
        state, misses, lost_for: misses in a row; frames since it was lost.
        shift: how the box's centre moved between the last two frames with a mask [pixels].
    """

    id: int
    query: NDArray[np.float32]
    first: NDArray[np.float32]
    last: Sight
    state: State = State.TRACKING
    misses: int = 0
    lost_for: int = 0
    shift: tuple[float, float] = (0.0, 0.0)
    recent: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        self.recent = self.first

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
        return min(1.0, max(0.0, alike)) * (0.5 + 0.5 * sight.score)

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
        self._renew(sight, config)
        known = self.state is not State.LOST and not self.misses
        before, after = body_box(self.last.mask), body_box(sight.mask)
        self.shift = (
            ((after[0] + after[2] - before[0] - before[2]) / 2) if known else 0.0,
            ((after[1] + after[3] - before[1] - before[3]) / 2) if known else 0.0,
        )
        self.state = State.FOUND_AGAIN if self.state is State.LOST else State.TRACKING
        self.misses, self.lost_for = 0, 0
        self.last = sight

    def _renew(self, sight: Sight, config: FollowConfig) -> None:
        # Only from what is whole, surely the target, and still like what was asked for: a chain of
        # small changes must not lead to another thing.
        sure = float(self.first @ sight.appearance) * (0.5 + 0.5 * sight.score)
        if sure >= config.found_above and not cut_off(sight.mask):
            mixed = (1 - config.renewal) * self.recent + config.renewal * sight.appearance
            self.recent = (mixed / np.linalg.norm(mixed)).astype(np.float32)

    def miss(self, config: FollowConfig) -> bool:
        """Note a frame without the target; True when it is lost by this."""
        if self.state is State.LOST:
            self.lost_for += 1
            return False
        self.state = State.TRACKING
        self.misses += 1
        if self.misses < config.frames_until_lost:
            return False
        self.state, self.lost_for = State.LOST, 0
        return True


def box_of(mask: NDArray[np.bool_]) -> Box:
    """x0, y0, x1, y1 of a mask (the last two exclusive); all 0 for an empty one."""
    left, top, width, height = mask_box(mask)
    return (left, top, left + width, top + height)


def body_box(mask: NDArray[np.bool_]) -> Box:
    """Box of a mask's large parts; all 0 for an empty one.

    A few stray pixels far off would make the next region large, and its mask worse.
    """
    parts, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if parts <= 2:
        return box_of(mask)
    areas = stats[1:, cv2.CC_STAT_AREA]
    large = 1 + np.flatnonzero(areas >= LARGE_PART * areas.max())
    return box_of(np.isin(labels, large))


def cut_off(mask: NDArray[np.bool_]) -> bool:
    """Does a mask reach the image's border?"""
    return bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())


def overlap(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """IoU of two masks; 0 for two empty ones."""
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 0.0


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
