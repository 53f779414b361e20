"""Dealing: equally often, groups respected, what comes first comes first."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from training.household.categories import read_categories
from training.household.render.dealing import Dealer, Deck
from training.household.render.overrides import ON_SUPPORT

CATEGORIES = read_categories()
SMALL = [c.id for c in CATEGORIES.values() if c.role == "small"]
FLOOR = [c.id for c in CATEGORIES.values() if c.role == "floor"]


def test_deck_keeps_skipped_cards() -> None:
    deck = Deck(["a", "b"], random.Random(0))
    groups = {"a": "g", "b": "g"}
    first = deck.deal(1, groups, pairs=0) + deck.deal(1, groups, pairs=0)
    assert sorted(first) == ["a", "b"]
    assert len(deck.deal(2, groups, pairs=0)) == 1


def test_a_deck_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one item"):
        Deck([], random.Random(0))


@pytest.mark.parametrize(("role", "ids"), [("small", SMALL), ("floor", FLOOR)])
def test_all_of_a_role_come_up_equally_often_but_what_stands_on_furniture(
    role: str, ids: list[str]
) -> None:
    dealer = Dealer(CATEGORIES, random.Random(1))
    counts = Counter(c for _ in range(300) for c in dealer.deal(role, 5, pairs=1))
    assert set(counts) == set(ids) - ON_SUPPORT
    assert max(counts.values()) - min(counts.values()) <= 2


def test_what_comes_first_fills_all_but_a_fifth() -> None:
    first = SMALL[:20]
    dealer = Dealer(CATEGORIES, random.Random(2), first=first)
    for _ in range(30):
        dealt = dealer.deal("small", 10, pairs=10)
        assert len(set(dealt)) == 10
        assert sum(c in first for c in dealt) == 8


@pytest.mark.parametrize("role", ["small", "floor"])
def test_a_role_without_categories_is_refused(role: str) -> None:
    rest = {k: c for k, c in CATEGORIES.items() if c.role != role}
    with pytest.raises(ValueError, match=f"no category of role '{role}'"):
        Dealer(rest, random.Random(0))
