"""The hand-chosen scenes that are shipped: never trained on, seeds of their own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from training.household.categories import Category
from training.household.render.sampling import COUNTER, SPLIT_SEEDS, SceneSpec, Thing
from training.household.render.viewpoints import Range, ViewConfig

# As near as a manipulator's wrist or head camera.
DEMO_VIEW = ViewConfig(
    distance=Range(low=0.66, high=0.85),
    height=Range(low=0.4, high=0.55),
    azimuth=Range(low=-25, high=25),
    fov=Range(low=52, high=60),
    aim_jitter=0.04,
)
# For big things such as a laptop.
FARTHER_VIEW = replace(DEMO_VIEW, distance=Range(low=0.85, high=1.0))
SAMPLES = 32


@dataclass(frozen=True, kw_only=True)
class Demo:
    """One scene; the first of ``small`` is its main subject. ``seed`` was picked by eye."""

    room: str
    support: str
    support_model: str
    small: tuple[str, ...]
    floor: tuple[str, ...]
    seed: int
    yaw_limit: float = math.pi
    view: ViewConfig = DEMO_VIEW


DEMOS: dict[str, Demo] = {
    "living_room_remote": Demo(
        room="living_room",
        support="coffee_table",
        support_model="BY22",
        small=("tv_remote", "mug", "book", "glasses", "candle", "fruit_bowl", "mobile_phone",
               "succulent"),
        floor=("sofa", "potted_plant"),
        seed=1,
    ),
    "kitchen_breakfast": Demo(
        room="kitchen",
        support=COUNTER,
        support_model="",
        small=("moka_pot", "toaster", "coffee_cup", "bread", "butter", "plate", "kitchen_knife",
               "milk"),
        floor=(),
        seed=2,
    ),
    "office_desk": Demo(
        room="office",
        support="desk",
        support_model="BY54",
        small=("laptop", "stapler", "scissors", "headphones", "desk_lamp", "pen_pot", "calendar"),
        floor=("office_chair",),
        seed=24,
        yaw_limit=0.5,
        view=FARTHER_VIEW,
    ),
    "bathroom_shelf": Demo(
        room="bathroom",
        support=COUNTER,
        support_model="",
        small=("soap_dispenser", "towel", "brush", "perfume", "sponge", "shampoo",
               "medicine_bottle", "cream_jar"),
        floor=(),
        seed=26,
    ),
    "workshop_bench": Demo(
        room="workshop",
        support=COUNTER,
        support_model="",
        small=("drill", "hammer", "pliers", "tape_measure", "screwdriver", "flashlight", "glove",
               "tape_roll"),
        floor=(),
        seed=5,
    ),
    "bedroom_table": Demo(
        room="bedroom",
        support="dresser",
        support_model="BY130",
        small=("clock", "teddy_bear", "watch", "sunglasses", "radio", "book", "keys"),
        floor=("bed",),
        seed=25,
        yaw_limit=0.6,
        view=FARTHER_VIEW,
    ),
}  # fmt: skip


def demo_scenes(categories: Mapping[str, Category]) -> list[SceneSpec]:
    """All demo scenes, 640x480, one view each; every category shows its first model.

    Raises:
        KeyError: a category is not in the taxonomy.
    """

    def thing(identity: str) -> Thing:
        return Thing(category=identity, model=categories[identity].models[0])

    return [
        SceneSpec(
            name=name,
            split="test",
            seed=SPLIT_SEEDS["demo"] + demo.seed,
            room=demo.room,
            support=Thing(category=demo.support, model=demo.support_model),
            small=tuple(thing(c) for c in demo.small),
            floor=tuple(thing(c) for c in demo.floor),
            views=("near",),
            width=640,
            height=480,
            samples=SAMPLES,
            spread=0.8,
            yaw_limit=demo.yaw_limit,
        )
        for name, demo in DEMOS.items()
    ]
