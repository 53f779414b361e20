"""The wordings around names, purposes and relations; those of the splits are disjoint.

Placeholders: {the} "the mug", {a} "a mug", {is} "is" or "are", {x} a phrase, {s} a sentence, {b} a
second thing, {c} a third, {at} the surface. The bare phrase ("{x}") is allowed in every split where
the phrases themselves are split.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

import yaml  # type: ignore[import-untyped]

from training.homereason import names
from training.homereason.knowledge import FOLDER, SPLITS
from training.household.taxonomy import Split, purposes

Wordings = Mapping[Split, tuple[str, ...]]


def _load() -> dict[str, Wordings]:
    """All tables.

    Raises:
        ValueError: naming a table that has no wordings for a split.
    """
    path = FOLDER / "wordings.yaml"
    out: dict[str, Wordings] = {}
    for name, table in yaml.safe_load(path.read_text(encoding="utf-8")).items():
        if set(table) != set(SPLITS) or not all(table.values()):
            raise ValueError(f"{path.name}: {name} needs wordings for {', '.join(SPLITS)}")
        out[name] = {split: tuple(table[split]) for split in SPLITS}
    return out


def _group(prefix: str) -> Mapping[str, Wordings]:
    return {
        name.removeprefix(prefix): table for name, table in ALL.items() if name.startswith(prefix)
    }


ALL: Mapping[str, Wordings] = _load()
"""Every table, by name."""
EXPLICIT = ALL["explicit"]
SHORT = ALL["short"]
LONG = ALL["long"]
# Around orders ("mute the film"): all speak to the listener, so that "give me ..." fits, too.
LONG_ORDER = ALL["long_order"]
ORDER = ALL["order"]
BRING = ALL["bring"]
COLOURED = ALL["coloured"]
# x begins with "something ".
COLOURED_PURPOSE = ALL["coloured_purpose"]
MADE_OF = ALL["made_of"]
AND = ALL["and"]
ORDER_AND = ALL["order_and"]
BOTH = ALL["both"]
# x without its "something ": "to drink from".
BOTH_PURPOSE = ALL["both_purpose"]
SIZED = _group("sized_")
# {x} is the thing that is wanted: a name with its article, a phrase, or "the thing".
PAIR = _group("pair_")
# Of all the things on a surface.
SURFACE = _group("surface_")
# Among things of one name or purpose, without a second thing: {x} "the mug" or "something ...".
AMONG = _group("among_")
BARE = frozenset({"{x}", "{s}"})
# How wordings begin that ask to carry the thing.
CARRIED = ("Pick up", "Fetch", "Bring", "Take", "Grab", "Give", "Could I have")


def draw(wordings: Wordings, split: Split, rng: random.Random, **parts: str) -> str:
    """One of the split's wordings, filled in; a sentence begins with a capital letter."""
    text = rng.choice(wordings[split]).format(**parts)
    return text[0].upper() + text[1:] if text.endswith((".", "?", "!")) else text


def explicit(name: str, movable: bool, split: Split, rng: random.Random) -> str:
    """A question for a name. Nobody has a wardrobe brought: ``movable`` allows such orders."""
    table = EXPLICIT if movable else {split: tuple(set_down(EXPLICIT[split]))}
    parts = {"the": names.the(name), "a": names.a(name), "is": names.are(name)}
    return draw(table, split, rng, **parts)


def set_down(wordings: tuple[str, ...]) -> list[str]:
    """Those that do not ask to carry the thing."""
    return [one for one in wordings if not one.startswith(CARRIED)]


def self_contained(order: str) -> bool:
    """Does the order say what it is about ("pour it out" does not)?"""
    return not {"it", "them", "its", "one"} & set(order.lower().replace(",", " ").split())


def orders(category: str, split: Split) -> list[str]:
    """Orders that a category answers and that say what they are about."""
    return [one for one in purposes(category, split, "imperative") if self_contained(one)]


def plain(phrase: str) -> bool:
    """Can a second thing follow? A comma or "and" would blur where it begins."""
    return "," not in phrase and " and " not in phrase and not phrase.startswith("where")


def wrapped(phrase: str, split: Split, rng: random.Random) -> str:
    """A noun phrase, bare or in an order. Others ("where ...", names of sorts) stay bare."""
    if phrase.split()[0] in ("the", "something", "what", "some"):
        return draw(SHORT, split, rng, x=phrase)
    return phrase


def long(sentence: str, split: Split, rng: random.Random) -> str:
    """A situation, told alone or with a question behind it."""
    return sentence if sentence.endswith("?") else draw(LONG, split, rng, s=sentence)


def related(
    wordings: Wordings, split: Split, rng: random.Random, x: str, clause: bool, **parts: str
) -> str:
    """A relation's wording; behind a clause ("something to drink from") stands a comma."""
    text = draw(wordings, split, rng, x="{x}", **parts)
    joined = text.replace("{x}", f"{x}," if clause else x)
    return joined.replace(",,", ",").removesuffix(",")
