"""Where things stand, and cameras that see them, on made-up sizes."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest

from training.household.categories import read_categories
from training.household.held_out import read_held_out
from training.household.render.cameras import Box, pinhole, segment_hits_box, world_from_optical
from training.household.render.home.meta import hidden_things, home_facts, seen_well
from training.household.render.home.placer import HomePlacement, Level
from training.household.render.home.planning import HomeSpec, plan_home_scenes
from training.household.render.home.shelf import SIDE_M, Shelf, draw_shelf
from training.household.render.home.stand import HomeArrangement, arrange_home
from training.household.render.home.views import HEIGHT, sample_home_view
from training.household.render.home.views import seen_well as boxes_seen_well
from training.household.render.layout import Footprint, overlap
from training.household.render.sampling import usable_categories
from training.household.render.surface import box_surface

CATEGORIES = read_categories()
SCENES = plan_home_scenes(
    CATEGORIES, read_held_out(usable_categories(CATEGORIES)), split="val", frames=160, views=2,
    width=640, height=480, samples=1,
)  # fmt: skip
TABLE = (1.8, 0.9, 0.75)


def sizes(scene: HomeSpec) -> dict[str, tuple[float, float, float]]:
    rng = random.Random(5)
    out = {t.model: (rng.uniform(0.3, 0.8),) * 3 for t in scene.floor}
    out |= {t.model: tuple(rng.uniform(0.03, 0.2) for _ in range(3)) for t in scene.small}  # type: ignore[misc]
    if scene.carrier >= 0:
        out[scene.small[scene.carrier].model] = (0.4, 0.3, 0.05)
    return out


def arranged(scene: HomeSpec) -> HomeArrangement:
    rng = random.Random(scene.seed)
    tops = {}
    if scene.carrier >= 0:
        tops = {scene.small[scene.carrier].model: box_surface(0.4, 0.3, 0.05, cell=0.01)}
    shelf = draw_shelf(rng, wide=True) if scene.kind == "shelf" else None
    size = TABLE
    levels = [Level(surface=box_surface(*TABLE))]
    if shelf is not None:
        size = (shelf.width, shelf.depth, shelf.height)
        levels = [
            Level(surface=box_surface(shelf.width - 2 * SIDE_M, shelf.depth, top),
                  headroom=shelf.headroom)
            for top in shelf.boards
        ]  # fmt: skip
    if scene.kind == "floor":
        size, levels = (0.0, 0.0, 0.0), [Level(surface=box_surface(2.2, 1.6, 0.0))]
    return arrange_home(scene, sizes(scene), levels, size, tops, rng, shelf=shelf)


ARRANGED = [(scene, arranged(scene)) for scene in SCENES]


def footprint(p: HomePlacement) -> Footprint:
    return Footprint(x=p.x, y=p.y, width=p.size[0], depth=p.size[1], yaw=p.yaw)


def test_nothing_overlaps_what_stands_on_the_same_thing() -> None:
    for _, scene in ARRANGED:
        for a, b in itertools.combinations(scene.small, 2):
            if a.below == b.below and abs(a.z - b.z) < 0.01 and a.support == b.support:
                assert not overlap(footprint(a), footprint(b))
        for a, b in itertools.combinations(scene.floor, 2):
            assert not overlap(footprint(a), footprint(b))
        if scene.kind == "floor":
            for a, b in itertools.product(scene.small, scene.floor):
                assert not overlap(footprint(a), footprint(b))


def test_things_stand_on_what_they_say() -> None:
    stacked = 0
    for spec, scene in ARRANGED:
        instances = scene.instances()
        for p in scene.small:
            number = scene.support_id(p)
            if p.below is not None:
                below = scene.small[p.below]
                stacked += 1
                assert number == p.below + 1
                assert p.support == below.category
                assert math.isclose(p.z, below.z + below.size[2], abs_tol=0.012)
                assert math.hypot(p.x - below.x, p.y - below.y) < 0.35
            elif spec.kind in ("counter", "floor"):
                assert number is None
                assert p.support == spec.kind
            else:
                assert number is not None
                assert instances[number - 1] is scene.support
                assert p.support == scene.support.category
        assert all(scene.support_id(p) is None for p in scene.floor)
    assert stacked > 10


def test_shelves_carry_things_on_several_boards_below_the_next() -> None:
    levels = []
    for spec, scene in ARRANGED:
        if spec.kind != "shelf":
            continue
        shelf = scene.shelf
        assert shelf is not None
        own = [p for p in scene.small if p.below is None]
        levels.append(len({round(p.z, 2) for p in own}))
        for p in own:
            board = min(shelf.boards, key=lambda z: abs(z - p.z))
            assert abs(board - p.z) < 0.002
            assert p.size[2] <= shelf.headroom
    assert levels
    assert max(levels) >= 3


def test_boxes_of_a_shelf_fill_its_outline() -> None:
    shelf = Shelf(width=1.0, depth=0.3, boards=(0.1, 0.45, 0.8), gap=0.33, back=True)
    low = np.min([box.low for box in shelf.boxes()], axis=0)
    high = np.max([box.high for box in shelf.boxes()], axis=0)
    assert low == pytest.approx([-0.5, -0.15, 0.0])
    assert high == pytest.approx([0.5, 0.15, shelf.height])
    assert len(shelf.boxes()) == 4 + 2 + 1


def test_too_few_things_is_an_error() -> None:
    scene = SCENES[0]
    huge = {t.model: (5.0, 5.0, 1.0) for t in (*scene.small, *scene.floor)}
    with pytest.raises(ValueError, match="0 of"):
        arrange_home(scene, huge, [Level(surface=box_surface(*TABLE))], TABLE, {},
                     random.Random(0))  # fmt: skip


def test_same_seed_same_arrangement() -> None:
    assert arranged(SCENES[0]) == arranged(SCENES[0])


@pytest.mark.parametrize("kind", ["near", "wide", "close"])
def test_cameras_are_in_the_room_and_see_two_things(kind: str) -> None:
    rolls, fovs = [], []
    for number, (_, scene) in enumerate(ARRANGED[:25]):
        pose, camera = sample_home_view(kind, scene, width=640, height=480,
                                        rng=random.Random(number))  # fmt: skip
        x, y, z = pose[:3, 3]
        assert scene.left < x < scene.right
        assert y < scene.back
        assert HEIGHT.low <= z <= HEIGHT.high
        boxes = [p.box() for p in (*scene.small, *scene.floor)]
        assert boxes_seen_well(boxes, pose, camera) >= 2
        assert not any(segment_hits_box(pose[:3, 3], pose[:3, 3], box) for box in boxes)
        fovs.append(math.degrees(2 * math.atan(320 / camera.fx)))
        rolls.append(abs(math.degrees(math.asin(pose[2, 0]))))
    assert min(fovs) >= 42
    assert max(fovs) <= 90
    assert max(rolls) <= 6.01


def test_a_hidden_box_is_not_seen_well() -> None:
    pose = world_from_optical(np.array([0.0, -2.0, 0.5]), np.array([0.0, 0.0, 0.5]))
    camera = pinhole(640, 480, 60)
    far = Box(low=(-0.1, -0.1, 0.4), high=(0.1, 0.1, 0.6))
    near = Box(low=(-0.2, -0.8, 0.3), high=(0.2, -0.6, 0.7))
    assert boxes_seen_well([far], pose, camera) == 1
    assert boxes_seen_well([far, near], pose, camera) == 1
    tiny = Box(low=(0.4, 0.0, 0.5), high=(0.41, 0.01, 0.51))
    assert boxes_seen_well([tiny], pose, camera) == 0


def test_what_the_json_tells_of_an_instance() -> None:
    _, scene = next((s, a) for s, a in ARRANGED if s.kind == "table")
    box = Box(low=(0.0, 0.1, 0.7), high=(0.1, 0.2, 0.81234567))
    facts = home_facts(scene, 1, paint="red", box=box)
    assert facts["colour_name"] == "red"
    assert facts["world_box"] == [[0.0, 0.1, 0.7], [0.1, 0.2, 0.8123]]
    assert facts["scale"] == pytest.approx(scene.small[0].scale, abs=1e-4)
    plain = home_facts(scene, len(scene.small) + 1, paint="", box=box)
    assert "colour_name" not in plain
    assert "support_id" not in plain


def test_hidden_things_are_those_without_pixels() -> None:
    facts = {k: {"category": c, "model": m} for k, c, m in ((1, "mug", "A"), (2, "cat", "B"))}
    assert hidden_things(facts, [1]) == [{"id": 2, "category": "cat", "model": "B"}]
    meta = {"width": 320, "height": 240, "instances": [{"area": 37}, {"area": 38}]}
    assert seen_well(meta) == 1
