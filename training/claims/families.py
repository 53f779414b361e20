"""Which of the paper's families of training data a question stands for."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from enum import StrEnum

from training.homereason.choose import IMPLICIT
from training.homereason.knowledge import load_facts
from training.homereason.names import names_of, plural
from training.homereason.question import Question


class Family(StrEnum):
    """A kind of training data, as the paper mixes them."""

    SEMANTIC = "semantic"  # by name: ADE20K, COCO-Stuff ...
    REFERRING = "referring"  # a name, and a colour, size or place: refCOCO ...
    REASONING = "reasoning"  # by purpose or situation: ReasonSeg
    OTHER = "other"  # a purpose within another form; in none of the paper's sets


def family_of(question: Question) -> Family:
    """The family of a question of HomeReason's builder.

    Questions for two things, and for things that are not there, count where their wording does:
    names are semantic data, a wrong colour is referring data. A purpose anywhere but in a question
    of the implicit kinds makes it OTHER, so that data without reasoning holds no purpose at all.
    """
    kind, fact = question.kind, question.proof[0]
    if kind in IMPLICIT:
        return Family.REASONING
    if kind == "explicit":
        return Family.SEMANTIC
    if kind == "two_targets":
        named = all(names_a(one, question.text) for one in question.categories)
        return Family.SEMANTIC if named else Family.OTHER
    if kind == "nothing_fits":
        if fact.startswith("fact ") or fact.endswith("nor its kin"):
            return Family.OTHER
        return Family.SEMANTIC if fact.endswith("in the scene") else Family.REFERRING
    return Family.OTHER if subject(question) in load_facts() else Family.REFERRING


def subject(question: Question) -> str:
    """What the words of an attribute or a relation fit: a category, a fact, or "on SURFACE"."""
    return question.proof[0].split(":")[0]


def names_a(category: str, text: str) -> bool:
    """Does a text hold one of the category's names, in singular or plural, as whole words?"""
    found = {form for name in names_of(category) for form in (name, plural(name)) if form}
    return any(re.search(rf"(?<!\w){re.escape(form)}(?!\w)", text, re.IGNORECASE) for form in found)


def keeps(families: Collection[Family]) -> Callable[[Question], bool]:
    """A filter of a question store that keeps these families."""
    wanted = frozenset(families)
    return lambda question: family_of(question) in wanted
