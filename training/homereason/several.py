"""Questions for two things at once; the answer names them in the order of the question."""

from __future__ import annotations

import random
from collections.abc import Iterator

from training.homereason import names, wording
from training.homereason.knowledge import load_facts
from training.homereason.question import Question, answer_for
from training.homereason.related import Alike, alike, something
from training.homereason.scene import Scene, Thing
from training.homereason.single import by_fact, meant_once, named_once
from training.household.taxonomy import Split, purposes

# Of all pairs in a frame, at most this many of each form are made.
PAIRS_EACH = 3


def two_targets(scene: Scene, split: Split, rng: random.Random) -> Iterator[Question]:
    """Two names, two purposes, two orders, or two things that one name or purpose fits."""
    named = [(one, _name(scene, one, rng)) for one in named_once(scene)]
    phrases = _purposes(scene, split, rng)
    orders = [
        (one, rng.choice(found))
        for one in meant_once(scene)
        if (found := wording.orders(one.category, split))
    ]
    for table, wordings in (
        ([(one, text) for one, text in named if text], wording.AND),
        (phrases, wording.AND),
        ([*phrases, *((one, text) for one, text in named if text)], wording.AND),
        (orders, wording.ORDER_AND),
    ):
        for (first, x), (second, b) in _pairs(table, rng):
            text = wording.draw(wordings, split, rng, x=x, b=b)
            yield _two(scene, (first, second), text, "each unambiguous by itself")
    for group in alike(scene):
        if len(group.things) == 2 and all(thing.clear for thing in group.things):
            both = _both(scene, split, rng, group)
            if both is not None:
                # From left to right, so that the order of the answer can be learnt.
                left, right = sorted(group.things, key=lambda thing: thing.box[0])
                yield _two(scene, (left, right), both, group.proof)


def _purposes(scene: Scene, split: Split, rng: random.Random) -> list[tuple[Thing, str]]:
    out = [
        (one, rng.choice(found))
        for one in meant_once(scene)
        if (found := purposes(one.category, split, "implicit_short"))
    ]
    out += [
        (thing, rng.choice(load_facts()[fact].phrases[split])) for thing, fact in by_fact(scene)
    ]
    return [(thing, text) for thing, text in out if wording.plain(text)]


def _both(scene: Scene, split: Split, rng: random.Random, group: Alike) -> str | None:
    if group.category:
        name = names.pick_name(group.category, scene.visible, rng)
        several = names.plural(name) if name else None
        return wording.draw(wording.BOTH, split, rng, names=several) if several else None
    found = [
        rest
        for one in something(group.fact, split)
        if (rest := one.removeprefix("something ")).startswith(("to ", "for ", "with ", "made "))
    ]
    # "One glass in my hand" or "the sofa" cannot be two: only phrases that bear a plural.
    found = [rest for rest in found if not {"a", "an"} & set(rest.split()[:2])]
    if not found:
        return None
    return wording.draw(wording.BOTH_PURPOSE, split, rng, x=rng.choice(found))


def _name(scene: Scene, thing: Thing, rng: random.Random) -> str | None:
    name = names.pick_name(thing.category, scene.visible, rng)
    return None if name is None else names.the(name)


def _pairs(
    table: list[tuple[Thing, str]], rng: random.Random
) -> list[tuple[tuple[Thing, str], tuple[Thing, str]]]:
    pairs = [(first, second) for first in table for second in table if first[0].id != second[0].id]
    return rng.sample(pairs, min(PAIRS_EACH, len(pairs)))


def _two(scene: Scene, things: tuple[Thing, Thing], text: str, proof: str) -> Question:
    targets = tuple((thing.id,) for thing in things)
    return Question(
        frame=scene.name,
        kind="two_targets",
        text=text,
        targets=targets,
        categories=tuple(thing.category for thing in things),
        answer=answer_for(targets),
        proof=(proof,),
    )
