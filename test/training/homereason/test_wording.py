import itertools
import random
import re

import pytest

from training.homereason import names, wording
from training.homereason.knowledge import SPLITS, load_facts
from training.homereason.small_talk import turns


def words(text):
    return " ".join(re.findall(r"[a-z0-9{}']+", text.lower()))


@pytest.mark.parametrize("name", wording.ALL)
def test_no_wording_is_shared_between_splits(name):
    found = {split: {words(one) for one in wording.ALL[name][split]} for split in SPLITS}
    for first, second in itertools.combinations(SPLITS, 2):
        assert not (found[first] & found[second]) - {words(one) for one in wording.BARE}
    assert all(found.values()), "every split has a wording"


def test_no_wording_occurs_in_a_table_of_another_split():
    seen = {}
    for table, split in itertools.product(wording.ALL.values(), SPLITS):
        for one in table[split]:
            if one not in wording.BARE and one not in ("{x} and {b}",):
                assert seen.setdefault(words(one), split) == split, one


def test_no_phrase_or_sentence_of_a_fact_is_shared_between_splits():
    seen = {}
    for fact, split in itertools.product(load_facts().values(), SPLITS):
        for text in (*fact.phrases[split], *fact.sentences[split]):
            assert seen.setdefault(words(text), split) == split, text


def test_small_talk_is_split_and_large_enough():
    found = {split: {words(text) for text, _ in turns(split)} for split in SPLITS}
    assert sum(map(len, found.values())) >= 150
    for first, second in itertools.combinations(SPLITS, 2):
        assert not found[first] & found[second]


@pytest.mark.parametrize(
    ("name", "article", "verb"),
    [
        ("mug", "a mug", "is"),
        ("electric kettle", "an electric kettle", "is"),
        ("scissors", "some scissors", "are"),
        ("pair of scissors", "a pair of scissors", "is"),
        ("drinking glass", "a drinking glass", "is"),
        ("milk", "some milk", "is"),
        ("utensil holder", "a utensil holder", "is"),
        ("cactus", "a cactus", "is"),
    ],
)
def test_articles_and_verbs(name, article, verb):
    assert names.a(name) == article
    assert names.are(name) == verb


def test_plurals():
    assert names.plural("knife") == "knives"
    assert names.plural("drinking glass") == "drinking glasses"
    assert names.plural("bottle of wine") is None
    assert names.plural("scissors") is None


def test_a_name_that_may_mean_another_thing_is_not_used():
    assert names.clear_names("mug", {"mug", "book"}) == ["mug", "coffee mug", "cup"]
    assert "cup" not in names.clear_names("mug", {"mug", "plastic_cup"})
    assert "table" not in names.clear_names("dining_table", {"dining_table", "coffee_table"})


def test_a_clause_is_closed_by_one_comma():
    rng = random.Random(0)
    pair = {"train": ("{x} left of {b}",), "val": ("{x}, left of {b}",), "test": ("{x} by {b}",)}
    said = [wording.related(pair, s, rng, "something to eat", True, b="the mug") for s in SPLITS]
    assert said[:2] == ["something to eat, left of the mug"] * 2
    assert wording.related(pair, "train", rng, "the bowl", False, b="x") == "the bowl left of x"
