"""Choosing among drawn cameras, and where a camera stands."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training.household.render.cameras import pinhole
from training.household.render.viewpoints import Candidate, best_view, seen_from

CAMERA = pinhole(64, 48, 60)


def chosen(counts: list[int | None], wanted: int) -> tuple[int | None, int]:
    """Number of the chosen camera and how many were drawn; None in ``counts``: blocked."""
    left = list(enumerate(counts))

    def draw() -> Candidate | None:
        number, seen = left.pop(0)
        return None if seen is None else (seen, np.full((4, 4), float(number)), CAMERA)

    best = best_view(draw, wanted=wanted, tries=len(counts))
    return None if best is None else int(best[1][0, 0]), len(counts) - len(left)


def test_the_first_that_sees_enough_is_taken() -> None:
    assert chosen([1, None, 4, 5], wanted=4) == (2, 3)


def test_else_the_first_of_those_that_see_most() -> None:
    assert chosen([1, 3, None, 3, 2], wanted=4) == (1, 5)


def test_a_camera_that_sees_nothing_is_better_than_none() -> None:
    assert chosen([None, 0], wanted=4) == (1, 2)
    assert chosen([None, None], wanted=0) == (None, 2)


@pytest.mark.parametrize(
    ("degrees", "offset"), [(0, (0.0, -0.8, 0.6)), (90, (0.8, 0.0, 0.6)), (-90, (-0.8, 0.0, 0.6))]
)
def test_azimuth_turns_to_the_right_of_the_front(
    degrees: float, offset: tuple[float, float, float]
) -> None:
    target = np.array([1.0, 2.0, 0.5])
    position = seen_from(target, 1.0, 0.6, math.radians(degrees))
    assert position - target == pytest.approx(np.array(offset), abs=1e-9)


def test_a_camera_is_never_straight_above() -> None:
    position = seen_from(np.zeros(3), 1.0, 1.5, 0.0)
    assert position == pytest.approx(np.array([0.0, -0.1, 1.5]))
