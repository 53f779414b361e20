"""Places near a focus: where the focus lies, how far around it, how far things turn."""

from __future__ import annotations

import math
import random

import pytest

from training.household.render.cluster import Cluster, draw_yaw
from training.household.render.surface import box_surface

TABLE = box_surface(1.6, 0.8, 0.75)


def test_focus_lies_on_the_front_and_not_at_the_ends() -> None:
    foci = [Cluster(TABLE, random.Random(seed)).focus for seed in range(200)]
    assert max(abs(x) for x, _ in foci) < 0.35 * 1.6
    assert max(y for _, y in foci) <= 0.1 * 0.8
    assert min(y for _, y in foci) < -0.3
    assert len(set(foci)) > 100


@pytest.mark.parametrize(("attempt", "radius"), [(0, 0.1), (20, 0.3)])
def test_places_lie_within_a_radius_that_widens(attempt: int, radius: float) -> None:
    rng = random.Random(0)
    cluster = Cluster(TABLE, rng)
    propose = cluster.proposals(rng, start=0.05, growth=0.005, spread=2.0, yaw_limit=0.5)
    places = [propose(attempt) for _ in range(300)]
    reach = [math.dist((x, y), cluster.focus) for x, y, _ in places]
    assert 0.8 * radius < max(reach) <= radius + 1e-9
    assert max(abs(yaw) for _, _, yaw in places) <= 0.5


def test_a_radius_without_a_point_leaves_the_focus() -> None:
    rng = random.Random(0)
    cluster = Cluster(TABLE, rng)
    x, y, _ = cluster.proposals(rng, start=0.0, growth=0.0, spread=1.0, yaw_limit=1.0)(0)
    assert (x, y) == cluster.focus


def test_points_equally_far_keep_their_order_on_every_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(3)
    cluster = Cluster(box_surface(1.0, 0.6, 0.75, cell=0.1), rng)
    propose = cluster.proposals(rng, start=0.2, growth=0.0, spread=1.0, yaw_limit=0.5)
    order = iter(range(9))
    monkeypatch.setattr(rng, "randrange", lambda count: next(order))
    middle_x, middle_y = cluster.focus
    cells = [
        (round((x - middle_x) / 0.1), round((y - middle_y) / 0.1))
        for x, y, _ in (propose(0) for _ in range(9))
    ]
    # Row by row within each distance, front row first.
    assert cells == [
        (0, 0), (0, -1), (-1, 0), (1, 0), (0, 1), (-1, -1), (1, -1), (-1, 1), (1, 1),
    ]  # fmt: skip


def test_free_yaws_go_all_around_but_mostly_face_the_room() -> None:
    rng = random.Random(0)
    yaws = [draw_yaw(rng, math.pi) for _ in range(1000)]
    assert max(yaws) > 2.8
    assert min(yaws) < -2.8
    # 60% by choice, and 0.9 / pi of the others.
    assert sum(abs(yaw) <= 0.9 for yaw in yaws) / 1000 == pytest.approx(0.6 + 0.4 * 0.286, abs=0.05)
