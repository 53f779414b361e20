import random

import pytest
from homereason_scenes import scene, thing

from training.claims.families import Family, family_of, keeps, names_a
from training.homereason.choose import candidates
from training.homereason.knowledge import load_facts
from training.homereason.question import KINDS
from training.household.taxonomy import load_categories, load_purposes

SCENE = scene(
    thing(1, "mug", 0.1, colour="red"),
    thing(2, "mug", 0.3, colour="blue", size=0.2),
    thing(3, "laptop", 0.5),
    thing(4, "hammer", 0.7, z=1.6, y=0.3, colour="green"),
    thing(5, "radio", 0.9),
)


@pytest.fixture(scope="module")
def questions():
    return [
        one
        for seed in range(12)
        for kind in KINDS
        for one in candidates(SCENE, "train", [kind], seed=str(seed))[kind]
    ]


def purpose_phrases():
    """Every training phrase that means a thing without naming it, in lower case."""
    out = set()
    for splits in load_purposes().values():
        for found in splits.get("train", {}).values():
            out.update(found)
    for fact in load_facts().values():
        out.update((*fact.phrases["train"], *fact.sentences["train"]))
    # Very short ones ("write") are parts of other words.
    return {one.lower() for one in out if len(one) > 8}


def test_data_without_reasoning_holds_no_purpose(questions):
    phrases = purpose_phrases()
    free = [one for one in questions if family_of(one) in (Family.SEMANTIC, Family.REFERRING)]
    kinds = {one.kind for one in free}
    assert kinds == {"explicit", "attribute", "relation", "two_targets", "nothing_fits"}
    for one in free:
        held = [phrase for phrase in phrases if phrase in one.text.lower()]
        assert not held, (one.text, held)


def test_purposes_in_other_forms_are_in_no_family_that_is_trained(questions):
    other = [one for one in questions if family_of(one) is Family.OTHER]
    assert {one.kind for one in other} == {"attribute", "relation", "two_targets", "nothing_fits"}
    for one in other:
        if one.kind in ("attribute", "relation"):
            assert not names_a(one.categories[0], one.text.split(",")[0].split(" of ")[0])


def test_families_by_kind(questions):
    by = {}
    for one in questions:
        by.setdefault(one.kind, set()).add(family_of(one))
    assert by["explicit"] == {Family.SEMANTIC}
    for kind in ("implicit_short", "implicit_long", "imperative"):
        assert by[kind] == {Family.REASONING}
    assert by["two_targets"] == {Family.SEMANTIC, Family.OTHER}
    assert by["nothing_fits"] == {Family.SEMANTIC, Family.REFERRING, Family.OTHER}
    assert by["attribute"] == by["relation"] == {Family.REFERRING, Family.OTHER}


def test_no_fact_is_called_as_a_category_is():
    assert load_facts().keys().isdisjoint(load_categories())


def test_names_are_whole_words():
    assert names_a("mug", "both mugs")
    assert names_a("mug", "The MUG, please")
    assert not names_a("mug", "a smug smile")


def test_filter(questions):
    chosen = random.Random(0).sample(questions, 50)
    keep = keeps([Family.REFERRING])
    assert {keep(one) == (family_of(one) is Family.REFERRING) for one in chosen} == {True}
