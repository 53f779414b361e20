from __future__ import annotations

import random

import pytest

from lisa_model.llava import templates
from training.data import wording


def many(make, draws=200):
    return {make(random.Random(k)) for k in range(draws)}


def test_all_short_templates_are_used_in_lower_case():
    turns = many(lambda rng: wording.short("The Mug", rng))
    expected = {f"<image>\n{q.format(class_name='the mug')}" for q in templates.SHORT_QUESTIONS}
    assert {question for question, _ in turns} == expected
    assert {answer for _, answer in turns} == set(templates.ANSWERS)


def test_all_long_templates_are_used_as_written():
    turns = many(lambda rng: wording.long("What keeps Coffee warm?", rng))
    expected = {
        f"<image>\n{q.format(sent='What keeps Coffee warm?')}" for q in templates.LONG_QUESTIONS
    }
    assert {question for question, _ in turns} == expected


@pytest.mark.parametrize("count", [2, 3])
def test_several_targets_have_a_seg_each(count):
    names = ["the fried food", "the food with most protein", "the cup"][:count]
    turns = many(lambda rng: wording.several(names, rng), 400)
    assert all(answer.count("[SEG]") == count for _, answer in turns)
    assert {question for question, _ in turns} == {
        f"<image>\n{q.format(targets=wording.listed(names))}" for q in templates.SEVERAL_QUESTIONS
    }
    assert len({answer for _, answer in turns}) == len(templates.SEVERAL_ANSWERS)


def test_two_targets_may_be_answered_with_they_are():
    answers = {answer for _, answer in many(lambda rng: wording.several(["a", "b"], rng))}
    assert "Sure, they are [SEG] and [SEG]." in answers


def test_a_false_premise_is_named_and_gets_no_seg():
    turns = many(lambda rng: wording.false_premise("The Elephant", rng))
    assert len({answer for _, answer in turns}) == len(templates.FALSE_PREMISE_ANSWERS)
    assert all("the elephant" in answer and "[SEG]" not in answer for _, answer in turns)
    assert all("the elephant" in question for question, _ in turns)


def test_a_sentence_may_have_several_targets():
    turns = many(lambda rng: wording.long("Show me the cup and the lid.", rng, 2))
    assert {answer.count("[SEG]") for _, answer in turns} == {2}


def test_explanations():
    turns = many(lambda rng: wording.explained("Why the lid?", "It keeps dust out.", rng))
    assert {question for question, _ in turns} == {
        f"<image>\nWhy the lid? {one}" for one in templates.EXPLANATORY_QUESTIONS
    }
    assert {answer for _, answer in turns} == {
        f"{one} It keeps dust out." for one in templates.ANSWERS
    }
    assert wording.in_words("Why?", "Dust.") == ("<image>\nWhy?", "Dust.")


@pytest.mark.parametrize(
    ("parts", "text"),
    [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")],
)
def test_lists_in_words(parts, text):
    assert wording.listed(parts) == text
