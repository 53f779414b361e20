import numpy as np
import pytest

from training.homereason.colours import NAMES
from training.tiny.tints import TINTS, tint_of

RED, GREEN, BLUE = np.array([(0.8, 0.1, 0.1), (0.2, 0.8, 0.2), (0.1, 0.2, 0.9)])
WHITE, BLACK = np.full(3, 0.9), np.full(3, 0.1)


@pytest.mark.parametrize(
    ("name", "thing"),
    [("red", RED), ("green", GREEN), ("blue", BLUE), ("white", WHITE), ("black", BLACK)],
)
def test_of_strong_colours_the_named_one_lies_furthest_that_way(name, thing):
    others = [RED, GREEN, BLUE, WHITE, BLACK]
    along = [float(one @ TINTS[name]) for one in others]
    assert max(along) == float(thing @ TINTS[name])
    assert sorted(along)[-2] < max(along)


def test_every_colour_of_the_questions_has_a_direction():
    assert TINTS.keys() == set(NAMES)
    for one in TINTS.values():
        assert np.linalg.norm(one) == pytest.approx(1.0)


def test_proofs_name_colours():
    assert tint_of(("mug: 1, 2", "red: one only")) == TINTS["red"]
    assert tint_of(("mug 1 is blue, not red",)) == TINTS["red"]
    assert tint_of(("no mug in the scene",)) is None
    assert tint_of(("sit: 1, 2", "wooden: one only")) is None
    assert tint_of(("mug: 1, 2", "left_of of these")) is None
    assert tint_of(()) is None
