import numpy as np
import pytest

from training.homereason.colours import named, shares


@pytest.mark.parametrize(
    ("rgb", "name"),
    [((200, 20, 20), "red"), ((230, 120, 10), "orange"), ((235, 215, 20), "yellow"),
     ((30, 160, 50), "green"), ((30, 70, 210), "blue"), ((120, 40, 190), "purple"),
     ((245, 245, 245), "white"), ((20, 20, 22), "black")],
)  # fmt: skip
def test_plain_colours(rgb, name):
    found = named(shares(np.full((50, 3), rgb, np.uint8)))
    assert [one for one, value in found.items() if value] == [name]


def test_between_two_names_both_are_open():
    found = named(shares(np.full((50, 3), (20, 130, 150), np.uint8)))  # teal
    assert found["green"] is not True
    assert found["blue"] is None
    assert found["red"] is False


def test_a_small_spot_neither_makes_nor_breaks_a_name():
    pixels = np.full((100, 3), (30, 70, 210), np.uint8)
    pixels[:15] = (200, 20, 20)
    found = named(shares(pixels))
    assert found["blue"] is True
    assert found["red"] is None


def test_the_painted_colour_can_only_take_back():
    blue = shares(np.full((50, 3), (30, 70, 210), np.uint8))
    assert named(blue, "blue")["blue"] is True
    assert named(blue, "green")["blue"] is None
    assert named(blue, "green")["green"] is None
