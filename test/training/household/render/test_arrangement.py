"""Arrangements and viewpoints on made-up sizes."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest

from training.household.categories import read_categories
from training.household.render.arrangement import Arrangement, Placement, arrange
from training.household.render.cameras import boxes_in_view, segment_hits_box
from training.household.render.layout import Footprint, overlap
from training.household.render.looks import sample_look
from training.household.render.sampling import SceneSpec, plan_scenes
from training.household.render.surface import Surface, box_surface
from training.household.render.viewpoints import sample_view

SCENES = plan_scenes(
    read_categories(), split="val", frames=40, views=2, width=640, height=480, samples=1
)
TOP = (1.6, 0.8, 0.75)


def sizes(scene: SceneSpec) -> dict[str, tuple[float, float, float]]:
    rng = random.Random(5)
    small = {t.model: tuple(rng.uniform(0.03, 0.25) for _ in range(3)) for t in scene.small}
    floor = {t.model: tuple(rng.uniform(0.3, 0.8) for _ in range(3)) for t in scene.floor}
    return {**floor, **small}  # type: ignore[return-value]


def arranged(scene: SceneSpec) -> tuple[Arrangement, Surface]:
    surface = box_surface(*TOP)
    return arrange(scene, sizes(scene), surface, TOP, random.Random(scene.seed)), surface


def footprint(p: Placement) -> Footprint:
    return Footprint(x=p.x, y=p.y, width=p.size[0], depth=p.size[1], yaw=p.yaw)


@pytest.mark.parametrize("scene", SCENES[:10], ids=lambda s: s.name)
def test_nothing_overlaps_and_small_things_stand_on_the_surface(scene: SceneSpec) -> None:
    result, surface = arranged(scene)
    for group in (result.small, (result.support, *result.floor)):
        for a, b in itertools.combinations(group, 2):
            assert not overlap(footprint(a), footprint(b))
    for p in result.small:
        assert surface.carries(footprint(p))
        assert p.z == pytest.approx(surface.height, abs=0.001)
        assert 0.87 <= p.scale <= 1.15
    for p in result.floor:
        corners = footprint(p).corners()
        assert corners[:, 1].max() < result.back
        assert corners[:, 0].min() > result.left
        assert corners[:, 0].max() < result.right


def test_same_seed_same_arrangement() -> None:
    assert arranged(SCENES[0])[0] == arranged(SCENES[0])[0]


def test_counter_is_no_instance_but_furniture_is() -> None:
    for scene in SCENES:
        result, _ = arranged(scene)
        assert (result.support in result.instances()) == (scene.support.category != "counter")


def test_things_keep_their_place_and_the_support_stands_at_the_origin() -> None:
    where = Footprint(x=0.3, y=-0.2, width=0.4, depth=0.1, yaw=0.5)
    thing = SCENES[0].small[0]
    placed = Placement.at(thing, where, z=0.7, scale=1.1, size=(0.4, 0.1, 0.2), support="desk")
    assert placed.footprint() == where
    assert (placed.model, placed.z, placed.scale) == (thing.model, 0.7, 1.1)
    support = Placement.at_origin(SCENES[0].support, TOP)
    assert support.footprint() == Footprint(x=0.0, y=0.0, width=TOP[0], depth=TOP[1])
    assert (support.z, support.scale, support.support) == (0.0, 1.0, "floor")


def test_too_crowded_scene_is_refused() -> None:
    scene = SCENES[0]
    huge = {t.model: (5.0, 5.0, 1.0) for t in (*scene.small, *scene.floor)}
    with pytest.raises(ValueError, match="0 of"):
        arrange(scene, huge, box_surface(*TOP), TOP, random.Random(0))


@pytest.mark.parametrize("kind", ["near", "wide"])
def test_cameras_are_in_the_room_and_see_things(kind: str) -> None:
    seen = []
    for scene in SCENES[:10]:
        result, _ = arranged(scene)
        pose, camera = sample_view(kind, result, width=640, height=480, rng=random.Random(1))
        position = pose[:3, 3]
        assert result.left < position[0] < result.right
        assert position[1] < result.back
        assert position[2] >= 0.2
        for p in result.instances():
            assert not segment_hits_box(position, position, p.box())
        boxes = [p.box() for p in (*result.small, *result.floor)]
        seen.append(boxes_in_view(boxes, pose, camera))
    assert np.median(seen) >= 3


def test_looks_are_reproducible_and_physical() -> None:
    look = sample_look(random.Random(3), focus_height=0.8)
    assert look == sample_look(random.Random(3), focus_height=0.8)
    for seed in range(50):
        look = sample_look(random.Random(seed), focus_height=0.8)
        assert 1 <= len(look.lights) <= 3
        assert all(light.power > 0 for light in look.lights)
        colours = [s.colour_a for s in (look.floor, look.top, look.body, *look.walls)]
        assert all(0 <= v <= 1 for colour in colours for v in colour)
        assert math.isfinite(look.ambient)
