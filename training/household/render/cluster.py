"""Proposes places near one point of a surface, so that things stand together. Pure."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np

from training.household.render.surface import Surface


class Cluster:
    """The points of a surface by their distance from a focus among them."""

    def __init__(self, surface: Surface, rng: random.Random) -> None:
        """Draws the focus, metres in the surface's frame."""
        points = surface.points()
        # The front half, where a robot reaches, and not the very ends of a long table.
        low, high = points.min(axis=0), points.max(axis=0)
        middle = (low + high) / 2
        reach = np.abs(points[:, 0] - middle[0]) < 0.35 * (high[0] - low[0])
        front = points[reach & (points[:, 1] <= middle[1] + 0.1 * (high[1] - low[1]))]
        pool = front if len(front) else points
        x, y = pool[rng.randrange(len(pool))]
        self.focus = (float(x), float(y))
        # Points of a grid around one of them: many are equally far, but for the last bits. NumPy's
        # quickest sort orders these otherwise on other CPUs, and all that is drawn after differs.
        distance = np.hypot(*(points - np.array(self.focus)).T).round(6)
        order = np.argsort(distance, kind="stable")
        self._points, self._distance = points[order], distance[order]

    def proposals(
        self, rng: random.Random, *, start: float, growth: float, spread: float, yaw_limit: float
    ) -> Callable[[int], tuple[float, float, float]]:
        """For :func:`layout.place`: places (x, y, yaw) within a radius that widens with the tries.

        Args:
            rng: draws the places.
            start, growth: radius of the first try and what each further one adds, metres.
            spread: multiplies the radius.
            yaw_limit: see :func:`draw_yaw`.
        """

        def propose(attempt: int) -> tuple[float, float, float]:
            radius = (start + growth * attempt) * spread
            count = max(1, int(np.searchsorted(self._distance, radius)))
            x, y = self._points[rng.randrange(count)]
            return float(x), float(y), draw_yaw(rng, yaw_limit)

        return propose


def draw_yaw(rng: random.Random, limit: float) -> float:
    """How far a thing is turned from facing the room, radians."""
    if limit < math.pi:
        return rng.uniform(-limit, limit)
    # Fronts mostly face the room (yaw 0 faces -y, where cameras stand).
    if rng.random() < 0.6:
        return rng.uniform(-0.9, 0.9)
    return rng.uniform(-math.pi, math.pi)
