"""What lies under a mask, and which failure it is."""

import limit_answers as given
import numpy as np
import pytest

from training.homereason.limits import finding


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return given.write_frame(tmp_path_factory.mktemp("frames"))


MUG = given.question([1], ["mug"])
VAIN = given.question([], ["kettle"])
EMPTY = given.box(0, 0, 0, 0)


@pytest.mark.parametrize(
    ("asked", "mask", "marked", "failure"),
    [
        (MUG, given.on(1), "mug", None),
        (MUG, given.on(1, 0.75), "mug", None),
        (MUG, given.on(1, 0.25), "mug", finding.ROUGH_MASK),
        (MUG, given.on(1, 0.05), "mug", finding.ROUGH_MASK),
        (MUG, given.on(2), "radio", finding.ANOTHER_THING),
        (MUG, given.on(3), "mug", finding.ANOTHER_THING),
        (MUG, given.box(0, 0, 300, 60), finding.BACKGROUND, finding.ON_BACKGROUND),
        # More background than radio under it.
        (MUG, given.box(100, 40, 180, 140), finding.BACKGROUND, finding.ON_BACKGROUND),
        (MUG, EMPTY, None, finding.NOTHING_MARKED),
        (VAIN, given.on(2), "radio", finding.IN_VAIN),
        (VAIN, EMPTY, None, None),
    ],
)
def test_failures(path, asked, mask, marked, failure):
    one = given.answered(path, asked, mask)
    assert (one.marked, one.failure) == (marked, failure)


def test_all_failures_are_explained():
    names = (
        *(finding.NOTHING_MARKED, finding.ANOTHER_THING, finding.ON_BACKGROUND),
        *(finding.ROUGH_MASK, finding.IN_VAIN),
    )
    assert set(finding.FAILURES) == set(names)


def test_area_is_of_640_by_480_and_the_mask_comes_back(path):
    one = given.answered(path, MUG, given.on(1, 0.5))
    assert one.area_px == given.AREA
    np.testing.assert_array_equal(one.mask, given.on(1, 0.5))
    assert one.in_view == ("mug", "radio", "mug")
    assert one.on_target
    assert not given.answered(path, MUG, given.on(3)).on_target
