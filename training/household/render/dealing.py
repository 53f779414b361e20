"""Deals categories to scenes so that each comes up equally often. Pure."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping

from training.household.categories import Category
from training.household.render.overrides import ON_SUPPORT

ROLES = ("small", "floor")


class Deck:
    """Deals items so that each comes up equally often: shuffled rounds, skipped cards stay."""

    def __init__(self, items: list[str], rng: random.Random) -> None:
        """Raises ValueError when ``items`` is empty."""
        if not items:
            raise ValueError("a deck needs at least one item")
        self._items = list(items)
        self._rng = rng
        self._pile: list[str] = []

    def deal(self, wanted: int, groups: Mapping[str, str], *, pairs: int) -> list[str]:
        """Up to ``wanted`` different items, at most ``pairs`` of them sharing a group."""
        chosen: list[str] = []
        used: set[str] = set()
        for _ in range(2):
            kept: list[str] = []
            for item in self._pile:
                group = groups.get(item, "")
                clash = bool(group) and group in used
                if len(chosen) == wanted or item in chosen or (clash and pairs == 0):
                    kept.append(item)
                    continue
                pairs -= clash
                chosen.append(item)
                used.add(group)
            self._pile = kept
            if len(chosen) == wanted:
                break
            fresh = list(self._items)
            self._rng.shuffle(fresh)
            self._pile += fresh
        return chosen


class Dealer:
    """Deals categories by role, each equally often; those of ``first`` before the others."""

    def __init__(
        self,
        categories: Mapping[str, Category],
        rng: random.Random,
        *,
        first: Collection[str] = (),
    ) -> None:
        """Raises ValueError when there is no category of a role."""
        self.categories = categories
        self._groups = {c.id: c.group for c in categories.values()}
        self._rng = rng
        self._decks: dict[str, list[Deck]] = {}
        for role in ROLES:
            ids = [c.id for c in categories.values() if c.role == role and c.id not in ON_SUPPORT]
            if not ids:
                raise ValueError(f"no category of role {role!r} to deal")
            parts = ([c for c in ids if c in first], [c for c in ids if c not in first])
            self._decks[role] = [Deck(part, rng) for part in parts if part]

    def deal(self, role: str, wanted: int, *, pairs: int) -> list[str]:
        """Up to ``wanted`` different categories of a role (one of ``ROLES``).

        Of those dealt from one deck at most ``pairs`` share a group with another.
        """
        decks = self._decks[role]
        # Of a deck that comes first a fifth stays free, so that each scene differs.
        first = wanted if len(decks) == 1 else wanted - wanted // 5
        out = decks[0].deal(first, self._groups, pairs=pairs)
        if len(decks) > 1:
            out += decks[1].deal(wanted - len(out), self._groups, pairs=pairs)
        return out
