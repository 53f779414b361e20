"""Intents for two things, and what the text stage learns of them."""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest

from lisa_model.base_weights import ensure_base_weights
from lisa_model.config import preset
from lisa_model.language import Vocabulary
from training.homereason import names, wording
from training.homereason.knowledge import facts_of
from training.homereason.question import named_answer
from training.household.taxonomy import load_categories, purposes
from training.tiny.packing import pack_question
from training.tiny.stage_text import answer_vocabulary
from training.tiny.text_pairs import draw_pair

CATEGORIES = list(load_categories())


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary.load(ensure_base_weights(preset("lisa-tiny").llm))


def said_of(category: int) -> set[str]:
    """All that may stand for a thing in a training pair."""
    one = CATEGORIES[category]
    found = {names.the(name) for name in names.names_of(one)}
    for kind in ("implicit_short", "imperative"):
        found |= set(purposes(one, "train", kind))
    for fact in facts_of(one):
        found |= set(fact.phrases["train"])
    return found


def draw(*how) -> tuple[tuple[int, int], str]:
    (first, second), text = draw_pair(*how)
    return (first.category, second.category), text


def test_each_thing_is_meant_in_its_place() -> None:
    rng = random.Random(0)
    twice = 0
    for _ in range(300):
        (first, second), text = draw("train", rng, 0.5)
        if first == second:
            twice += 1
            several = {names.plural(name) for name in names.names_of(CATEGORIES[first])} - {None}
            assert any(one in text for one in several)
            continue
        lower = text.lower()
        begins = [
            [lower.find(one.lower()) for one in said_of(k) if one.lower() in lower]
            for k in (first, second)
        ]
        assert min(begins[0]) < max(begins[1])
    assert 20 < twice < 80


def test_only_names_where_purposes_are_left_out() -> None:
    rng = random.Random(0)
    for _ in range(200):
        (first, second), text = draw("train", rng, 1.0)
        if first != second:
            named = [{names.the(n) for n in names.names_of(CATEGORIES[k])} for k in (first, second)]
            assert all(any(name.lower() in text.lower() for name in one) for one in named)


def test_wordings_are_of_the_split() -> None:
    rng = random.Random(0)
    begins = tuple(one.split("{")[0] for one in (*wording.AND["val"], *wording.BOTH["val"]))
    drawn = [draw_pair("val", rng, 1.0)[1] for _ in range(50)]
    assert all(text.startswith(begins) for text in drawn)


def test_both_seg_are_predicted_where_the_answer_holds_them(vocabulary: Vocabulary) -> None:
    answer = named_answer(["mug", "wine bottle"])
    assert answer == "They are [SEG] and [SEG], the mug and the wine bottle."
    model = SimpleNamespace(vocabulary=vocabulary)
    packed = pack_question(model, "the mug and the bottle", answer, True)
    assert [packed.ids[at + 1] for at in packed.segs] == [vocabulary.seg] * 2
    assert packed.ids.count(vocabulary.seg) == 2
    assert packed.ids[packed.answer_start] == vocabulary.encode_answer(answer)[0]
    assert packed.ids[packed.segs[0] + 2] == vocabulary.conjunction
    assert set(vocabulary.encode_answer(answer)) <= set(answer_vocabulary(vocabulary).tolist())
    # Cut where its last [SEG] is predicted.
    short = pack_question(model, "the mug and the bottle", answer, False)
    assert short.ids == packed.ids[: packed.segs[1] + 1]
    assert short.segs == packed.segs
