import itertools
import random
import re

import pytest

from training.household.language import (
    EXPLICIT_WRAPPERS,
    IMPERATIVE_WRAPPERS,
    IMPLICIT,
    SHORT_WRAPPERS,
    askable,
    explicit_intent,
    frame_questions,
    implicit_intent,
)
from training.household.taxonomy import load_categories, load_purposes, purposes

SPLITS = ("train", "val", "test")


def words(text):
    return " ".join(re.findall(r"[a-z0-9']+", text.lower()))


def test_every_category_has_names_models_and_phrases_of_every_kind_and_split():
    categories = load_categories()
    assert len(categories) >= 80
    for category in categories.values():
        assert category.names
        assert category.models
        for split, kind in itertools.product(SPLITS, IMPLICIT):
            assert purposes(category.id, split, kind), f"{category.id} {split} {kind}"
    assert set(load_purposes()) == set(categories)


def test_no_phrase_names_its_thing():
    for category in load_categories().values():
        for split, kind in itertools.product(SPLITS, IMPLICIT):
            for phrase in purposes(category.id, split, kind):
                for name in category.names:
                    assert not re.search(rf"\b{re.escape(name.lower())}\b", phrase.lower()), (
                        f"{category.id}: {phrase!r} says {name!r}"
                    )


def test_no_phrase_or_wrapper_is_shared_between_splits():
    seen = {}
    for category in load_categories().values():
        for split, kind in itertools.product(SPLITS, IMPLICIT):
            for phrase in purposes(category.id, split, kind):
                other = seen.setdefault(words(phrase), split)
                assert other == split, f"{phrase!r} is in {other} and {split}"
    explicit = [set(map(words, EXPLICIT_WRAPPERS[split])) for split in SPLITS]
    assert not explicit[0] & explicit[1]
    assert not explicit[0] & explicit[2]
    for wrappers in (SHORT_WRAPPERS, IMPERATIVE_WRAPPERS):
        train = set(wrappers["train"]) - {"{x}"}
        assert not train & (set(wrappers["val"]) | set(wrappers["test"]))


def test_the_demo_intent_is_a_test_phrase_only():
    assert "change the TV channel" in purposes("tv_remote", "test", "imperative")
    for category, split in itertools.product(load_categories(), ("train", "val")):
        for kind in IMPLICIT:
            for phrase in purposes(category, split, kind):
                assert "change the tv channel" not in words(phrase)


def item(number, category, area=1000):
    return {"id": number, "category": category, "area": area}


def test_ambiguous_things_are_not_asked_for():
    instances = [item(1, "mug"), item(2, "chair"), item(3, "chair"), item(4, "drinking_glass"),
                 item(5, "tv_remote"), item(6, "book", area=20)]  # fmt: skip
    named, meant = askable(instances, min_area=150)
    assert named == [0, 3, 4], "two chairs cannot be told apart by name, a speck is not asked for"
    assert meant == [4], "mug and glass serve the same purposes"


def test_questions_of_a_frame_are_fixed_and_right():
    meta = {"name": "test_1", "instances": [item(1, "mug"), item(5, "tv_remote")]}
    questions = frame_questions(meta, split="test")
    assert questions == frame_questions(meta, split="test")
    assert {q["kind"] for q in questions} == {"explicit", *IMPLICIT}
    for question in questions:
        if question["kind"] != "explicit":
            continue
        names = load_categories()["mug" if question["instances"] == [1] else "tv_remote"].names
        assert any(name in question["intent"] for name in names)


@pytest.mark.parametrize("kind", IMPLICIT)
def test_intents_are_drawn_from_their_split(kind):
    category = load_categories()["tv_remote"]
    for split in SPLITS:
        intent = implicit_intent(category, split, kind, random.Random(3))
        assert any(phrase in intent for phrase in purposes("tv_remote", split, kind))
    assert any(n in explicit_intent(category, "test", random.Random(1)) for n in category.names)
