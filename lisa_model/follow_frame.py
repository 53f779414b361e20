"""One frame of follow mode: where its targets are looked for, and what counts as seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lisa_model.follow_target import (
    FollowConfig,
    Sight,
    State,
    Target,
    sight_in,
    window_around,
)
from lisa_model.look import CanLook
from lisa_model.mask_parts import overlap

# Masks that overlap by more than this IoU are of one thing.
SAME_THING = 0.3


@dataclass(eq=False)
class Frame:
    """A frame while it is looked at.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        eyes: the model.
        config: see :class:`FollowConfig`.
        targets: what is followed; changed by what is seen of them.
        seen: confidence by id of the targets seen so far.
    """

    image: NDArray[np.uint8]
    eyes: CanLook
    config: FollowConfig
    targets: Sequence[Target]
    seen: dict[int, float] = field(default_factory=dict)

    def look_near(self) -> None:
        """Look for each target where it should be."""
        for target in self.targets:
            if self._resized(target):
                continue
            look = self.eyes.look(self.image, target.query[None], region=target.region(self.config))
            sight = sight_in(look)
            if target.state is State.LOST or target.misses:
                # The region is wide then, and other things come into it.
                self._confirm(target, sight)
            elif self._shows(target, sight, self.config.lost_below):
                self._take(target, sight)

    def search(self) -> None:
        """Look through the whole image for the targets for which it is time."""
        far = [target for target in self.targets if self._to_search(target)]
        if not far:
            return
        look = self.eyes.look(self.image, np.stack([target.query for target in far]))
        for row, target in enumerate(far):
            self._confirm(target, sight_in(look, row))

    def look_at(self, query: NDArray[np.float32], mask: NDArray[np.bool_]) -> Sight:
        """What a query (dim,) shows around a mask (H, W), not empty."""
        region = window_around(mask, self.config)
        return sight_in(self.eyes.look(self.image, query[None], region=region))

    def taken(self, sight: Sight, target: Target) -> bool:
        """Is a mask that of another target which was seen in this frame?"""
        return any(
            overlap(other.last.mask, sight.mask) > SAME_THING
            for other in self.targets
            if other is not target and other.id in self.seen
        )

    def _resized(self, target: Target) -> bool:
        return target.last.mask.shape != self.image.shape[:2]

    def _to_search(self, target: Target) -> bool:
        every = self.config.search_every
        if target.id in self.seen:
            return target.to_check()
        if target.state is State.LOST:
            return (target.lost_for + 1) % every == 0
        # The first miss: it may have moved by a leap.
        return self._resized(target) or target.misses == 0

    def _confirm(self, target: Target, sight: Sight) -> None:
        """Take a mask for a target that was not where it was expected, if it is sure enough."""
        if not self._shows(target, sight, self.config.found_above):
            return
        if target.id in self.seen and overlap(target.last.mask, sight.mask) > SAME_THING:
            return  # no other place
        # A look at just this place must agree: other things resemble the target less from close by.
        close = self.look_at(target.query, sight.mask)
        needed = max(self.config.found_above, self.seen.get(target.id, 0.0))
        if self._shows(target, close, needed) and not self.taken(close, target):
            self._take(target, close)
            target.shift = (0.0, 0.0)  # a leap does not tell how it moves on

    def _shows(self, target: Target, sight: Sight, needed: float) -> bool:
        if target.confidence(sight, self.config) >= needed:
            return True
        # Only of a target that is not in view elsewhere.
        return target.id not in self.seen and target.leaves(sight, self.config)

    def _take(self, target: Target, sight: Sight) -> None:
        self.seen[target.id] = target.confidence(sight, self.config)
        target.see(sight, self.config)
