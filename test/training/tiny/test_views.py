import random

import pytest
import torch
from cached_frame import cached_frame
from random_names import random_names

from training.household.taxonomy import load_categories
from training.tiny.views import ALIKE, ViewStore, draw_absent

CATEGORIES = load_categories()
SHOWN = {"mug", "fork"}


@pytest.fixture(scope="module")
def names():
    return random_names(64)


def test_what_is_absent_is_neither_shown_nor_of_a_shown_group(names):
    rng = random.Random(0)
    assert CATEGORIES["mug"].group, "the test needs a category with a group"
    drawn = {draw_absent(SHOWN, names, rng) for _ in range(2000)}
    assert not drawn & SHOWN
    assert all(CATEGORIES[one].group != CATEGORIES["mug"].group for one in drawn)


def test_half_of_what_is_absent_could_be_mistaken(names):
    rng = random.Random(0)
    order = list(CATEGORIES)
    rows = torch.stack([names[order.index(one)] for one in sorted(SHOWN)])
    near = {order[int(k)] for k in (names @ rows.T).topk(ALIKE, dim=0).indices.flatten()}
    share = sum(draw_absent(SHOWN, names, rng) in near for _ in range(2000)) / 2000
    assert 0.5 < share < 0.7


def test_a_frame_without_things_lacks_everything(names):
    rng = random.Random(0)
    assert len({draw_absent(set(), names, rng) for _ in range(3000)}) == len(CATEGORIES)


def test_where_everything_is_shown_nothing_is_absent(names):
    assert draw_absent(set(CATEGORIES), names, random.Random(0)) is None


def batches(folder, names, *, anything=0, second_mug=False):
    cached_frame(folder, second_mug=second_mug)
    store = ViewStore(folder=folder)
    return store.batches(
        views=1, questions=5, anything=anything, absent=0.0, names=names, rng=random.Random(0)
    )


def test_a_thing_is_asked_for_by_name_and_by_a_click_alone(tmp_path, names):
    seen = next(batches(tmp_path, names, anything=1))
    assert seen.generic.tolist() == [False] * (len(seen.generic) - 1) + [True]
    assert seen.owner.tolist() == [0] * len(seen.generic)
    assert bool((seen.target.flatten(1).sum(1) > 0).all())
    torch.testing.assert_close(seen.kind, seen.target)


def test_one_of_two_alike_is_meant_and_both_are_of_its_kind(tmp_path, names):
    drawn = batches(tmp_path, names, second_mug=True)
    areas = set()
    for _ in range(12):
        seen = next(drawn)
        assert seen.category.tolist() == [list(CATEGORIES).index("mug")]
        areas.add(round(float(seen.target.sum())))
        assert float(seen.kind.sum()) > float(seen.target.sum())
    assert len(areas) == 2
