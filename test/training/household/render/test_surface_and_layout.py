"""Footprints that must not overlap, and the usable top of furniture."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.household.render.layout import Footprint, overlap, place
from training.household.render.surface import NoSurfaceError, box_surface, surface_from_heights

LENGTH = st.floats(0.02, 0.5)
PLACE = st.floats(-0.5, 0.5)
FOOTPRINTS = st.builds(
    Footprint, x=PLACE, y=PLACE, width=LENGTH, depth=LENGTH, yaw=st.floats(-math.pi, math.pi)
)


@given(FOOTPRINTS, FOOTPRINTS)
def test_overlap_agrees_with_points_inside(a: Footprint, b: Footprint) -> None:
    points = a.grid(0.02) - np.array([b.x, b.y])
    local = points @ b.axes().T
    inside = (np.abs(local[:, 0]) < b.width / 2 - 1e-9) & (np.abs(local[:, 1]) < b.depth / 2 - 1e-9)
    if inside.any():
        assert overlap(a, b)
        assert overlap(b, a)


def test_turned_squares_whose_boxes_overlap_but_they_do_not() -> None:
    a = Footprint(x=0, y=0, width=1, depth=1, yaw=math.pi / 4)
    b = Footprint(x=0.9, y=0.9, width=0.5, depth=0.5, yaw=math.pi / 4)
    assert not overlap(a, b)
    assert overlap(a, b, margin=1.0)


def test_place_widens_and_gives_up() -> None:
    taken = [Footprint(x=0, y=0, width=1, depth=1)]
    found = place(
        (0.2, 0.2),
        propose=lambda attempt: (0.1 * attempt, 0.0, 0.0),
        accept=lambda f: True,
        taken=taken,
        margin=0.01,
        tries=20,
    )
    assert found is not None
    assert found.x == pytest.approx(0.7)
    assert (
        place(
            (0.2, 0.2),
            propose=lambda attempt: (0.0, 0.0, 0.0),
            accept=lambda f: True,
            taken=taken,
            margin=0.01,
            tries=5,
        )
        is None
    )


def table_with_tower() -> np.ndarray:
    heights = np.full((40, 100), 0.45)
    heights[:, 80:] = 1.6  # a shelf tower
    heights[:, :3] = np.nan  # nothing there
    return heights + np.linspace(0, 0.002, 100)


def test_surface_is_the_largest_level_not_the_highest() -> None:
    surface = surface_from_heights(table_with_tower(), x0=-0.5, y0=-0.2, cell=0.01)
    assert surface.height == pytest.approx(0.451, abs=0.001)
    assert surface.mask[:, 3:80].all()
    assert not surface.mask[:, 80:].any()


def test_things_must_stand_wholly_on_the_surface() -> None:
    surface = surface_from_heights(table_with_tower(), x0=-0.5, y0=-0.2, cell=0.01)
    assert surface.carries(Footprint(x=0.0, y=0.0, width=0.2, depth=0.2))
    assert not surface.carries(Footprint(x=0.25, y=0.0, width=0.2, depth=0.2))
    assert not surface.carries(Footprint(x=0.0, y=0.2, width=0.2, depth=0.2))


@pytest.mark.parametrize("heights", [np.full((9, 9), np.nan), np.full((9, 9), 0.05)])
def test_furniture_without_a_top_is_refused(heights: np.ndarray) -> None:
    with pytest.raises(NoSurfaceError):
        surface_from_heights(heights, x0=0, y0=0, cell=0.1)


def test_box_surface_is_centred() -> None:
    points = box_surface(1.0, 0.6, 0.9).points()
    assert points.mean(axis=0) == pytest.approx([0, 0], abs=1e-9)
    assert np.abs(points[:, 0]).max() <= 0.5


def test_area_counts_the_cells_of_the_surface() -> None:
    surface = surface_from_heights(table_with_tower(), x0=-0.5, y0=-0.2, cell=0.01)
    assert surface.area == pytest.approx(0.4 * 0.77)
