"""What is known of the categories: facts as sets of categories, and which things rival each other.

A fact has three sets: categories for which it is surely true, those for which it may be true, and
all others, for which it is not. Only the first are answers; the second make a question ambiguous.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from training.household.taxonomy import Split, load_categories

FOLDER = Path(__file__).parent / "taxonomy"
SPLITS: tuple[Split, ...] = ("train", "val", "test")
ASPECTS = (
    "function",
    "taste",
    "danger",
    "user",
    "place",
    "goes_with",
    "time",
    "kind",
    "material",
)
COUNTER = "counter"  # part of the room: rivals tables, is never a target


class KnowledgeError(ValueError):
    """A line of the hand-written knowledge cannot be used; the message names it."""


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One property and whom it holds for.

    Attributes:
        id: stable name, such as ``drink_from``.
        aspect: one of ``ASPECTS``.
        broad: true of many unlike things, so sharing it makes no rivals.
        yes, maybe: category ids; disjoint.
        phrases: noun phrases ("something to drink from") of each split.
        sentences: whole sentences that mean such a thing, of each split; may be empty.
    """

    id: str
    aspect: str
    broad: bool
    yes: frozenset[str]
    maybe: frozenset[str]
    phrases: Mapping[Split, tuple[str, ...]]
    sentences: Mapping[Split, tuple[str, ...]]

    def holds(self, category: str) -> bool | None:
        """True, False, or None where it is open to argument."""
        if category in self.yes:
            return True
        return None if category in self.maybe else False

    def answers(self, present: Collection[str]) -> frozenset[str] | None:
        """The categories that answer for it among those present; None when one is doubtful."""
        if self.maybe.intersection(present):
            return None
        return self.yes.intersection(present)


def parse_facts(values: Mapping[str, Any], known: Collection[str]) -> dict[str, Fact]:
    """Facts by id from the content of ``facts.yaml``.

    Args:
        values: ``sets`` and ``facts``.
        known: all category ids.

    Raises:
        KnowledgeError: an unknown category, set or aspect, or phrases that are missing.
    """
    sets: Mapping[str, list[str]] = values.get("sets", {})
    facts = {}
    for name, raw in values["facts"].items():
        if raw.get("aspect") not in ASPECTS:
            raise KnowledgeError(f"fact {name}: aspect must be one of {', '.join(ASPECTS)}")
        yes = _resolve(raw["surely"], sets, known, f"fact {name}, surely")
        maybe = _resolve(raw.get("maybe", []), sets, known, f"fact {name}, maybe") - yes
        phrases = {split: tuple(raw.get(split, ())) for split in SPLITS}
        for split, found in phrases.items():
            if not found:
                raise KnowledgeError(f"fact {name}: no phrase for {split}; write at least one")
        long = raw.get("long", {})
        facts[name] = Fact(
            id=name,
            aspect=raw["aspect"],
            broad=bool(raw.get("broad", False)),
            yes=yes,
            maybe=maybe,
            phrases=phrases,
            sentences={split: tuple(long.get(split, ())) for split in SPLITS},
        )
    return facts


def parse_rivals(text: str, known: Collection[str]) -> list[frozenset[str]]:
    """Sets of rivals, one a line, tab-separated.

    Raises:
        KnowledgeError: an unknown category, naming the line.
    """
    out = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.startswith("#"):
            where = f"rivals.tsv, line {number}"
            out.append(_resolve(line.rstrip().split("\t"), {}, known, where))
    return out


def _resolve(
    names: list[str], sets: Mapping[str, list[str]], known: Collection[str], where: str
) -> frozenset[str]:
    out: set[str] = set()
    for name in names:
        if name.startswith("$"):
            if name[1:] not in sets:
                raise KnowledgeError(f"{where}: there is no set {name!r}")
            out |= _resolve(sets[name[1:]], sets, known, where)
        elif name in known or name == COUNTER:
            out.add(name)
        else:
            raise KnowledgeError(f"{where}: there is no category {name!r}")
    return frozenset(out)


@cache
def load_facts() -> dict[str, Fact]:
    """All facts by id; read once."""
    values = yaml.safe_load((FOLDER / "facts.yaml").read_text(encoding="utf-8"))
    return parse_facts(values, load_categories())


def facts_of(category: str) -> list[Fact]:
    """Facts that surely hold for a category."""
    return [fact for fact in load_facts().values() if category in fact.yes]


@cache
def _rival_table() -> dict[str, frozenset[str]]:
    table: dict[str, set[str]] = {one: set() for one in (*load_categories(), COUNTER)}
    text = (FOLDER / "rivals.tsv").read_text(encoding="utf-8")
    sets = parse_rivals(text, load_categories())
    groups: dict[str, set[str]] = {}
    for category in load_categories().values():
        if category.group:
            groups.setdefault(category.group, set()).add(category.id)
    for members in (*sets, *groups.values()):
        for one in members:
            table[one] |= members
    for fact in load_facts().values():
        if fact.aspect == "function" and not fact.broad:
            for one in fact.yes:
                table[one] |= fact.yes | fact.maybe
                for other in fact.maybe:
                    table[other].add(one)
    return {one: frozenset(found - {one}) for one, found in table.items()}


def rivals(category: str) -> frozenset[str]:
    """Other categories that a purpose of ``category`` may fit as well; symmetric."""
    return _rival_table()[category]


@cache
def kin(category: str) -> frozenset[str]:
    """Rivals, and all that share any fact with the category, surely or maybe.

    A purpose of an absent category is only called unserved where none of its kin is there:
    stricter than :func:`rivals`, because nobody checks such a question against a picture. Facts
    about the material are left out: they say nothing about purposes.
    """
    out = set(rivals(category))
    for fact in load_facts().values():
        if fact.aspect in ("material", "kind"):
            continue
        if category in fact.yes:
            out |= fact.yes | fact.maybe
        elif category in fact.maybe:
            out |= fact.yes
    return frozenset(out - {category})
