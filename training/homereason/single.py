"""Questions for one thing: by its name, its purpose, or a fact about it."""

from __future__ import annotations

import random
from collections.abc import Iterator

from training.homereason import names, wording
from training.homereason.knowledge import load_facts, rivals
from training.homereason.question import Question, answer_for
from training.homereason.scene import Scene, Thing
from training.household.taxonomy import Split, purposes


def named_once(scene: Scene) -> list[Thing]:
    """Clear things whose category is in view once."""
    seen = [thing.category for thing in scene.things]
    return [one for one in scene.things if one.clear and seen.count(one.category) == 1]


def meant_once(scene: Scene) -> list[Thing]:
    """Clear things whose purpose nothing else in view may serve."""
    return [one for one in named_once(scene) if scene.visible.isdisjoint(rivals(one.category))]


def single(scene: Scene, kind: str, thing: Thing, text: str, *proof: str) -> Question:
    """A question with one target."""
    targets = ((thing.id,),)
    return Question(
        frame=scene.name,
        kind=kind,
        text=text,
        targets=targets,
        categories=(thing.category,),
        answer=answer_for(targets),
        proof=proof,
    )


def explicit(scene: Scene, split: Split, rng: random.Random) -> Iterator[Question]:
    """By name."""
    for thing in named_once(scene):
        name = names.pick_name(thing.category, scene.visible, rng)
        if name is None:
            continue
        text = wording.explicit(name, thing.role == "small", split, rng)
        yield single(scene, "explicit", thing, text, f"only {thing.category} in view")


def implicit_short(scene: Scene, split: Split, rng: random.Random) -> Iterator[Question]:
    """By a noun phrase that tells purpose or property."""
    for thing in meant_once(scene):
        for phrase in _some(purposes(thing.category, split, "implicit_short"), rng):
            text = wording.wrapped(phrase, split, rng)
            yield single(scene, "implicit_short", thing, text, _no_rival(thing))
    for thing, fact in by_fact(scene):
        phrase = rng.choice(load_facts()[fact].phrases[split])
        text = wording.wrapped(phrase, split, rng)
        yield single(scene, "implicit_short", thing, text, f"fact {fact}: {thing.category} only")


def implicit_long(scene: Scene, split: Split, rng: random.Random) -> Iterator[Question]:
    """By a sentence that tells a situation."""
    for thing in meant_once(scene):
        if rng.random() < 0.5:
            for order in _some(purposes(thing.category, split, "imperative"), rng):
                text = wording.draw(wording.LONG_ORDER, split, rng, x=order)
                yield single(scene, "implicit_long", thing, text, _no_rival(thing))
            continue
        for sentence in _some(purposes(thing.category, split, "implicit_long"), rng):
            yield single(
                scene, "implicit_long", thing, wording.long(sentence, split, rng), _no_rival(thing)
            )
    for thing, fact in by_fact(scene):
        for sentence in _some(load_facts()[fact].sentences[split], rng):
            text = wording.long(sentence, split, rng)
            yield single(scene, "implicit_long", thing, text, f"fact {fact}: {thing.category} only")


def imperative(scene: Scene, split: Split, rng: random.Random) -> Iterator[Question]:
    """By an order: to do what the thing is for, or to bring what serves a purpose."""
    for thing in meant_once(scene):
        for order in _some(purposes(thing.category, split, "imperative"), rng):
            text = wording.draw(wording.ORDER, split, rng, x=order)
            yield single(scene, "imperative", thing, text, _no_rival(thing))
    for thing, fact in by_fact(scene):
        if thing.role != "small":
            continue  # nobody has a sofa brought
        found = [one for one in load_facts()[fact].phrases[split] if one.startswith("something")]
        for phrase in _some(found, rng):
            text = wording.draw(wording.BRING, split, rng, x=phrase)
            yield single(scene, "imperative", thing, text, f"fact {fact}: {thing.category} only")


def by_fact(scene: Scene) -> list[tuple[Thing, str]]:
    """Things with a fact that is true of them alone among all in view."""
    out = []
    for fact in load_facts().values():
        found = fact.answers(scene.visible)
        if found is None or len(found) != 1:
            continue
        things = scene.of(*found)
        if len(things) == 1 and things[0].clear:
            out.append((things[0], fact.id))
    return out


def _some(found: tuple[str, ...] | list[str], rng: random.Random) -> list[str]:
    return [rng.choice(found)] if found else []


def _no_rival(thing: Thing) -> str:
    return f"purpose of {thing.category}; no rival of it in view"
