from __future__ import annotations

import pytest

from training.data.rephrase.judge import REASONS, judge, lines_of, normal

QUESTION = "What keeps the coffee warm?"
PHRASE = "the thing that lights the desk"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Which object stops the coffee from getting cold?", None),
        ("", "empty"),
        ("?!", "empty"),
        ("Which [SEG] keeps it warm?", "reserved token"),
        ("<image> Which thing keeps it warm?", "reserved token"),
        ("Here are three questions:", "not a paraphrase"),
        ("Sure, which one is it?", "not a paraphrase"),
        ("which " * 30 + "one?", "too long"),
        ("The thermos keeps the coffee warm.", "wrong type"),
        ("what keeps the COFFEE warm ?", "same as the original"),
        ("What keeps that coffee warm?", "too similar"),
        ("What stops coffee from going cold?", "duplicate"),
    ],
)
def test_questions(text, why):
    kept = ["What stops coffee from going cold?"]
    assert judge(text, QUESTION, is_sentence=True, kept=kept) == why
    assert why is None or why in REASONS


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("the source of light on the table", None),
        ("what lights the desk", "wrong type"),
        ("Find the lamp", "wrong type"),
        ("A lamp lights it.", "wrong type"),
        ("the desk's lamp?", "wrong type"),
        ("The Thing That Lights The Desk", "same as the original"),
    ],
)
def test_phrases(text, why):
    assert judge(text, PHRASE, is_sentence=False, kept=[]) == why


def test_a_request_does_not_become_a_question():
    def of(text):
        return judge(text, "Find what is sharp.", is_sentence=True, kept=[])

    assert of("Show me the thing that can cut.") is None
    assert of("What can cut?") == "wrong type"


def test_lines_lose_numbers_bullets_and_quotation_marks():
    answer = '1. One?\n2) "Two?"\n- Three?\n\n(4) **Four?**\n  • “Five?”\n3D glasses'
    expected = ["One?", "Two?", "Three?", "", "Four?", "Five?", "3D glasses"]
    assert lines_of(answer) == expected


def test_wordings_are_compared_by_letters_and_digits():
    assert normal("  It's  2 Cups, “ﬁne” — OK? ") == "it s 2 cups fine ok"
