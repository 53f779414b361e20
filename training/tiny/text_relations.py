"""Intents that a relation decides, of words alone: what the LLM learns of them without images.

"Left" has to reach the state that predicts [SEG], where the name of the thing is. Beside images
that is learnt slowly: few questions a step, and of these few that say "left".
"""

from __future__ import annotations

import random
from dataclasses import replace

from training.homereason import names, wording
from training.homereason.knowledge import COUNTER
from training.homereason.related import OF_FURNITURE, RANKS
from training.household.taxonomy import Split, category_index, load_categories
from training.tiny.joint_questions import PULLS, Target, anchor_slots
from training.tiny.text_pairs import phrase
from training.tiny.text_questions import target_of
from training.tiny.tints import TINTS

# Shares of intents about things on a surface, about things of one kind by themselves, and about
# their colour; the others compare with a second thing.
SURFACE_SHARE = 0.45
AMONG_SHARE = 0.15
COLOUR_SHARE = 0.12
# Relations of things on a surface that name others of them.
COMPARING = (*RANKS, "between")


def draw_relation(split: Split, rng: random.Random, explicit_share: float) -> tuple[Target, str]:
    """A random target without ids, and an intent that a relation decides.

    Args:
        split: whose wordings and phrases.
        rng: draws.
        explicit_share: of the things, 0..1, that are named; the others are meant by a purpose.
    """
    roll = rng.random()
    if roll < SURFACE_SHARE:
        return _on_surface(split, rng)
    if roll > 1.0 - COLOUR_SHARE:
        return _coloured(split, rng, explicit_share)
    table = wording.AMONG if roll < SURFACE_SHARE + AMONG_SHARE else wording.PAIR
    name = rng.choice(sorted(table))
    index = category_index()
    category, x = _meant(split, rng, explicit_share)
    others = [one for one in _with_role("small") if one != category]
    pool = _with_role("support") if name in OF_FURNITURE else others
    used = rng.sample(pool, _compared(name)) if table is wording.PAIR else []
    clause = not x.startswith("the ")
    text = wording.related(table[name], split, rng, x, clause, **_parts(used, rng))
    anchors = anchor_slots([index[one] for one in used])
    target = replace(target_of(category, x), anchors=anchors, pull=PULLS.get(name))
    return target, text


def _on_surface(split: Split, rng: random.Random) -> tuple[Target, str]:
    name = rng.choice(sorted(wording.SURFACE))
    support = rng.choice([COUNTER, *_with_role("support")])
    used = rng.sample(_with_role("small"), _compared(name)) if name in COMPARING else []
    at = names.any_name(support, rng)
    text = wording.draw(wording.SURFACE[name], split, rng, at=at, **_parts(used, rng))
    index = category_index()
    anchors = anchor_slots([index[one] for one in used], support)
    # Any thing will do: the category says nothing.
    return Target(0, (), anchors, generic=True, pull=PULLS.get(name)), text


def _coloured(split: Split, rng: random.Random, explicit_share: float) -> tuple[Target, str]:
    colour = rng.choice(sorted(TINTS))
    while True:
        category, x = _meant(split, rng, explicit_share)
        if x.startswith("the "):
            name = x.removeprefix("the ")
            text = wording.draw(wording.COLOURED, split, rng, colour=colour, name=name)
        elif x.startswith("something "):
            text = wording.draw(wording.COLOURED_PURPOSE, split, rng, colour=colour, x=x)
        else:
            continue
        return replace(target_of(category, x), tint=TINTS[colour]), text


def _meant(split: Split, rng: random.Random, explicit_share: float) -> tuple[str, str]:
    """A small thing, and what it is called: its name with the article, or a purpose."""
    small = _with_role("small")
    while (x := phrase(category := rng.choice(small), split, rng, explicit_share)) is None:
        pass
    return category, x


def _compared(name: str) -> int:
    return 2 if name == "between" else 1


def _parts(anchors: list[str], rng: random.Random) -> dict[str, str]:
    told = (names.any_name(one, rng) for one in anchors)
    return dict(zip(("b", "c"), told, strict=False))


def _with_role(role: str) -> list[str]:
    return [one.id for one in load_categories().values() if one.role == role]
