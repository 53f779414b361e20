"""From a scene's plan and the real sizes of its models to where everything stands. Pure."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from training.household.render.cameras import Box
from training.household.render.cluster import Cluster
from training.household.render.layout import Footprint, place
from training.household.render.overrides import AGAINST_WALL
from training.household.render.sampling import COUNTER, ROOM_PARTS, SceneSpec, Thing
from training.household.render.surface import Surface

Size = tuple[float, float, float]
GAP_M = 0.0005  # so that surfaces do not coincide
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

    @classmethod
    def at(
        cls, thing: Thing, where: Footprint, *, z: float, scale: float, size: Size, support: str
    ) -> Self:
        """A thing at a free place; ``size`` is its own times ``scale``."""
        return cls(
            category=thing.category,
            model=thing.model,
            x=where.x,
            y=where.y,
            z=z,
            yaw=where.yaw,
            scale=scale,
            size=size,
            support=support,
        )

    @classmethod
    def at_origin(cls, thing: Thing, size: Size) -> Self:
        """Furniture that stands at the origin and faces the room."""
        middle = Footprint(x=0.0, y=0.0, width=size[0], depth=size[1])
        return cls.at(thing, middle, z=0.0, scale=1.0, size=size, support="floor")

    def footprint(self) -> Footprint:
        """What it covers in plan."""
        return Footprint(x=self.x, y=self.y, width=self.size[0], depth=self.size[1], yaw=self.yaw)

    def box(self) -> Box:
        """Axis-aligned box around the turned thing."""
        corners = self.footprint().corners()
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

    @property
    def furnished(self) -> bool:
        """Whether the support is an instance, not a part of the room."""
        return self.support.category not in ROOM_PARTS

    def instances(self) -> list[Placement]:
        """All placements that are instances, in id order (the first has id 1)."""
        support = [self.support] if self.furnished else []
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
    support = Placement.at_origin(spec.support, support_size)
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
    cluster = Cluster(surface, rng)
    factors = {t.model: rng.uniform(0.87, 1.15) for t in spec.small}

    def area(thing: Thing) -> float:
        w, d, _ = sizes[thing.model]
        return w * d

    # Big things first, since they fit last; a scene's first thing always keeps its turn.
    usable = surface.area * LARGEST_SHARE
    fitting = [t for t in spec.small if area(t) <= usable]
    ordered = fitting[:1] + sorted(fitting[1:], key=area, reverse=True)
    taken: list[Footprint] = []
    placed: list[Placement] = []
    for thing in ordered:
        size = scaled(sizes[thing.model], factors[thing.model])
        found = place(
            (size[0], size[1]),
            propose=cluster.proposals(
                rng, start=0.15, growth=0.006, spread=spec.spread, yaw_limit=spec.yaw_limit
            ),
            accept=surface.carries,
            taken=taken,
            margin=rng.uniform(0.004, 0.03),
            tries=140,
        )
        if found is None:
            continue
        taken.append(found)
        placed.append(
            Placement.at(
                thing,
                found,
                z=surface.height + GAP_M,
                scale=factors[thing.model],
                size=size,
                support=spec.support.category,
            )
        )
    return placed, cluster.focus


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
    taken = [support.footprint(), *occupied]
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
        placed.append(Placement.at(thing, found, z=GAP_M, scale=factor, size=size, support="floor"))
    return placed
