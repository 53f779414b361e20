"""Questions that only a colour or a material decides: there is a rival without it."""

from __future__ import annotations

import random
from collections.abc import Iterator

from training.homereason import names, wording
from training.homereason.colours import NAMES
from training.homereason.knowledge import load_facts
from training.homereason.question import Question
from training.homereason.related import Alike, alike, decided, something
from training.homereason.scene import Scene, Thing
from training.homereason.single import single
from training.household.taxonomy import Split

MATERIALS = {
    "wooden": "wood",
    "metallic": "metal",
    "of_paper": "paper",
    "of_cloth": "fabric",
    "of_glass": "glass",
}


def attribute(scene: Scene, split: Split, rng: random.Random) -> Iterator[Question]:
    """By colour or material, among things of one name or purpose."""
    for group in alike(scene):
        for colour in NAMES:
            thing = decided(group.things, lambda one, c=colour: one.colours.get(c))  # type: ignore[misc]
            if thing is None:
                continue
            text = _coloured(scene, split, rng, group, colour)
            if text is not None:
                yield single(scene, "attribute", thing, text, group.proof, f"{colour}: one only")
        for material, word in MATERIALS.items():
            if not group.fact or load_facts()[group.fact].aspect in ("material", "taste"):
                continue
            found = decided(group.things, lambda one, m=material: _made_of(one, m))  # type: ignore[misc]
            phrases = something(group.fact, split)
            if found is not None and phrases:
                text = wording.draw(
                    wording.MADE_OF, split, rng, x=rng.choice(phrases), material=word
                )
                yield single(scene, "attribute", found, text, group.proof, f"{material}: one only")


def _coloured(
    scene: Scene, split: Split, rng: random.Random, group: Alike, colour: str
) -> str | None:
    if group.category:
        name = names.pick_name(group.category, scene.visible, rng)
        if name is None:
            return None
        return wording.draw(wording.COLOURED, split, rng, colour=colour, name=name)
    phrases = something(group.fact, split)
    if not phrases:
        return None
    phrase = rng.choice(phrases)
    if rng.random() < 0.5 and load_facts()[group.fact].aspect == "function":
        rest = phrase.removeprefix("something ")
        if rest.startswith(("to ", "for ", "that ")):
            return wording.wrapped(f"something {colour} {rest}", split, rng)
    return wording.draw(wording.COLOURED_PURPOSE, split, rng, x=phrase, colour=colour)


def _made_of(thing: Thing, fact: str) -> bool | None:
    return load_facts()[fact].holds(thing.category)
