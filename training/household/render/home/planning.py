"""Which things HomeReason's scenes show: repeated kinds, paints, sizes, held-out models. Pure."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from training.household.categories import Category
from training.household.held_out import seen_only, unseen_first
from training.household.render.dealing import Dealer
from training.household.render.home.paint import (
    PAINT_BOUND,
    PAINTS,
    PAIR_PAINTS,
    SCALE_HIGH,
    SCALE_LOW,
    SIZE_BOUND,
    draw_scale,
)
from training.household.render.overrides import SMALL_ON_FLOOR
from training.household.render.sampling import (
    COUNTER,
    ROOM_PARTS,
    ROOM_SUPPORTS,
    SceneSpec,
    Thing,
    draw_television,
    fill_frames,
    usable_categories,
)

# Far from those of data/household (sampling.SPLIT_SEEDS).
HOME_SEEDS = {"train": 1_100_000, "val": 1_200_000, "test": 1_300_000, "test_models": 1_400_000}
UNSEEN = "test_models"
KINDS = {"table": 0.47, COUNTER: 0.23, "shelf": 0.2, "floor": 0.1}
SHELF = "bookcase"  # the category of the shelf unit, which has no model file
VIEWS = {"near": 0.65, "wide": 0.2, "close": 0.15}
CROWDED, SPARSE = 0.15, 0.1
REPEAT_SHARE, THIRD_SHARE = 0.36, 0.2
# Of scenes in which things of one confusion group meet: in so many they differ by paint.
GROUP_PAINT_SHARE = 0.6
FLOOR_REPEAT_SHARE = 0.15
PAINT_SHARE, FLOOR_PAINT_SHARE = 0.48, 0.15
STACK_SHARE = 0.3
# The larger of a pair is at least this many times as large as the smaller.
PAIR_RATIO = 1.3
# What other things may stand on. No plate: what lies on it may be food that belongs there.
CARRIERS = ("serving_tray", "book", "cardboard_box", "chopping_board", "dvd_player",
            "game_console", "folded_clothes", "newspaper", "letter_tray")  # fmt: skip
LIKELY_CARRIERS = ("serving_tray", "serving_tray", "book", "book", "cardboard_box", "dvd_player")
# Wide enough for fifteen things and more.
LARGE_SUPPORTS = frozenset({"dining_table", "desk", "coffee_table", "dresser"})


@dataclass(frozen=True, kw_only=True)
class HomeThing(Thing):
    """A thing with its paint (one of ``PAINTS``, or "" for its own look) and size multiplier."""

    paint: str = ""
    scale: float = 1.0


@dataclass(frozen=True, kw_only=True)
class HomeSpec(SceneSpec):
    """One scene of HomeReason.

    Attributes:
        kind: "table", "counter", "shelf" or "floor": what carries the small things.
        carrier: index in ``small`` of a thing that carries others, -1 for none.
        carried: how many others may stand on it.
        stack: indices in ``small`` that have to stand on it (books on a book).
    """

    small: tuple[HomeThing, ...]
    floor: tuple[HomeThing, ...]
    kind: str = "table"
    carrier: int = -1
    carried: int = 0
    stack: tuple[int, ...] = field(default=())


def plan_home_scenes(
    categories: Mapping[str, Category],
    held: Mapping[str, str],
    *,
    split: str,
    frames: int,
    views: int,
    width: int,
    height: int,
    samples: int,
) -> list[HomeSpec]:
    """Scenes of one split that together give ``frames`` frames; the same on every call.

    A longer plan begins with the shorter one.

    Args:
        categories: the whole taxonomy.
        held: held-out model by category; shown in ``test_models`` only, and there always.
        split: one of ``HOME_SEEDS``.
        frames, views: altogether, and of each scene; at least 1.
        width, height, samples: of each frame.

    Raises:
        KeyError: unknown split.
        ValueError: frames or views below 1, or no category of a role.
    """
    rng = random.Random(HOME_SEEDS[split])
    usable = usable_categories(categories)
    shown = unseen_first(usable, held) if split == UNSEEN else seen_only(usable, held)
    dealer = _ThingDealer(shown, rng, first=held if split == UNSEEN else ())

    def draw(number: int, most: int) -> HomeSpec:
        kinds = tuple(rng.choices(tuple(VIEWS), tuple(VIEWS.values()), k=views))[:most]
        return replace(
            _scene(dealer, rng),
            name=f"home_{split}_{number:05d}",
            split=split,
            seed=HOME_SEEDS[split] + 1 + number,
            views=kinds,
            width=width,
            height=height,
            samples=samples,
        )

    return fill_frames(frames, views, draw)


class _ThingDealer(Dealer):
    """Deals categories, and draws models, paints and sizes of things that show them."""

    def thing(self, identity: str, *, painted: float) -> HomeThing:
        rng = self._rng
        free = identity not in PAINT_BOUND
        return HomeThing(
            category=identity,
            model=rng.choice(self.categories[identity].models),
            paint=rng.choice(PAINTS) if free and rng.random() < painted else "",
            scale=draw_scale(identity, rng),
        )

    def apart(self, things: list[HomeThing]) -> list[HomeThing]:
        """The things, those that share a group in different paints where they may be painted."""
        groups = [self._groups.get(one.category, "") for one in things]
        shared = [
            k
            for k, group in enumerate(groups)
            if group and groups.count(group) > 1 and things[k].category not in PAINT_BOUND
        ]
        paints = self._rng.sample(PAIR_PAINTS, min(len(shared), len(PAIR_PAINTS)))
        paint = dict(zip(shared, paints, strict=False))
        return [replace(one, paint=paint.get(k, one.paint)) for k, one in enumerate(things)]

    def again(self, thing: HomeThing, *, sized: bool = True) -> tuple[HomeThing, HomeThing]:
        """The thing and a second one of its kind, which differ by paint, size or model."""
        rng = self._rng
        other = self.thing(thing.category, painted=PAINT_SHARE)
        ways = ["none"] if len(self.categories[thing.category].models) == 1 else ["model"]
        if thing.category not in PAINT_BOUND:
            ways += ["paint"] * 4
        if sized and thing.category not in SIZE_BOUND:
            ways += ["size"] * 2
        way = rng.choice(ways)
        if way == "paint":
            first, second = rng.sample(PAIR_PAINTS, 2)
            thing, other = replace(thing, paint=first), replace(other, paint=second)
        elif way == "size":
            small = rng.uniform(SCALE_LOW, SCALE_HIGH / PAIR_RATIO)
            large = rng.uniform(small * PAIR_RATIO, SCALE_HIGH)
            pair = rng.sample((small, large), 2)
            # Of one model, so that it is the size that differs.
            other = replace(other, model=thing.model, paint=thing.paint, scale=pair[1])
            thing = replace(thing, scale=pair[0])
        elif way == "model":
            rest = [m for m in self.categories[thing.category].models if m != thing.model]
            other = replace(other, model=rng.choice(rest))
        return thing, other


def _scene(dealer: _ThingDealer, rng: random.Random) -> HomeSpec:
    draw = rng.random()
    crowd = "crowded" if draw < CROWDED else "sparse" if draw < CROWDED + SPARSE else "usual"
    kind = rng.choices(tuple(KINDS), tuple(KINDS.values()))[0]
    room, support = _support(kind, crowd, rng)
    # Boards have room for more, and a view shows one or two of them.
    more = 4 if kind == "shelf" and crowd == "usual" else 0
    low, high = {"crowded": (15, 26), "sparse": (3, 5), "usual": (7, 13)}[crowd]
    groups = rng.choices((0, 1, 2), (0.7, 0.2, 0.1))[0]
    names = dealer.deal("small", rng.randint(low, high) + more, pairs=groups)
    small = [dealer.thing(one, painted=PAINT_SHARE) for one in names]
    if rng.random() < GROUP_PAINT_SHARE:
        small = dealer.apart(small)
    carrier, carried, stack = -1, 0, 0
    if crowd != "sparse" and rng.random() < STACK_SHARE:
        carrier = next((k for k, one in enumerate(small) if one.category in CARRIERS), -1)
        if carrier < 0:
            carrier = len(small)
            small.append(dealer.thing(rng.choice(LIKELY_CARRIERS), painted=PAINT_SHARE))
        carried = rng.randint(1, 3)
        if small[carrier].category == "book" and rng.random() < 0.5:
            stack = rng.randint(1, 2)
    if rng.random() < REPEAT_SHARE:
        k = rng.randrange(len(names))
        small[k], second = dealer.again(small[k])
        small.append(second)
        if rng.random() < THIRD_SHARE:
            small.append(dealer.thing(small[k].category, painted=1.0))
    books = tuple(range(len(small), len(small) + stack))
    small += [dealer.thing("book", painted=0.7) for _ in books]
    if draw_television(support, rng):
        small.append(dealer.thing("television", painted=0.0))
    floor = _floor(dealer, names, few=kind == "floor", rng=rng)
    if kind == "shelf":
        floor = [one for one in floor if one.category != SHELF]
    return HomeSpec(
        name="",
        split="",
        seed=0,
        room=room,
        support=Thing(category=support, model=_support_model(dealer, support, rng)),
        small=tuple(small),
        floor=tuple(floor),
        views=(),
        width=0,
        height=0,
        samples=0,
        spread=rng.uniform(0.7, 1.3),
        yaw_limit=0.7 if kind == "shelf" else 3.2,
        kind=kind,
        carrier=carrier,
        carried=carried,
        stack=books,
    )


def _support(kind: str, crowd: str, rng: random.Random) -> tuple[str, str]:
    """Room and category of the support ("floor" without furniture)."""
    rooms = sorted(ROOM_SUPPORTS)
    if kind == "floor":
        return rng.choice(rooms), "floor"
    if kind == "shelf":
        return rng.choice(rooms), SHELF
    pairs = [
        (room, support)
        for room in rooms
        for support in ROOM_SUPPORTS[room]
        if (support == COUNTER) == (kind == COUNTER)
        and (crowd != "crowded" or support == COUNTER or support in LARGE_SUPPORTS)
    ]
    return rng.choice(pairs)


def _support_model(dealer: _ThingDealer, support: str, rng: random.Random) -> str:
    if support in ROOM_PARTS or support == SHELF:
        return ""
    return rng.choice(dealer.categories[support].models)


def _floor(
    dealer: _ThingDealer, small: list[str], *, few: bool, rng: random.Random
) -> list[HomeThing]:
    names = dealer.deal("floor", rng.randint(0, 2) if few else rng.randint(1, 4), pairs=1)
    floor = [dealer.thing(one, painted=FLOOR_PAINT_SHARE) for one in names]
    if floor and rng.random() < FLOOR_REPEAT_SHARE:
        k = rng.randrange(len(floor))
        floor[k], second = dealer.again(floor[k], sized=False)
        floor.append(second)
    extra = rng.choice(SMALL_ON_FLOOR)
    if rng.random() < 0.3 and extra in dealer.categories and extra not in small:
        floor.append(dealer.thing(extra, painted=PAINT_SHARE))
    return floor
