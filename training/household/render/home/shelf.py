"""A shelf unit made of boxes: what it measures and where its boards are. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass

from training.household.render.cameras import Box

SIDE_M, BOARD_M, BACK_M = 0.02, 0.022, 0.008


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """Outer width and depth, heights of the boards' upper sides, gap above each; metres.

    It stands at the origin with its back towards +y. ``back`` tells whether it has a back panel.
    """

    width: float
    depth: float
    boards: tuple[float, ...]
    gap: float
    back: bool

    @property
    def height(self) -> float:
        """Of the whole unit."""
        return self.boards[-1] + self.gap + BOARD_M

    @property
    def headroom(self) -> float:
        """How high a thing on a board may be."""
        return self.gap - 0.01

    def boxes(self) -> list[Box]:
        """All boards, sides and the back panel."""
        x, y = self.width / 2, self.depth / 2
        tops = (*self.boards, self.height)
        out = [Box(low=(-x + SIDE_M, -y, top - BOARD_M), high=(x - SIDE_M, y, top)) for top in tops]
        out += [
            Box(low=(low, -y, 0.0), high=(low + SIDE_M, y, self.height)) for low in (-x, x - SIDE_M)
        ]
        if self.back:
            out.append(
                Box(low=(-x, y - BACK_M, self.boards[0] - BOARD_M), high=(x, y, self.height))
            )
        return out


def draw_shelf(rng: random.Random, *, wide: bool) -> Shelf:
    """Two to four boards; ``wide`` where many things have to find a place."""
    count = rng.randint(2, 4)
    gap = rng.uniform(0.28, 0.44)
    lowest = rng.uniform(0.06, 0.12) if count > 2 else rng.uniform(0.06, 0.6)
    return Shelf(
        width=rng.uniform(1.1, 1.5) if wide else rng.uniform(0.75, 1.3),
        depth=rng.uniform(0.28, 0.42),
        boards=tuple(lowest + BOARD_M + k * (gap + BOARD_M) for k in range(count)),
        gap=gap,
        back=rng.random() < 0.7,
    )
