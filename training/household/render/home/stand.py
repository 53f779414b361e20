"""Where the things of a HomeReason scene stand: on tables, boards, floor, each other. Pure."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from training.household.render.arrangement import (
    LARGEST_SHARE,
    WALL_CHANCE,
    Arrangement,
    Placement,
    Size,
    place_floor,
)
from training.household.render.home.placer import (
    FLOOR_GAP_M,
    HomePlacement,
    Level,
    Placer,
)
from training.household.render.home.planning import HomeSpec, HomeThing
from training.household.render.home.shelf import Shelf
from training.household.render.surface import Surface

LEAST_SMALL = 2


@dataclass(frozen=True, kw_only=True)
class HomeArrangement(Arrangement):
    """An arrangement with its kind and, where that is "shelf", the shelf unit."""

    kind: str = "table"
    shelf: Shelf | None = None

    def support_id(self, placement: Placement) -> int | None:
        """Id of the instance that a thing stands on; None where that is the room."""
        if isinstance(placement, HomePlacement) and placement.below is not None:
            return placement.below + 1
        if self.furnished and placement in self.small:
            return len(self.small) + 1
        return None


def arrange_home(
    spec: HomeSpec,
    sizes: Mapping[str, Size],
    levels: Sequence[Level],
    support_size: Size,
    tops: Mapping[str, Surface],
    rng: random.Random,
    *,
    shelf: Shelf | None = None,
    largest: float = LARGEST_SHARE,
) -> HomeArrangement:
    """Places small things on the levels and on each other, and floor things around.

    Things for which no free place is found are left out.

    Args:
        spec: the scene.
        sizes: by model, metres, after pose correction.
        levels: at least one; a shelf has one a board.
        support_size: of the furniture at the origin.
        tops: usable tops of things that may carry others, by model.
        rng: draws everything.
        shelf: the unit where the scene is one of a shelf.
        largest: things that cover more than this share of a level are left out.

    Raises:
        ValueError: fewer than two small things found a place.
    """
    width, depth, _ = support_size
    chance = 0.9 if spec.kind == "shelf" else WALL_CHANCE.get(spec.support.category, 0.2)
    behind = rng.uniform(0.01, 0.08) if rng.random() < chance else rng.uniform(0.7, 2.5)
    if spec.kind == "floor":
        behind = rng.uniform(0.9, 2.0)
    back = depth / 2 + behind
    left, right = -width / 2 - rng.uniform(0.4, 2.0), width / 2 + rng.uniform(0.8, 2.5)
    if spec.kind == "floor":
        left, right = -rng.uniform(1.3, 2.5), rng.uniform(1.3, 2.5)
    support = HomePlacement.at_origin(spec.support, support_size)
    placer = Placer(spec, sizes, levels, tops, rng, largest)
    small = placer.all()
    if len(small) < LEAST_SMALL:
        raise ValueError(f"{spec.name}: only {len(small)} of {len(spec.small)} small things fit")
    on_floor = [p.footprint() for p in small] if spec.kind == "floor" else []
    floor = place_floor(spec, sizes, support, (back, left, right), rng, on_floor)
    paints: dict[str, list[HomeThing]] = {}
    for thing in spec.floor:
        paints.setdefault(thing.model, []).append(thing)
    focus = rng.choice(small)
    return HomeArrangement(
        back=back,
        left=left,
        right=right,
        support=support,
        small=tuple(small),
        floor=tuple(_on_floor(p, paints[p.model].pop(0)) for p in floor),
        focus=(focus.x, focus.y, focus.z) if shelf else placer.focus,
        kind=spec.kind,
        shelf=shelf,
    )


def _on_floor(p: Placement, thing: HomeThing) -> HomePlacement:
    return HomePlacement(**(vars(p) | {"z": FLOOR_GAP_M, "paint": thing.paint}))
