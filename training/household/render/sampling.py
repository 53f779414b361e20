"""Which room, furniture and things each scene shows. Pure and seeded: a plan, not a layout."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from training.household.categories import Category
from training.household.render.dealing import Dealer
from training.household.render.overrides import EXCLUDED_MODELS, SMALL_ON_FLOOR

COUNTER = "counter"  # a plain box that belongs to the room: no instance
# Categories of a support that is no instance ("floor": things lie on the bare floor).
ROOM_PARTS = frozenset({COUNTER, "floor"})
SPLIT_SEEDS = {"train": 100_000, "val": 200_000, "test": 300_000, "demo": 900_000}
ROOM_SUPPORTS: dict[str, tuple[str, ...]] = {
    "living_room": ("coffee_table", "coffee_table", "tv_stand", "round_table", "dining_table"),
    "kitchen": (COUNTER, COUNTER, "dining_table", "round_table"),
    "bedroom": ("bedside_table", "dresser", "desk", "dresser"),
    "bathroom": (COUNTER, COUNTER, "dresser"),
    "office": ("desk", "desk", "dining_table"),
    "hallway": ("dresser", COUNTER, "round_table"),
    "workshop": (COUNTER, "dining_table", "desk"),
}
WIDE_SHARE = 0.2
PAIR_SHARE = 0.15
TELEVISION_SHARE = 0.3


@dataclass(frozen=True, kw_only=True)
class Thing:
    """A category and the model that shows it."""

    category: str
    model: str


@dataclass(frozen=True, kw_only=True)
class SceneSpec:
    """One scene: everything that is decided before geometry is known.

    ``support.model`` is "" for the plain counter. ``first`` things of ``small`` matter most:
    they are placed first. ``views`` holds "near" or "wide" for each camera. ``spread`` scales
    how far apart things are put, ``yaw_limit`` (radians) how far they turn from facing the room.
    """

    name: str
    split: str
    seed: int
    room: str
    support: Thing
    small: tuple[Thing, ...]
    floor: tuple[Thing, ...]
    views: tuple[str, ...]
    width: int
    height: int
    samples: int
    spread: float = 1.0
    yaw_limit: float = math.pi

    def frame_names(self) -> list[str]:
        """Names of the frames, one a view (a scene of one view needs no number)."""
        if len(self.views) == 1:
            return [self.name]
        return [f"{self.name}_{i}" for i in range(len(self.views))]


Spec = TypeVar("Spec", bound=SceneSpec)


def plan_scenes(
    categories: Mapping[str, Category],
    *,
    split: str,
    frames: int,
    views: int,
    width: int,
    height: int,
    samples: int,
) -> list[SceneSpec]:
    """Scenes of one split that together give ``frames`` frames; the same on every call.

    Raises:
        KeyError: unknown split.
        ValueError: frames or views below 1, or no category of a role.
    """
    rng = random.Random(SPLIT_SEEDS[split])
    categories = usable_categories(categories)
    dealer = Dealer(categories, rng)

    def draw(number: int, most: int) -> SceneSpec:
        room = rng.choice(sorted(ROOM_SUPPORTS))
        support = rng.choice(ROOM_SUPPORTS[room])
        pairs = 1 if rng.random() < PAIR_SHARE else 0
        small = dealer.deal("small", rng.randint(7, 13), pairs=pairs)
        if draw_television(support, rng):
            small.insert(0, "television")
        kinds = tuple("wide" if rng.random() < WIDE_SHARE else "near" for _ in range(most))
        floor = dealer.deal("floor", rng.randint(2 if "wide" in kinds else 0, 4), pairs=1)
        if rng.random() < 0.3:
            extra = rng.choice(SMALL_ON_FLOOR)
            if extra in categories and extra not in small:
                floor.append(extra)
        return SceneSpec(
            name=f"{split}_{number:05d}",
            split=split,
            seed=SPLIT_SEEDS[split] + 1 + number,
            room=room,
            support=_pick(categories, support, rng),
            small=tuple(_pick(categories, c, rng) for c in small if c in categories),
            floor=tuple(_pick(categories, c, rng) for c in floor),
            views=kinds,
            width=width,
            height=height,
            samples=samples,
        )

    return fill_frames(frames, views, draw)


def fill_frames(frames: int, views: int, draw: Callable[[int, int], Spec]) -> list[Spec]:
    """Scenes of up to ``views`` views each that together give ``frames`` frames.

    Args:
        frames, views: at least 1.
        draw: makes a scene, given its number and how many views it may have.

    Raises:
        ValueError: frames or views below 1.
    """
    if frames < 1 or views < 1:
        raise ValueError(f"frames and views must be at least 1, got {frames} and {views}")
    scenes: list[Spec] = []
    left = frames
    while left > 0:
        scenes.append(draw(len(scenes), min(views, left)))
        left -= len(scenes[-1].views)
    return scenes


def draw_television(support: str, rng: random.Random) -> bool:
    """Whether a television stands on a support of this category."""
    return support in ("tv_stand", "dresser") and rng.random() < TELEVISION_SHARE


def usable_categories(categories: Mapping[str, Category]) -> dict[str, Category]:
    """The categories without the excluded models; those that have no other are left out."""
    usable: dict[str, Category] = {}
    for identity, category in categories.items():
        models = tuple(m for m in category.models if m not in EXCLUDED_MODELS)
        if models:
            usable[identity] = replace(category, models=models)
    return usable


def _pick(categories: Mapping[str, Category], identity: str, rng: random.Random) -> Thing:
    if identity == COUNTER:
        return Thing(category=COUNTER, model="")
    return Thing(category=identity, model=rng.choice(categories[identity].models))
