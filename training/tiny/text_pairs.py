"""Intents that mean two things, of words alone: what the LLM learns of them without images."""

from __future__ import annotations

import random

from training.homereason import names, wording
from training.household.taxonomy import Split, load_categories, purposes

# Share of pairs that are two things of one name ("both mugs").
BOTH_SHARE = 0.15
# Share of the others that are two orders ("mute the film and write that down").
ORDER_SHARE = 0.2

Pair = tuple[tuple[int, int], str]


def draw_pair(split: Split, rng: random.Random, explicit_share: float) -> Pair:
    """A random intent that means two things, and their taxonomy indices in its order.

    Args:
        split: whose wordings and phrases.
        rng: draws.
        explicit_share: of the things, 0..1, that are named; the others are meant by a purpose.
    """
    categories = list(load_categories())
    while True:
        first, second = rng.sample(range(len(categories)), 2)
        if rng.random() < BOTH_SHARE:
            several = names.plural(rng.choice(names.names_of(categories[first])))
            if several is not None:
                return (first, first), wording.draw(wording.BOTH, split, rng, names=several)
        elif rng.random() < ORDER_SHARE * (1.0 - explicit_share):
            x, b = (_order(categories[k], split, rng) for k in (first, second))
            if x and b:
                return (first, second), wording.draw(wording.ORDER_AND, split, rng, x=x, b=b)
        else:
            x, b = (phrase(categories[k], split, rng, explicit_share) for k in (first, second))
            if x and b:
                return (first, second), wording.draw(wording.AND, split, rng, x=x, b=b)


def phrase(category: str, split: Split, rng: random.Random, explicit_share: float) -> str | None:
    """A name with its article or a plain purpose of a thing; None where it has no such purpose."""
    if rng.random() < explicit_share:
        return names.any_name(category, rng)
    found = [one for one in purposes(category, split, "implicit_short") if wording.plain(one)]
    return rng.choice(found) if found else None


def _order(category: str, split: Split, rng: random.Random) -> str | None:
    found = wording.orders(category, split)
    return rng.choice(found) if found else None
