"""Targets that leave over the image's border: what is left of them is kept, what stays is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fake_eyes import FakeEyes, Thing, drawn, picture

from lisa_model.follow import Follower
from lisa_model.follow_border import is_rest
from lisa_model.follow_target import FollowConfig, Sight, Target

CONFIG = FollowConfig(reask_every_s=None, reask_when_lost=False)
# Positions of a thing that is 20 pixels wide, and what is left of its meaning.
LEAVING = {8: 0.6, 4: 0.6, 0: 0.4, -4: 0.2, -8: 0.08, -12: 0.02, -16: 0.01}


def at(x: int, **facts) -> Thing:
    return Thing((x, 50, x + 20, 66), **facts)


def mask(x0: int, x1: int) -> np.ndarray:
    return drawn(Thing((x0, 50, x1, 66)), picture(0))


def follow(world: list[list[Thing]]):
    follower = Follower(segmenter=FakeEyes(world), config=CONFIG)
    follower.ask(picture(0), "the thing", 0.0)
    results = [follower.update(picture(k), k * 0.1) for k in range(1, len(world))]
    return [result.targets[0] for result in results]


def test_a_rest_lies_where_the_thing_was_and_is_no_larger():
    assert is_rest(mask(0, 12), mask(0, 20))
    assert is_rest(mask(0, 22), mask(0, 20)), "masks have errors"
    assert not is_rest(mask(0, 30), mask(0, 20))
    assert not is_rest(mask(30, 40), mask(0, 20))
    assert not is_rest(mask(0, 12)[:60], mask(0, 20)), "an image of another size"


def test_what_is_left_at_the_border_is_kept_until_it_has_left():
    gone = 6
    seen = follow([[at(x, presence=p)] for x, p in LEAVING.items()] + [[]] * gone)
    visible, away = seen[:-gone], seen[-gone:]
    assert all(target.mask.any() for target in visible)
    assert {str(target.state) for target in visible} == {"tracking"}
    assert str(away[CONFIG.frames_until_lost - 1].state) == "lost"
    assert not any(target.mask.any() for target in away)


def test_within_the_image_nothing_excuses_that_a_target_means_less():
    """As above, but the thing only turns into something else, away from the border."""
    seen = follow([[at(40, presence=p)] for p in LEAVING.values()] + [[at(40, presence=0.01)]] * 4)
    assert str(seen[-1].state) == "lost"


@pytest.mark.parametrize("stranger", [(0, 50, 40, 90), (22, 50, 42, 66), (0, 70, 10, 90)])
def test_what_stands_beside_a_target_that_has_left_is_not_kept(stranger):
    """It answers to the query and means as much as the last rest of the target did."""
    beside = Thing(stranger, presence=0.01)
    leaving = [[at(x, presence=p)] for x, p in LEAVING.items()]
    seen = follow(leaving + [[beside]] * 6)
    assert str(seen[len(leaving) - 1 + 4].state) == "lost", "within five frames"
    assert not any(target.mask.any() for target in seen[len(leaving) - 1 :])


def sight(x0: int, x1: int, presence: float) -> Sight:
    return Sight(mask(x0, x1), 1.0, np.eye(4, dtype=np.float32)[0], presence)


def test_no_rest_is_followed_of_what_was_only_thought_to_be_the_target():
    """A doubtful mask that came from elsewhere: what is left of it proves nothing."""
    whole, rest = sight(4, 24, 0.6), sight(0, 12, 0.02)
    target = Target(1, np.zeros(4, np.float32), whole.appearance, whole)
    target.see(sight(0, 20, 0.07), CONFIG)  # in doubt, but where the target was
    assert target.leaves(rest, CONFIG)
    assert target.confidence(rest, CONFIG) < CONFIG.lost_below, "what is known does not change"
    other = Target(1, np.zeros(4, np.float32), whole.appearance, replace(whole, mask=mask(60, 80)))
    other.see(sight(0, 20, 0.07), CONFIG)
    assert not other.leaves(rest, CONFIG)
    for _ in range(CONFIG.frames_until_lost):
        assert not other.leaves(sight(0, 12, 0.1), CONFIG)
        other.see(sight(0, 20, 0.6), CONFIG)
    assert other.leaves(sight(0, 12, 0.1), CONFIG), "it is surely the target"


def test_after_a_miss_only_the_whole_counts():
    whole, rest = sight(0, 20, 0.6), sight(0, 16, 0.02)
    target = Target(1, np.zeros(4, np.float32), whole.appearance, whole)
    target.see(sight(0, 18, 0.07), CONFIG)
    assert target.leaves(rest, CONFIG)
    target.miss(CONFIG)
    assert not target.leaves(rest, CONFIG)


def test_what_slides_out_is_in_doubt_so_that_a_surer_mask_elsewhere_is_found():
    """What was kept at the border is something else after all; the target stands elsewhere."""
    leaving = [[at(x, presence=p)] for x, p in LEAVING.items()]
    stays = leaving[-1][0]
    seen = follow(leaving + [[stays, Thing((100, 20, 120, 36), presence=0.6, score=0.95)]] * 12)
    assert seen[-1].mask[25, 110]
    assert str(seen[len(leaving) - 1].state) == "tracking"
