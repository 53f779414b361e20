"""What else the words of an intent fit: things that they mean just as well, and things nearly so.

"Something a handyman works with" is a hammer where a hammer is and a saw where a saw is. Taught one
of them at a time, a small LLM would be sure of one and rule out the others, and the picture could
not make it think again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from training.homereason import names
from training.homereason.knowledge import Fact, facts_of, load_facts, rivals
from training.household.taxonomy import category_index

# Share of the words' meaning that goes to what they nearly fit.
NEAR_SHARE = 0.1
# Of proofs: the fact that they rest on.
_FACT = re.compile(r"(?:fact )?(\w+):")


@dataclass(frozen=True)
class Reading:
    """Other things, as taxonomy indices.

    Attributes:
        also: what the words fit as well as the thing that is meant.
        near: what they nearly fit, or may.
    """

    also: tuple[int, ...] = ()
    near: tuple[int, ...] = ()


NOTHING_ELSE = Reading()


def reading(category: str, text: str, proof: Sequence[str] = ()) -> Reading:
    """What else the words of an intent fit, beside ``category``.

    Args:
        category: of the thing that is meant.
        text: the intent, or the part of it that means the thing.
        proof: of the question, where there is one.
    """
    facts = _proven(category, proof)
    if not facts and _names(category).search(text):
        return NOTHING_ELSE
    if facts := facts or _told(category, text):
        yes = frozenset.intersection(*(fact.yes for fact in facts))
        maybe = frozenset.union(*(fact.yes | fact.maybe for fact in facts))
        return Reading(_indices(yes - {category}), _indices(maybe - yes))
    return Reading((), _indices(rivals(category)))


def meant_shares(category: Sequence[int], others: Sequence[Reading], count: int) -> Tensor:
    """What words mean, (n, count): shares of the categories that sum to one in each row.

    Args:
        category: n taxonomy indices of what is meant.
        others: n, what else the words fit.
        count: categories.
    """
    shares = torch.zeros(len(category), count)
    for row, index, other in zip(shares, category, others, strict=True):
        fit = [index, *other.also]
        near = NEAR_SHARE if other.near else 0.0
        row[fit] = (1.0 - near) / len(fit)
        row[list(other.near)] = near / max(1, len(other.near))
    return shares


def _proven(category: str, proof: Sequence[str]) -> list[Fact]:
    named = (found[1] for line in proof if (found := _FACT.match(line)))
    facts = (load_facts().get(name) for name in named)
    return [fact for fact in facts if fact is not None and category in fact.yes]


def _told(category: str, text: str) -> list[Fact]:
    said = text.lower()
    return [fact for fact in facts_of(category) if any(one in said for one in _wordings(fact.id))]


@cache
def _wordings(fact: str) -> list[str]:
    """Of a fact, in lower case."""
    of = load_facts()[fact]
    tables = (*of.phrases.values(), *of.sentences.values())
    return [one.lower() for table in tables for one in table]


@cache
def _names(category: str) -> re.Pattern[str]:
    """Finds a name of the category, or several of its name, as words of their own."""
    found = "|".join(re.escape(one) for one in names.names_of(category))
    return re.compile(rf"\b({found})(e?s)?\b", re.IGNORECASE)


def _indices(categories: frozenset[str]) -> tuple[int, ...]:
    index = category_index()
    # The kitchen counter rivals tables, but is part of the room.
    return tuple(sorted(index[one] for one in categories if one in index))
