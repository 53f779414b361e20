"""From a scene's plan and the real sizes of its models to where everything stands. Pure."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.household.render.cameras import Box
from training.household.render.layout import Footprint, place
from training.household.render.overrides import AGAINST_WALL
from training.household.render.sampling import COUNTER, SceneSpec, Thing
from training.household.render.surface import Surface

Size = tuple[float, float, float]
# A thing that covers more than this share of the surface stays away: it would stand alone.
LARGEST_SHARE = 0.2
WALL_CHANCE = {"desk": 0.6, "tv_stand": 0.9, "dresser": 1.0, "bedside_table": 1.0, COUNTER: 1.0}


@dataclass(frozen=True, kw_only=True)
class Placement:
    """A thing in the world: base centre (metres), yaw (radians), size multiplier."""

    category: str
    model: str
    x: float
    y: float
    z: float
    yaw: float
    scale: float
    size: Size
    support: str

    def box(self) -> Box:
        """Axis-aligned box around the turned thing."""
        corners = Footprint(
            x=self.x, y=self.y, width=self.size[0], depth=self.size[1], yaw=self.yaw
        ).corners()
        low, high = corners.min(axis=0), corners.max(axis=0)
        return Box(
            low=(float(low[0]), float(low[1]), self.z),
            high=(float(high[0]), float(high[1]), self.z + self.size[2]),
        )


@dataclass(frozen=True, kw_only=True)
class Arrangement:
    """Where everything stands. Walls: back at y = ``back``, sides at x = ``left`` / ``right``."""

    back: float
    left: float
    right: float
    support: Placement
    small: tuple[Placement, ...]
    floor: tuple[Placement, ...]
    focus: tuple[float, float, float]

    def instances(self) -> list[Placement]:
        """All placements that are instances, in id order (the first has id 1)."""
        support = [] if self.support.category == COUNTER else [self.support]
        return [*self.small, *support, *self.floor]


def scaled(size: Size, factor: float) -> Size:
    """A size times a factor."""
    return (size[0] * factor, size[1] * factor, size[2] * factor)


def arrange(
    spec: SceneSpec,
    sizes: Mapping[str, Size],
    surface: Surface,
    support_size: Size,
    rng: random.Random,
) -> Arrangement:
    """Places support, small things on it and floor things around it.

    ``sizes`` are the models' sizes in metres after their pose correction. Things for which no
    free place is found are left out.

    Raises:
        ValueError: fewer than three small things found a place.
    """
    width, depth, _ = support_size
    at_wall = rng.random() < WALL_CHANCE.get(spec.support.category, 0.15)
    back = depth / 2 + (rng.uniform(0.01, 0.1) if at_wall else rng.uniform(0.7, 2.5))
    left, right = -width / 2 - rng.uniform(0.4, 2.0), width / 2 + rng.uniform(1.0, 2.5)
    support = Placement(
        category=spec.support.category,
        model=spec.support.model,
        x=0.0,
        y=0.0,
        z=0.0,
        yaw=0.0,
        scale=1.0,
        size=support_size,
        support="floor",
    )
    small, focus = _place_small(spec, sizes, surface, rng)
    if len(small) < 3:
        raise ValueError(f"{spec.name}: only {len(small)} of {len(spec.small)} small things fit")
    floor = place_floor(spec, sizes, support, (back, left, right), rng)
    return Arrangement(
        back=back,
        left=left,
        right=right,
        support=support,
        small=tuple(small),
        floor=tuple(floor),
        focus=(focus[0], focus[1], surface.height),
    )


def _place_small(
    spec: SceneSpec, sizes: Mapping[str, Size], surface: Surface, rng: random.Random
) -> tuple[list[Placement], tuple[float, float]]:
    points = surface.points()
    # The front half, where a robot reaches, and not the very ends of a long table.
    low, high = points.min(axis=0), points.max(axis=0)
    middle = (low + high) / 2
    reach = np.abs(points[:, 0] - middle[0]) < 0.35 * (high[0] - low[0])
    front = points[reach & (points[:, 1] <= middle[1] + 0.1 * (high[1] - low[1]))]
    pool = front if len(front) else points
    focus = pool[rng.randrange(len(pool))]
    distance = np.hypot(*(points - focus).T)
    by_distance = points[np.argsort(distance)]
    sorted_distance = np.sort(distance)
    factors = {t.model: rng.uniform(0.87, 1.15) for t in spec.small}

    def area(thing: Thing) -> float:
        w, d, _ = sizes[thing.model]
        return w * d

    # Big things first, since they fit last; a scene's first thing always keeps its turn.
    usable = surface.mask.sum() * surface.cell**2 * LARGEST_SHARE
    fitting = [t for t in spec.small if area(t) <= usable]
    ordered = fitting[:1] + sorted(fitting[1:], key=area, reverse=True)
    taken: list[Footprint] = []
    placed: list[Placement] = []
    for thing in ordered:
        size = scaled(sizes[thing.model], factors[thing.model])

        def propose(attempt: int) -> tuple[float, float, float]:
            radius = (0.15 + 0.006 * attempt) * spec.spread
            count = max(1, int(np.searchsorted(sorted_distance, radius)))
            point = by_distance[rng.randrange(count)]
            return float(point[0]), float(point[1]), draw_yaw(rng, spec.yaw_limit)

        found = place(
            (size[0], size[1]),
            propose=propose,
            accept=surface.carries,
            taken=taken,
            margin=rng.uniform(0.004, 0.03),
            tries=140,
        )
        if found is None:
            continue
        taken.append(found)
        placed.append(
            Placement(
                category=thing.category,
                model=thing.model,
                x=found.x,
                y=found.y,
                z=surface.height + 0.0005,
                yaw=found.yaw,
                scale=factors[thing.model],
                size=size,
                support=spec.support.category,
            )
        )
    return placed, (float(focus[0]), float(focus[1]))


def draw_yaw(rng: random.Random, limit: float) -> float:
    """How far a thing is turned from facing the room, radians."""
    if limit < math.pi:
        return rng.uniform(-limit, limit)
    # Fronts mostly face the room (yaw 0 faces -y, where cameras stand).
    if rng.random() < 0.6:
        return rng.uniform(-0.9, 0.9)
    return rng.uniform(-math.pi, math.pi)


def place_floor(
    spec: SceneSpec,
    sizes: Mapping[str, Size],
    support: Placement,
    room: tuple[float, float, float],
    rng: random.Random,
    occupied: Sequence[Footprint] = (),
) -> list[Placement]:
    """Floor things around the support; those that find no place are left out.

    Args:
        spec: names them.
        sizes: by model, metres.
        support: stands at the origin.
        room: y of the back wall, x of the left and the right one.
        rng: draws places and sizes.
        occupied: what stands there already, beside the support.
    """
    back, left, right = room
    taken = [
        Footprint(x=0.0, y=0.0, width=support.size[0], depth=support.size[1]),
        *occupied,
    ]
    placed: list[Placement] = []
    for thing in spec.floor:
        factor = rng.uniform(0.92, 1.08)
        size = scaled(sizes[thing.model], factor)
        wall = thing.category in AGAINST_WALL
        half = math.hypot(size[0], size[1]) / 2

        def propose(
            attempt: int, wall: bool = wall, depth: float = size[1]
        ) -> tuple[float, float, float]:
            if wall:
                return rng.uniform(left, right), back - depth / 2 - 0.02, 0.0
            behind = rng.random() < 0.65
            y = rng.uniform(-0.4, back) if behind else rng.uniform(-2.0, 0.0)
            return rng.uniform(left, right), y, rng.uniform(-math.pi, math.pi)

        def accept(f: Footprint) -> bool:
            corners = f.corners()
            return bool(
                corners[:, 0].min() > left
                and corners[:, 0].max() < right
                and corners[:, 1].max() < back
            )

        found = place(
            (size[0], size[1]), propose=propose, accept=accept, taken=taken, margin=0.05, tries=80
        )
        if found is None or half > 3:
            continue
        taken.append(found)
        placed.append(
            Placement(
                category=thing.category,
                model=thing.model,
                x=found.x,
                y=found.y,
                z=0.0005,
                yaw=found.yaw,
                scale=factor,
                size=size,
                support="floor",
            )
        )
    return placed
