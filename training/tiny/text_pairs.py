"""Intents that mean two things, of words alone: what the LLM learns of them without images."""

from __future__ import annotations

import random

from training.homereason import names, wording
from training.homereason.knowledge import facts_of
from training.household.taxonomy import Split, category_index, load_categories, purposes
from training.tiny.joint_questions import Target
from training.tiny.text_questions import FACT_SHARE, target_of

# Share of pairs that are two things of one name ("both mugs").
BOTH_SHARE = 0.15
# Share of the others that are two orders ("mute the film and write that down").
ORDER_SHARE = 0.2

Pair = tuple[tuple[Target, Target], str]


def draw_pair(split: Split, rng: random.Random, explicit_share: float) -> Pair:
    """A random intent that means two things, and these (without ids) in its order.

    Args:
        split: whose wordings and phrases.
        rng: draws.
        explicit_share: of the things, 0..1, that are named; the others are meant by a purpose.
    """
    categories = list(load_categories())
    while True:
        first, second = rng.sample(categories, 2)
        if rng.random() < BOTH_SHARE:
            several = names.plural(rng.choice(names.names_of(first)))
            if several is not None:
                both = Target(category_index()[first], ())
                return (both, both), wording.draw(wording.BOTH, split, rng, names=several)
            continue
        if rng.random() < ORDER_SHARE * (1.0 - explicit_share):
            x, b = (_order(one, split, rng) for one in (first, second))
            table = wording.ORDER_AND
        else:
            x, b = (phrase(one, split, rng, explicit_share) for one in (first, second))
            table = wording.AND
        if x and b:
            targets = (target_of(first, x), target_of(second, b))
            return targets, wording.draw(table, split, rng, x=x, b=b)


def phrase(category: str, split: Split, rng: random.Random, explicit_share: float) -> str | None:
    """A name with its article, a plain purpose or a fact of a thing; None where it has no such
    purpose."""
    if rng.random() < explicit_share:
        return names.any_name(category, rng)
    if rng.random() < FACT_SHARE and (facts := facts_of(category)):
        found = list(rng.choice(facts).phrases[split])
    else:
        found = purposes(category, split, "implicit_short")
    plain = [one for one in found if wording.plain(one)]
    return rng.choice(plain) if plain else None


def _order(category: str, split: Split, rng: random.Random) -> str | None:
    found = wording.orders(category, split)
    return rng.choice(found) if found else None
