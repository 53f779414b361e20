"""Every relation: true, mirrored (false), and too close to call."""

from dataclasses import replace

import pytest
from homereason_scenes import thing

from training.homereason import relations


def mirrored(one):
    x0, y0, x1, y1 = one.box
    px, py, pz = one.point
    return replace(one, box=(1 - x1, y0, 1 - x0, y1), point=(-px, py, pz))


@pytest.mark.parametrize(("x", "expected"), [(0.2, True), (0.8, False), (0.48, None), (0.42, None)])
def test_left_and_right(x, expected):
    a, b = thing(1, "mug", x), thing(2, "laptop", 0.5, width=0.2)
    assert relations.left_of(a, b) is expected
    assert relations.right_of(mirrored(a), mirrored(b)) is expected
    if expected is not None:
        assert relations.right_of(a, b) is (not expected)


@pytest.mark.parametrize(("z", "expected"), [(0.7, True), (1.4, False), (0.95, None)])
def test_closer_and_further(z, expected):
    a, b = thing(1, "mug", z=z), thing(2, "laptop", z=1.0)
    assert relations.closer(a, b) is expected
    assert relations.further(b, a) is expected
    assert relations.closer(a, replace(b, point=None)) is None


def test_in_front_of_needs_the_same_direction():
    b = thing(2, "laptop", 0.5, width=0.3, z=1.5)
    assert relations.in_front_of(thing(1, "mug", 0.5, z=0.8), b) is True
    assert relations.in_front_of(thing(1, "mug", 0.1, z=0.8), b) is False
    assert relations.in_front_of(thing(1, "mug", 0.32, z=0.8), b) is None
    assert relations.in_front_of(thing(1, "mug", 0.5, z=2.2), b) is False
    assert relations.behind(b, thing(1, "mug", 0.5, z=0.8)) is True


@pytest.mark.parametrize(("x", "expected"), [(0.35, True), (0.9, False), (0.25, None)])
def test_next_to(x, expected):
    a, b = thing(1, "mug", x), thing(2, "book", 0.5)
    assert relations.next_to(a, b) is (expected if x != 0.9 else None)
    far = thing(3, "mug", 0.99)
    assert relations.next_to(far, b) is False
    assert relations.next_to(replace(a, support="desk"), b) is not True


def test_on_and_under():
    table = thing(9, "dining_table", support="floor", floor_box=(0, 0, 2, 1))
    assert relations.on(thing(1, "mug"), table) is True
    assert relations.on(thing(1, "mug", support="floor"), table) is False
    assert relations.on(thing(1, "mug", support=""), table) is None
    assert relations.on(thing(1, "mug", support_id=4), table) is False

    def ball(x):
        return thing(2, "soccer_ball", support="floor", floor_box=(x, 0.2, x + 0.2, 0.4))

    assert relations.under(ball(0.5), table) is True
    assert relations.under(ball(2.5), table) is False
    assert relations.under(ball(1.95), table) is None
    assert relations.under(replace(ball(0.5), floor_box=None), table) is None
    assert relations.under(thing(1, "mug"), table) is False


def test_what_stands_on_a_tray_may_be_said_to_stand_on_the_table():
    table = thing(9, "dining_table", support="floor")
    tray = thing(2, "serving_tray", support_id=9)
    cup = thing(1, "mug", support="serving_tray", support_id=2)
    assert relations.on(tray, table) is True
    assert relations.on(cup, tray) is True
    assert relations.on(cup, table) is None
    assert relations.stacked(cup)
    assert not relations.stacked(tray)
    assert not relations.stacked(thing(3, "mug", support="counter"))


def test_between():
    b, c = thing(2, "book", 0.2), thing(3, "laptop", 0.8)
    assert relations.between(thing(1, "mug", 0.5), b, c) is True
    assert relations.between(thing(1, "mug", 0.5), c, b) is True
    assert relations.between(thing(1, "mug", 0.95), b, c) is False
    assert relations.between(thing(1, "mug", 0.5, y=0.95), b, c) is False
    assert relations.between(thing(1, "mug", 0.28), b, c) is None, "nearly in front of the book"
    assert relations.between(thing(1, "mug", 0.5, z=2.0), b, c) is None, "far behind them"
    assert relations.between(thing(1, "mug", 0.5), b, thing(3, "laptop", 0.3)) is None


def test_sizes():
    small, large = thing(1, "bowl", size=0.1), thing(2, "bowl", size=0.2)
    assert relations.larger(large, small) is True
    assert relations.larger(small, large) is False
    assert relations.smaller(small, large) is True
    assert relations.larger(large, thing(3, "bowl", size=0.18)) is None
    assert relations.taller(large, small) is True
    assert relations.taller(large, replace(small, support="floor")) is None
    long = thing(4, "ruler", size=0.1)
    assert relations.larger(replace(long, size=(0.4, 0.02, 0.02)), large) is None
    seen = replace(large, measured=False)
    assert relations.larger(replace(seen, whole=False), small) is None, "it may go on outside"
    assert relations.larger(replace(large, size=None), small) is None


@pytest.mark.parametrize(("scale", "expected"), [(1.25, True), (0.8, False), (1.2, None)])
def test_of_one_model_the_scale_tells(scale, expected):
    # Turned by 45 degrees, the smaller of two boxes along the axes can be the larger thing's.
    b = replace(thing(2, "mug", size=0.13), model="KL28", scale=1.0)
    a = replace(thing(1, "mug", size=0.12), model="KL28", scale=scale)
    assert relations.larger(a, b) is expected
    assert relations.larger(a, replace(b, model="SC112")) is None
    assert relations.larger(a, replace(b, scale=None)) is None


def test_nearest_and_farthest():
    anchor = thing(9, "laptop", 0.1)
    things = [thing(1, "mug", 0.3), thing(2, "mug", 0.6), thing(3, "mug", 0.95)]
    assert relations.nearest(anchor, things).id == 1
    assert relations.farthest(anchor, things).id == 3
    tie = [thing(1, "mug", 0.3), thing(2, "mug", 0.32)]
    assert relations.nearest(anchor, tie) is None
    assert relations.farthest(anchor, tie) is None
    assert relations.nearest(anchor, things[:1]) is None


def test_the_extreme_of_several():
    things = [thing(k, "mug", x) for k, x in ((1, 0.1), (2, 0.4), (3, 0.8))]
    assert relations.extreme(things, relations.left_of).id == 1
    assert relations.extreme(things, relations.right_of).id == 3
    assert relations.extreme(things, relations.closer) is None, "all are as far"
