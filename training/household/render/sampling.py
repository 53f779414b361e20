"""Which room, furniture and things each scene shows. Pure and seeded: a plan, not a layout."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace

from training.household.categories import Category
from training.household.render.overrides import (
    EXCLUDED_MODELS,
    ON_SUPPORT,
    SMALL_ON_FLOOR,
)

COUNTER = "counter"  # a plain box that belongs to the room: no instance
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


class Deck:
    """Deals items so that each comes up equally often: shuffled rounds, skipped cards stay."""

    def __init__(self, items: list[str], rng: random.Random) -> None:
        """Raises ValueError when ``items`` is empty."""
        if not items:
            raise ValueError("a deck needs at least one item")
        self._items = list(items)
        self._rng = rng
        self._pile: list[str] = []

    def deal(self, wanted: int, groups: Mapping[str, str], *, pairs: int) -> list[str]:
        """Up to ``wanted`` different items, at most ``pairs`` of them sharing a group."""
        chosen: list[str] = []
        used: set[str] = set()
        for _ in range(2):
            kept: list[str] = []
            for item in self._pile:
                group = groups.get(item, "")
                clash = bool(group) and group in used
                if len(chosen) == wanted or item in chosen or (clash and pairs == 0):
                    kept.append(item)
                    continue
                pairs -= clash
                chosen.append(item)
                used.add(group)
            self._pile = kept
            if len(chosen) == wanted:
                break
            fresh = list(self._items)
            self._rng.shuffle(fresh)
            self._pile += fresh
        return chosen


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
        ValueError: frames or views below 1.
    """
    if frames < 1 or views < 1:
        raise ValueError(f"frames and views must be at least 1, got {frames} and {views}")
    rng = random.Random(SPLIT_SEEDS[split])
    categories = usable_categories(categories)
    groups = {c.id: c.group for c in categories.values()}
    small_deck = Deck([c.id for c in categories.values() if c.role == "small"], rng)
    floor_ids = [c.id for c in categories.values() if c.role == "floor" and c.id not in ON_SUPPORT]
    floor_deck = Deck(floor_ids, rng)
    scenes: list[SceneSpec] = []
    left = frames
    while left > 0:
        index = len(scenes)
        room = rng.choice(sorted(ROOM_SUPPORTS))
        support = rng.choice(ROOM_SUPPORTS[room])
        pairs = 1 if rng.random() < PAIR_SHARE else 0
        small = small_deck.deal(rng.randint(7, 13), groups, pairs=pairs)
        if support in ("tv_stand", "dresser") and rng.random() < 0.3:
            small.insert(0, "television")
        kinds = tuple(
            "wide" if rng.random() < WIDE_SHARE else "near" for _ in range(min(views, left))
        )
        floor = floor_deck.deal(rng.randint(2 if "wide" in kinds else 0, 4), groups, pairs=1)
        if rng.random() < 0.3:
            extra = rng.choice(SMALL_ON_FLOOR)
            if extra in categories and extra not in small:
                floor.append(extra)
        scenes.append(
            SceneSpec(
                name=f"{split}_{index:05d}",
                split=split,
                seed=SPLIT_SEEDS[split] + 1 + index,
                room=room,
                support=_pick(categories, support, rng),
                small=tuple(_pick(categories, c, rng) for c in small if c in categories),
                floor=tuple(_pick(categories, c, rng) for c in floor),
                views=kinds,
                width=width,
                height=height,
                samples=samples,
            )
        )
        left -= len(kinds)
    return scenes


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
