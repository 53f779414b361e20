"""Relations of words alone: the text says what the target says."""

import random

import pytest

from training.homereason import names, wording
from training.homereason.knowledge import COUNTER
from training.household.taxonomy import load_categories
from training.tiny.joint_questions import PULLS
from training.tiny.text_relations import draw_relation
from training.tiny.tints import TINTS

CATEGORIES = list(load_categories())


def drawn(split="train", count=400, explicit_share=0.5):
    rng = random.Random(0)
    return [draw_relation(split, rng, explicit_share) for _ in range(count)]


def test_all_relations_and_directions_occur():
    found = drawn(count=1500)
    assert {target.pull for target, _ in found} == {*PULLS.values(), None}
    generic = sum(target.generic for target, _ in found) / len(found)
    assert 0.4 < generic < 0.5
    assert all(target.ids == () for target, _ in found)


def test_anchors_are_named_and_are_not_the_thing_itself():
    for target, text in drawn():
        for slot, one in enumerate(target.anchors):
            if one < 0:
                continue
            known = names.names_of(CATEGORIES[one])
            assert any(name in text.lower() or name in text for name in known), (text, known)
            assert target.generic or one != target.category
            assert slot == 0 or target.generic or target.pull == PULLS["between"]


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_named_thing_is_in_the_text(split):
    for target, text in drawn(split, explicit_share=1.0):
        if not target.generic:
            known = names.names_of(CATEGORIES[target.category])
            several = [names.plural(name) or name for name in known]
            assert any(name in text for name in (*known, *several)), (text, known)


def test_on_a_surface_any_thing_will_do():
    generic = [(target, text) for target, text in drawn() if target.generic]
    supports = [one.id for one in load_categories().values() if one.role == "support"]
    told = [name for one in (COUNTER, *supports) for name in names.names_of(one)]
    assert all(any(name in text for name in told) for _, text in generic)


def test_colours_are_named_and_told_apart():
    coloured = [(target, text) for target, text in drawn(count=1500) if target.tint is not None]
    assert 0.08 < len(coloured) / 1500 < 0.16
    assert {target.tint for target, _ in coloured} == set(TINTS.values())
    names_of = {tint: name for name, tint in TINTS.items()}
    assert all(names_of[target.tint] in text for target, text in coloured)
    assert all(target.pull is None and not target.generic for target, _ in coloured)


def test_left_and_right_are_worded_apart():
    left = {text for target, text in drawn(count=1500) if target.pull == PULLS["left_of"]}
    right = {text for target, text in drawn(count=1500) if target.pull == PULLS["right_of"]}
    assert left
    assert right
    assert not left & right


def test_the_splits_share_no_wording():
    for table in (wording.PAIR, wording.AMONG, wording.SURFACE):
        for splits in table.values():
            assert not set(splits["train"]) & set(splits["val"])
