"""Colours that go by their name, lights, exposure, and the visible share."""

from __future__ import annotations

import random

import numpy as np
import pytest

from training.homereason.colours import NAMES, named, shares
from training.household.render.cameras import pinhole, project, world_from_optical
from training.household.render.develop import Development, develop, srgb_encode
from training.household.render.home.looks import MOODS, home_development, sample_home_look
from training.household.render.home.paint import (
    PAINTS,
    draw_scale,
    paint_colour,
    srgb_to_linear,
)
from training.household.render.home.visible import surface_points, visible_share

POSE = world_from_optical(np.array([0.0, -2.0, 0.0]), np.array([0.0, 0.0, 0.0]))
CAMERA = pinhole(320, 240, 60)


def test_paints_are_the_colours_that_questions_name() -> None:
    assert set(PAINTS) == set(NAMES)


@pytest.mark.parametrize("name", PAINTS)
def test_a_paint_in_even_light_is_called_by_its_name_only(name: str) -> None:
    for seed in range(30):
        linear = np.array(paint_colour(name, random.Random(seed)), dtype=np.float32)
        pixels = np.rint(srgb_encode(linear[None]) * 255).astype(np.uint8)
        assert [k for k, v in named(shares(pixels)).items() if v is True] == [name]


def test_srgb_to_linear_inverts_the_encoding() -> None:
    values = np.linspace(0, 1, 50, dtype=np.float32)
    back = [srgb_to_linear(float(v)) for v in srgb_encode(values)]
    assert np.allclose(back, values, atol=1e-4)


def test_things_of_one_size_keep_it() -> None:
    rng = random.Random(0)
    assert all(0.96 <= draw_scale("basketball", rng) <= 1.04 for _ in range(50))
    mugs = [draw_scale("mug", rng) for _ in range(200)]
    assert min(mugs) < 0.85
    assert max(mugs) > 1.2


def test_looks_are_reproducible_and_have_all_moods() -> None:
    looks = [sample_home_look(random.Random(seed), focus_height=0.8) for seed in range(150)]
    assert looks[3] == sample_home_look(random.Random(3), focus_height=0.8)
    assert {look.mood for look in looks} == set(MOODS)
    assert 20 < sum(look.window is not None for look in looks) < 90
    for look in looks:
        assert look.room.lights
        assert all(light.power > 0 for light in look.room.lights)


def test_black_things_do_not_drive_the_rest_into_white() -> None:
    linear = np.full((40, 40, 3), 0.001, dtype=np.float32)
    linear[:, 20:] = 0.5
    picture = develop(linear, home_development("usual", linear, random.Random(1)),
                      np.random.default_rng(0))  # fmt: skip
    blown = develop(linear, Development(key=0.2), np.random.default_rng(0))
    assert blown[:, 20:].mean() > 254
    assert picture[:, 20:].mean() < 245
    assert picture[:, 20:].mean() > 150


def square(x: float = 0.0, size: float = 0.5, y: float = 0.0) -> np.ndarray:
    h = size / 2
    vertices = np.array([(x - h, y, -h), (x + h, y, -h), (x + h, y, h), (x - h, y, h)])
    return surface_points(vertices, np.array([(0, 1, 2), (0, 2, 3)]))


def drawn(points: np.ndarray, number: int, ids: np.ndarray) -> np.ndarray:
    uvz = project(points, POSE, CAMERA)
    u, v = np.rint(uvz[:, 0]).astype(int), np.rint(uvz[:, 1]).astype(int)
    inside = (u >= 0) & (u < 320) & (v >= 0) & (v < 240)
    if inside.any():
        u, v = u[inside], v[inside]
        ids[v.min() : v.max() + 1, u.min() : u.max() + 1] = number
    return ids


def test_surface_points_follow_the_area() -> None:
    vertices = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (5, 0, 0), (8, 0, 0), (5, 1, 0)], float)
    points = surface_points(vertices, np.array([(0, 1, 2), (3, 4, 5)]))
    assert len(points) == 3000
    assert (points[:, 0] >= 5).mean() == pytest.approx(0.75, abs=0.03)
    with pytest.raises(ValueError, match="no area"):
        surface_points(np.zeros((3, 3)), np.array([(0, 1, 2)]))


def test_a_whole_thing_is_all_visible_and_an_absent_one_not_at_all() -> None:
    points = square()
    ids = drawn(points, 7, np.zeros((240, 320), np.uint8))
    assert visible_share(points, 7, ids, POSE, CAMERA) == pytest.approx(1.0, abs=0.01)
    assert visible_share(points, 6, ids, POSE, CAMERA) == 0.0


@pytest.mark.parametrize("covered", [0.25, 0.5, 0.75])
def test_a_covered_part_counts_as_hidden(covered: float) -> None:
    points = square()
    ids = drawn(points, 7, np.zeros((240, 320), np.uint8))
    columns = np.nonzero((ids == 7).any(axis=0))[0]
    ids[:, columns[: int(covered * len(columns))]] = 3
    found = visible_share(points, 7, ids, POSE, CAMERA)
    assert found == pytest.approx(1 - covered, abs=0.05)


def test_what_is_outside_the_picture_or_behind_the_camera_counts_as_hidden() -> None:
    edge = 2 * np.tan(np.radians(30))  # x of the right border at the square's distance
    points = square(x=edge)
    ids = drawn(points, 7, np.zeros((240, 320), np.uint8))
    assert visible_share(points, 7, ids, POSE, CAMERA) == pytest.approx(0.5, abs=0.06)
    behind = square(y=-3.0)
    assert visible_share(behind, 7, ids, POSE, CAMERA) == 0.0


def test_holes_do_not_count() -> None:
    # Two squares with a gap: alone it shows as much as here.
    points = np.concatenate([square(x=-0.4, size=0.3), square(x=0.4, size=0.3)])
    ids = np.zeros((240, 320), np.uint8)
    for half in (points[:3000], points[3000:]):
        drawn(half, 7, ids)
    assert visible_share(points, 7, ids, POSE, CAMERA) == pytest.approx(1.0, abs=0.02)
