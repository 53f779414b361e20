"""Questions that nothing in the scene answers."""

from __future__ import annotations

import random
from collections.abc import Iterator

from lisa_model.llava.templates import FALSE_PREMISE_ANSWERS
from training.homereason import names, wording
from training.homereason.colours import NAMES
from training.homereason.knowledge import kin, load_facts
from training.homereason.question import Question
from training.homereason.scene import Scene
from training.homereason.single import named_once
from training.household.render.overrides import EXCLUDED_MODELS
from training.household.taxonomy import Split, load_categories, purposes

# Of each form in a frame: there is always far more that is absent than present.
EACH = 4


def absent_categories(scene: Scene) -> list[str]:
    """Categories of which the scene holds nothing, visible or hidden, nor any of their kin."""
    return [
        one
        for one, category in load_categories().items()
        # What no frame ever shows would be known by its name alone.
        if not EXCLUDED_MODELS.issuperset(category.models)
        and one not in scene.present
        and scene.present.isdisjoint(kin(one))
    ]


def nothing_fits(scene: Scene, split: Split, rng: random.Random) -> Iterator[Question]:
    """A thing, a purpose or a colour that is not there."""
    gone = absent_categories(scene)
    for category in _some(gone, rng):
        name = names.pick_name(category, scene.present, rng)
        if name is not None:
            text = wording.explicit(name, load_categories()[category].role == "small", split, rng)
            yield _none(scene, category, text, name, rng, f"no {category} in the scene")
    for category in _some(gone, rng):
        phrases = purposes(category, split, "implicit_short")
        if phrases:
            phrase = rng.choice(phrases)
            text = wording.wrapped(phrase, split, rng)
            yield _none(scene, category, text, phrase, rng, f"no {category}, nor its kin")
    for category in _some(gone, rng):
        if orders := wording.orders(category, split):
            order = rng.choice(orders)
            text = wording.draw(wording.ORDER, split, rng, x=order)
            yield _none(scene, category, text, order, rng, f"no {category}, nor its kin")
    free = [
        fact for fact in load_facts().values() if scene.present.isdisjoint(fact.yes | fact.maybe)
    ]
    for fact in rng.sample(free, min(EACH, len(free))):
        phrase = rng.choice(fact.phrases[split])
        text = wording.wrapped(phrase, split, rng)
        yield _none(
            scene, min(fact.yes), text, phrase, rng, f"fact {fact.id} of nothing in the scene"
        )
    yield from _wrong_colour(scene, split, rng)


def _wrong_colour(scene: Scene, split: Split, rng: random.Random) -> Iterator[Question]:
    for thing in named_once(scene):
        name = names.pick_name(thing.category, scene.visible, rng)
        if name is None or not thing.colours:
            continue
        # Rivals in view must not have the colour either: "the blue cup" might be said of a mug.
        others = [one for one in scene.things if one.category in kin(thing.category)]
        # A hidden thing of the kind has a colour that nobody knows; kin that is not in view, too.
        if {one for one in scene.present if one in kin(thing.category)} - scene.visible:
            continue
        shown = [one for one, value in thing.colours.items() if value is True]
        wrong = [
            colour
            for colour in NAMES
            if thing.colours[colour] is False
            and all(one.colours.get(colour) is False for one in others)
        ]
        # Only where its own colour is plain: of a dull one, no colour is plainly wrong.
        if shown and wrong:
            colour = rng.choice(wrong)
            text = wording.draw(wording.COLOURED, split, rng, colour=colour, name=name)
            proof = f"{thing.category} {thing.id} is {shown[0]}, not {colour}"
            yield _none(scene, thing.category, text, f"{colour} {name}", rng, proof)


def _none(
    scene: Scene, category: str, text: str, words: str, rng: random.Random, proof: str
) -> Question:
    return Question(
        frame=scene.name,
        kind="nothing_fits",
        text=text,
        targets=(),
        categories=(category,),
        answer=rng.choice(FALSE_PREMISE_ANSWERS).format(name=words),
        proof=(proof,),
    )


def _some(found: list[str], rng: random.Random) -> list[str]:
    return rng.sample(found, min(EACH, len(found)))
