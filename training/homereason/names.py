"""Names with the right article, number and verb, and names that mean one thing only in a scene."""

from __future__ import annotations

import random
from collections.abc import Collection

from training.homereason.knowledge import COUNTER
from training.household.taxonomy import load_categories

MASS = frozenset(
    ("milk", "bread", "butter", "salt", "cash", "paper money", "sushi", "shampoo", "liquid soap",
     "hand soap", "shower gel", "perfume", "cosmetic cream", "face cream", "luggage",
     "toilet paper", "adhesive tape", "sticky tape", "drinking yogurt", "cleaning spray")
)  # fmt: skip
_IRREGULAR = {"knife": "knives", "shelf": "shelves", "bookshelf": "bookshelves"}
# "An hour" does not occur among the names; "a utensil holder" does.
_CONSONANT_SOUND = ("ut", "us", "un", "eu")


def is_plural(name: str) -> bool:
    """Does the name take "are"? By its head: the word before "of", or the last one."""
    head = name.split(" of ")[0].split(" and ")[0].split()[-1].lower()
    return head.endswith("s") and not head.endswith(("ss", "us", "'s"))


def the(name: str) -> str:
    """With the definite article."""
    return f"the {name}"


def a(name: str) -> str:
    """With the indefinite article, or "some" for plurals and stuff."""
    if is_plural(name) or name in MASS:
        return f"some {name}"
    vowel = name[0].lower() in "aeiou" and not name.lower().startswith(_CONSONANT_SOUND)
    if name.startswith(("MP3", "X-")):
        vowel = True
    return f"{'an' if vowel else 'a'} {name}"


def are(name: str) -> str:
    """The verb."""
    return "are" if is_plural(name) else "is"


def plural(name: str) -> str | None:
    """Of a countable singular name without "of"; None for others."""
    if is_plural(name) or name in MASS or " of " in name or " and " in name:
        return None
    *rest, last = name.split()
    if last in _IRREGULAR:
        last = _IRREGULAR[last]
    elif last.endswith(("s", "x", "ch", "sh")):
        last += "es"
    elif last.endswith("y") and last[-2] not in "aeiou":
        last = last[:-1] + "ies"
    else:
        last += "s"
    return " ".join([*rest, last])


def names_of(category: str) -> tuple[str, ...]:
    """All names, the display name first."""
    return (COUNTER,) if category == COUNTER else load_categories()[category].names


def any_name(category: str, rng: random.Random) -> str:
    """One of all its names, with the definite article."""
    return the(rng.choice(names_of(category)))


def clear_names(category: str, present: Collection[str]) -> list[str]:
    """Names that cannot mean any other thing present ("cup" beside a plastic cup can).

    A name is left out when another present category has a name that it is part of, or that is part
    of it, or that ends in the same word.
    """
    others = [name for one in present if one != category for name in names_of(one)]
    return [name for name in names_of(category) if not any(_alike(name, one) for one in others)]


def pick_name(category: str, present: Collection[str], rng: random.Random) -> str | None:
    """A clear name: every second time the display name; None when none is clear."""
    found = clear_names(category, present)
    if not found:
        return None
    return found[0] if rng.random() < 0.5 else rng.choice(found)


def _alike(first: str, second: str) -> bool:
    one, two = first.lower().split(), second.lower().split()
    return _inside(one, two) or _inside(two, one) or one[-1] == two[-1]


def _inside(part: list[str], whole: list[str]) -> bool:
    return any(whole[k : k + len(part)] == part for k in range(len(whole) - len(part) + 1))
