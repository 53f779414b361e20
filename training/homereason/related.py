"""Questions that only a relation in space, or a size, decides."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from training.homereason import names, relations, wording
from training.homereason.knowledge import COUNTER, load_facts
from training.homereason.question import Question
from training.homereason.scene import Scene, Thing
from training.homereason.single import named_once, single
from training.household.taxonomy import Split

PAIRS: dict[str, relations.Relation] = {
    "left_of": relations.left_of,
    "right_of": relations.right_of,
    "in_front_of": relations.in_front_of,
    "behind": relations.behind,
    "closer": relations.closer,
    "further": relations.further,
    "next_to": relations.next_to,
    "on": relations.on,
    "under": relations.under,
}
RANKS: dict[str, Callable[[Thing, Sequence[Thing]], Thing | None]] = {
    "nearest": relations.nearest,
    "farthest": relations.farthest,
}
EXTREMES: dict[str, relations.Relation] = {
    "left_of": relations.left_of,
    "right_of": relations.right_of,
    "closer": relations.closer,
    "further": relations.further,
    "larger": relations.larger,
    "smaller": relations.smaller,
}
# What something lies on or under is furniture, not another thing on it.
OF_FURNITURE = ("on", "under")
# "The leftmost thing" asks for a look at all of them: with fewer than three it is no superlative.
LEAST_ON_SURFACE = 3


@dataclass(frozen=True, kw_only=True)
class Alike:
    """Things that one name or purpose fits, so that something else must decide.

    Attributes:
        things: at least two, all in view that the words may mean.
        fact: the purpose, or "" where they share their name.
        category: where they share their name.
    """

    things: tuple[Thing, ...]
    fact: str = ""
    category: str = ""

    def words(self, scene: Scene, split: Split, rng: random.Random) -> str | None:
        """What fits all of them: "the mug" or "something to drink from"."""
        if self.fact:
            return rng.choice(something(self.fact, split) or [None])  # type: ignore[list-item]
        name = names.pick_name(self.category, scene.visible, rng)
        return None if name is None else names.the(name)

    @property
    def proof(self) -> str:
        """Who the words may mean."""
        ids = ", ".join(str(thing.id) for thing in self.things)
        return f"{self.fact or self.category}: {ids}"


def something(fact: str, split: Split) -> list[str]:
    """Phrases of the fact that begin with "something "."""
    return [one for one in load_facts()[fact].phrases[split] if one.startswith("something ")]


def alike(scene: Scene) -> list[Alike]:
    """All sets of two or more things that one name or one fact fits."""
    out = []
    for category in sorted({thing.category for thing in scene.things}):
        things = scene.of(category)
        if len(things) > 1:
            out.append(Alike(things=tuple(things), category=category))
    for fact in load_facts().values():
        found = fact.answers(scene.visible)
        things = scene.of(*found) if found else []
        if len(things) > 1:
            out.append(Alike(things=tuple(things), fact=fact.id))
    return out


def decided(things: Sequence[Thing], verdict: Callable[[Thing], bool | None]) -> Thing | None:
    """The one clear thing that the verdict proves True of, when it proves False of all others."""
    verdicts = [(thing, verdict(thing)) for thing in things]
    yes = [thing for thing, value in verdicts if value is True]
    if len(yes) != 1 or not yes[0].clear or any(value is None for _, value in verdicts):
        return None
    return yes[0]


def among(scene: Scene, split: Split, rng: random.Random) -> Iterator[Question]:
    """Things alike, told apart by a second thing or by being the leftmost, nearest, biggest ..."""
    anchors = named_once(scene)
    for group in alike(scene):
        words = group.words(scene, split, rng)
        if words is None:
            continue
        ids = {thing.id for thing in group.things}
        for anchor in anchors:
            b = _anchor_words(scene, anchor, rng)
            if anchor.id in ids or b is None:
                continue
            for name, relation in PAIRS.items():
                if not _sensible(name, anchor):
                    continue
                thing = decided(group.things, lambda one, r=relation, a=anchor: r(one, a))  # type: ignore[misc]
                if thing is not None:
                    text = _pair(name, split, rng, group, words, b=b)
                    yield _related(scene, thing, text, group.proof, f"{name}({anchor.id})")
            for name, rank in RANKS.items():
                thing = rank(anchor, group.things) if anchor.role == "small" else None
                if thing is not None and thing.clear:
                    text = _pair(name, split, rng, group, words, b=b)
                    yield _related(scene, thing, text, group.proof, f"{name}({anchor.id})")
        yield from _among_themselves(scene, split, rng, group, words)
        yield from _between(scene, split, rng, group, words, anchors)


def _pair(
    name: str, split: Split, rng: random.Random, group: Alike, words: str, **parts: str
) -> str:
    return wording.related(wording.PAIR[name], split, rng, words, bool(group.fact), **parts)


def _among_themselves(
    scene: Scene, split: Split, rng: random.Random, group: Alike, words: str
) -> Iterator[Question]:
    for name, relation in EXTREMES.items():
        thing = relations.extreme(group.things, relation)
        if thing is None or not thing.clear:
            continue
        if name in wording.SIZED and group.category:
            text = _sized(scene, split, rng, group, name)
            if text is None:
                continue
        else:
            text = wording.related(wording.AMONG[name], split, rng, words, bool(group.fact))
        yield _related(scene, thing, text, group.proof, f"{name} of these")


def _sized(scene: Scene, split: Split, rng: random.Random, group: Alike, name: str) -> str | None:
    single_name = names.pick_name(group.category, scene.visible, rng)
    several = names.plural(single_name) if single_name else None
    if single_name is None or several is None or len(group.things) != 2:
        return None
    return wording.draw(wording.SIZED[name], split, rng, name=single_name, names=several)


def _between(
    scene: Scene,
    split: Split,
    rng: random.Random,
    group: Alike,
    words: str,
    anchors: Sequence[Thing],
) -> Iterator[Question]:
    for first, second in _pairs(anchors, group.things):
        thing = decided(
            group.things,
            lambda one, b=first, c=second: relations.between(one, b, c),  # type: ignore[misc]
        )
        b, c = _anchor_words(scene, first, rng), _anchor_words(scene, second, rng)
        if thing is not None and b and c:
            text = _pair("between", split, rng, group, words, b=b, c=c)
            proof = f"between({first.id}, {second.id})"
            yield _related(scene, thing, text, group.proof, proof)


def on_surface(scene: Scene, split: Split, rng: random.Random) -> Iterator[Question]:
    """One of all the things on a table or counter: the leftmost, the nearest to another ..."""
    for support, at in _surfaces(scene):
        things = _standing_on(scene, support)
        ids = ", ".join(str(thing.id) for thing in things)
        if len(things) == 1 and things[0].clear:
            text = wording.draw(wording.SURFACE["only"], split, rng, at=at)
            yield _related(scene, things[0], text, f"on {support}: {ids}", "only one")
        if len(things) < LEAST_ON_SURFACE:
            continue
        for name, relation in (EXTREMES | {"taller": relations.taller}).items():
            thing = relations.extreme(things, relation)
            if thing is not None and thing.clear and thing.support == support:
                text = wording.draw(wording.SURFACE[name], split, rng, at=at)
                yield _related(scene, thing, text, f"on {support}: {ids}", name)
        anchors = [one for one in named_once(scene) if one.support == support]
        for anchor in anchors:
            b = _anchor_words(scene, anchor, rng)
            others = [one for one in things if one.id != anchor.id]
            for name, rank in RANKS.items():
                thing = rank(anchor, others)
                if thing is None or thing.support != support:
                    continue
                if thing.clear and b is not None:
                    text = wording.draw(wording.SURFACE[name], split, rng, at=at, b=b)
                    yield _related(
                        scene, thing, text, f"on {support}: {ids}", f"{name}({anchor.id})"
                    )
        for first, second in _pairs(anchors, ()):
            rest = [one for one in things if one.id not in (first.id, second.id)]
            thing = decided(
                rest,
                lambda one, b=first, c=second: relations.between(one, b, c),  # type: ignore[misc]
            )
            b, c = _anchor_words(scene, first, rng), _anchor_words(scene, second, rng)
            if thing is not None and thing.support == support and b and c:
                text = wording.draw(wording.SURFACE["between"], split, rng, at=at, b=b, c=c)
                proof = f"between({first.id}, {second.id})"
                yield _related(scene, thing, text, f"on {support}: {ids}", proof)


def _standing_on(scene: Scene, support: str) -> list[Thing]:
    """What stands on a surface, and what is stacked there: on a tray on the table, it may count."""
    return [one for one in scene.things if one.support == support or relations.stacked(one)]


def _surfaces(scene: Scene) -> list[tuple[str, str]]:
    """Supports in view once whose name is clear: (category, name with article)."""
    out = []
    for support in sorted({one.support for one in scene.things} - {"floor", ""}):
        if support == COUNTER:
            out.append((support, "the counter"))
            continue
        found = names.clear_names(support, scene.visible)
        if found and len(scene.of(support)) == 1:
            out.append((support, names.the(found[0])))
    return out


def _pairs(anchors: Sequence[Thing], without: Sequence[Thing]) -> Iterator[tuple[Thing, Thing]]:
    ids = {thing.id for thing in without}
    free = [one for one in anchors if one.id not in ids and one.role == "small"]
    for k, first in enumerate(free):
        for second in free[k + 1 :]:
            yield first, second


def _anchor_words(scene: Scene, anchor: Thing, rng: random.Random) -> str | None:
    name = names.pick_name(anchor.category, scene.visible, rng)
    return None if name is None else names.the(name)


def _sensible(name: str, anchor: Thing) -> bool:
    # Nothing is "left of" the table that everything stands on; "on" and "under" need furniture.
    if name in OF_FURNITURE:
        return anchor.role == "support"
    return anchor.role != "support" and anchor.whole


def _related(scene: Scene, thing: Thing, text: str, *proof: str) -> Question:
    return single(scene, "relation", thing, text, *proof)
