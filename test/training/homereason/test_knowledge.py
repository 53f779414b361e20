import pytest

from training.homereason.knowledge import (
    KnowledgeError,
    kin,
    load_facts,
    parse_facts,
    parse_rivals,
    rivals,
)
from training.household.taxonomy import load_categories


def test_a_fact_answers_only_without_a_doubtful_rival():
    fact = load_facts()["drink_from"]
    assert fact.answers({"mug", "book"}) == {"mug"}
    assert fact.answers({"mug", "vase"}) is None, "one may drink from a vase"
    assert fact.answers({"book"}) == frozenset()
    assert fact.holds("mug") is True
    assert fact.holds("vase") is None
    assert fact.holds("book") is False


def test_rivals_are_symmetric_and_part_of_kin():
    for one in load_categories():
        assert one not in rivals(one)
        assert rivals(one) <= kin(one)
        for other in rivals(one):
            assert one in rivals(other), f"{one} and {other}"
    assert "mug" in rivals("drinking_glass")
    assert "counter" in rivals("dining_table")


def test_every_aspect_is_covered():
    aspects = {fact.aspect for fact in load_facts().values()}
    assert aspects == {"function", "taste", "danger", "user", "place", "goes_with", "time", "kind",
                       "material"}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"surely": ["unicorn"]}, "fact f, surely: there is no category 'unicorn'"),
        ({"surely": ["$NONE"]}, "there is no set"),
        ({"aspect": "mood"}, "fact f: aspect must be one of"),
        ({"val": []}, "fact f: no phrase for val"),
    ],
)
def test_a_broken_fact_is_named(change, words):
    good = {"aspect": "taste", "surely": ["mug"], "train": ["a"], "val": ["b"], "test": ["c"]}
    assert parse_facts({"facts": {"f": good}}, {"mug"})
    with pytest.raises(KnowledgeError, match=words.replace("$", r"\$")):
        parse_facts({"facts": {"f": good | change}}, {"mug"})


def test_a_broken_rival_is_named():
    with pytest.raises(KnowledgeError, match="line 2: there is no category 'unicorn'"):
        parse_rivals("# head\nmug\tunicorn\n", {"mug"})
