import random
import re

import pytest
from homereason_scenes import scene, thing

from lisa_model.config import SEG_TOKEN
from training.homereason.choose import Balance, candidates, scored_questions, training_questions
from training.homereason.knowledge import kin, load_facts
from training.homereason.question import KINDS, Question, parse_question
from training.homereason.single import meant_once
from training.household.taxonomy import load_categories


def every(view, kind, split="test", seeds=8):
    return [one for k in range(seeds) for one in candidates(view, split, [kind], seed=str(k))[kind]]


TWO_MUGS = scene(
    thing(1, "mug", 0.2, colour="red"),
    thing(2, "mug", 0.8, colour="blue", size=0.2),
    thing(3, "laptop", 0.5),
    thing(4, "hammer", 0.5, z=1.6, y=0.3),
)


def test_a_colour_tells_two_mugs_apart():
    found = every(TWO_MUGS, "attribute")
    for one in found:
        if "red" in one.text.split() or "red-coloured" in one.text:
            assert one.targets == ((1,),)
    assert {one.targets for one in found} == {((1,),), ((2,),)}
    same = scene(thing(1, "mug", colour="red"), thing(2, "mug", 0.8, colour="red"))
    assert not every(same, "attribute"), "both are red"
    unsure = dict(thing(2, "mug", colour="blue").colours) | {"red": None, "blue": None}
    unsure = scene(thing(1, "mug", colour="red"), thing(2, "mug", 0.8, colours=unsure))
    assert not every(unsure, "attribute"), "the other one may be red"


def test_a_relation_tells_two_mugs_apart():
    found = every(TWO_MUGS, "relation")
    left = [one for one in found if "left of the laptop" in one.text and "mug" in one.text]
    assert left
    assert {one.targets for one in left} == {((1,),)}
    bigger = [one for one in found if "bigger of the two" in one.text]
    assert {one.targets for one in bigger} == {((2,),)}


def test_things_on_a_tray_compete_but_are_not_asked_for_on_the_table():
    table = thing(9, "dining_table", support="floor")
    own = [thing(k, one, x, support_id=9) for k, one, x in
           ((1, "serving_tray", 0.5), (2, "radio", 0.7), (3, "hammer", 0.9))]  # fmt: skip
    cup = thing(4, "mug", 0.1, support="serving_tray", support_id=1)

    def extremes(*things):
        found = every(scene(table, *things), "relation", seeds=20)
        return {(one.proof[1], one.ids) for one in found if one.proof[0].startswith("on dining")}

    assert ("right_of", (3,)) in extremes(*own)
    assert ("left_of", (1,)) in extremes(*own)
    with_cup = extremes(*own, cup)
    assert ("right_of", (3,)) in with_cup
    assert not any(ids == (4,) for _, ids in with_cup)
    assert ("left_of", (1,)) not in with_cup


def test_things_that_are_there_twice_are_not_named_alone():
    for kind in ("explicit", "implicit_short", "implicit_long", "imperative"):
        assert not {1, 2} & {k for one in every(TWO_MUGS, kind) for k in one.ids}


def test_a_rival_forbids_the_purpose():
    alone = scene(thing(1, "mug"), thing(2, "radio", 0.8))
    assert {one.category for one in meant_once(alone)} == {"mug", "radio"}
    beside = scene(thing(1, "mug"), thing(2, "drinking_glass", 0.8))
    assert not meant_once(beside)
    small = scene(thing(1, "mug"), thing(2, "drinking_glass", 0.8, area=50.0, clear=False))
    assert not meant_once(small), "too small to be asked for, but there"


def test_two_targets_keep_the_order_of_the_question():
    view = scene(thing(1, "hammer"), thing(2, "radio", 0.8))
    named = [one for one in every(view, "two_targets", seeds=30) if "the hammer" in one.text
             and "the radio" in one.text]  # fmt: skip
    assert {one.targets for one in named} == {((1,), (2,)), ((2,), (1,))}
    for one in named:
        first = one.text.index("the hammer") < one.text.index("the radio")
        assert one.targets == (((1,), (2,)) if first else ((2,), (1,)))
        assert one.answer == f"They are {SEG_TOKEN} and {SEG_TOKEN}."
    both = [one for one in every(TWO_MUGS, "two_targets") if set(one.ids) == {1, 2}]
    assert any("mugs" in one.text for one in both)


def test_what_does_not_fit_is_not_there_even_hidden():
    view = scene(thing(1, "hammer", colour="red"), thing(2, "radio", 0.8), hidden=("cat", "mug"))
    found = every(view, "nothing_fits", seeds=40)
    assert found
    for one in found:
        assert not one.targets
        assert SEG_TOKEN not in one.answer
        (category,) = one.categories
        if category == "hammer":
            assert not re.search(r"\bred\b", one.text), "it is red"
        elif one.proof[0].startswith("fact"):
            fact = load_facts()[one.proof[0].split()[1]]
            assert view.present.isdisjoint(fact.yes | fact.maybe)
        else:
            assert category not in view.present
            assert view.present.isdisjoint(kin(category))
    assert not {"cat", "dog", "mug", "drinking_glass"} & {one.categories[0] for one in found}


def test_a_wrong_colour_needs_that_nothing_alike_is_hidden():
    seen = (thing(1, "hammer", colour="red"), thing(2, "radio", 0.8))
    plain = every(scene(*seen), "nothing_fits")
    assert any(one.categories == ("hammer",) for one in plain)
    hidden = every(scene(*seen, hidden=("saw",)), "nothing_fits")
    assert not any(one.categories == ("hammer",) for one in hidden)


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_questions_depend_on_frame_and_split_only(split):
    assert candidates(TWO_MUGS, split) == candidates(TWO_MUGS, split)
    random.seed(1)
    assert candidates(TWO_MUGS, split) == candidates(TWO_MUGS, split)
    if split != "train":
        first = scored_questions(TWO_MUGS, split, Balance())
        assert first == scored_questions(TWO_MUGS, split, Balance())
        assert {one.subset for one in first} >= {"a", "c", "d", "e", "f"}
    else:
        assert training_questions(TWO_MUGS) == training_questions(TWO_MUGS)
        assert training_questions(TWO_MUGS) != training_questions(TWO_MUGS, seed="1")


def test_only_unseen_models_are_asked_for_in_subset_b():
    view = scene(thing(1, "hammer", model="A"), thing(2, "radio", 0.8, model="B"))
    found = scored_questions(view, "test", Balance(), unseen={"B"})
    assert found
    assert {one.subset for one in found} == {"b"}
    assert {one.ids for one in found} == {(2,)}


def test_a_question_survives_its_file_and_checks_itself():
    one = training_questions(TWO_MUGS)[0]
    assert parse_question(one.as_dict()) == one
    with pytest.raises(ValueError, match="no field 'answer'"):
        parse_question({k: v for k, v in one.as_dict().items() if k != "answer"})
    with pytest.raises(ValueError, match="kind must be"):
        Question(frame="f", kind="x", text="", targets=(), categories=(), answer="", proof=())
    with pytest.raises(ValueError, match="must have 1"):
        Question(frame="f", kind="explicit", text="", targets=((1,),), categories=("mug",),
                 answer="No.", proof=())  # fmt: skip


def test_every_kind_can_be_made():
    view = scene(*TWO_MUGS.things, *(thing(10 + k, one, 0.1 * k, z=2.0 + k) for k, one in
                                     enumerate(("radio", "cat", "salt_shaker"))))  # fmt: skip
    found = candidates(view, "test")
    assert set(found) == set(KINDS)
    assert all(found[kind] for kind in KINDS)
    for one in (question for some in found.values() for question in some):
        assert set(one.categories) <= set(load_categories())
