"""Placing things in plan: oriented footprints that must not overlap (rejection sampling)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """A rectangle in plan: centre (x, y) and size in metres, yaw in radians."""

    x: float
    y: float
    width: float
    depth: float
    yaw: float = 0.0

    def axes(self) -> NDArray[np.float64]:
        """(2, 2) unit vectors of width and depth direction."""
        c, s = math.cos(self.yaw), math.sin(self.yaw)
        return np.array([[c, s], [-s, c]])

    def corners(self, margin: float = 0.0) -> NDArray[np.float64]:
        """(4, 2) corners, each side moved out by ``margin`` metres."""
        half = np.array([self.width / 2 + margin, self.depth / 2 + margin])
        signs = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
        return np.array([self.x, self.y]) + (signs * half) @ self.axes()

    def grid(self, step: float) -> NDArray[np.float64]:
        """(n, 2) points over the rectangle about ``step`` apart; the middle one is the centre."""
        nx = max(1, math.ceil(self.width / step / 2)) * 2 + 1
        ny = max(1, math.ceil(self.depth / step / 2)) * 2 + 1
        u, v = np.meshgrid(
            np.linspace(-self.width / 2, self.width / 2, nx),
            np.linspace(-self.depth / 2, self.depth / 2, ny),
        )
        return np.array([self.x, self.y]) + np.stack([u.ravel(), v.ravel()], axis=1) @ self.axes()


def overlap(a: Footprint, b: Footprint, *, margin: float = 0.0) -> bool:
    """Whether two rectangles come closer than ``margin`` (separating axis theorem)."""
    # Most pairs are far apart: the circles around them tell so at a fraction of the cost.
    reach = math.hypot(a.width / 2 + margin, a.depth / 2 + margin) + math.hypot(
        b.width / 2, b.depth / 2
    )
    if math.hypot(a.x - b.x, a.y - b.y) > reach:
        return False
    corners_a, corners_b = a.corners(margin), b.corners()
    for axis in np.concatenate([a.axes(), b.axes()]):
        pa, pb = corners_a @ axis, corners_b @ axis
        if pa.max() <= pb.min() or pb.max() <= pa.min():
            return False
    return True


def place(
    size: tuple[float, float],
    *,
    propose: Callable[[int], tuple[float, float, float]],
    accept: Callable[[Footprint], bool],
    taken: Sequence[Footprint],
    margin: float,
    tries: int,
) -> Footprint | None:
    """First proposal (x, y, yaw) that is accepted and free; None after ``tries`` of them.

    ``propose`` is given the number of the try, so that it can widen its search.
    """
    for attempt in range(tries):
        x, y, yaw = propose(attempt)
        candidate = Footprint(x=x, y=y, width=size[0], depth=size[1], yaw=yaw)
        if any(overlap(candidate, other, margin=margin) for other in taken):
            continue
        if accept(candidate):
            return candidate
    return None
