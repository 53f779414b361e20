"""Which of all possible questions are asked: by subset, a few a frame, balanced over categories."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from training.homereason.absent import nothing_fits
from training.homereason.attributes import attribute
from training.homereason.question import KINDS, Question
from training.homereason.related import among, on_surface
from training.homereason.scene import Scene
from training.homereason.several import two_targets
from training.homereason.single import explicit, imperative, implicit_long, implicit_short
from training.household.taxonomy import Split

Maker = Callable[[Scene, Split, random.Random], Iterator[Question]]


def _relation(scene: Scene, split: Split, rng: random.Random) -> Iterator[Question]:
    yield from among(scene, split, rng)
    yield from on_surface(scene, split, rng)


MAKERS: Mapping[str, Maker] = {
    "explicit": explicit,
    "implicit_short": implicit_short,
    "implicit_long": implicit_long,
    "imperative": imperative,
    "attribute": attribute,
    "relation": _relation,
    "two_targets": two_targets,
    "nothing_fits": nothing_fits,
}
IMPLICIT = ("implicit_short", "implicit_long", "imperative")
# Kinds and questions a frame, for each subset of val and test.
PLAN: Mapping[str, tuple[tuple[str, ...], int]] = {
    "a": (("explicit",), 3),
    "c": (IMPLICIT, 3),
    "d": (("attribute", "relation"), 3),
    "e": (("two_targets",), 2),
    "f": (("nothing_fits",), 2),
}
UNSEEN_MODELS: Mapping[str, tuple[tuple[str, ...], int]] = {"b": (("explicit", *IMPLICIT), 4)}
# Training frames: so many of each kind, drawn anew for every seed. Relations have the most forms,
# each of which has to be learnt.
TRAINING_EACH: Mapping[str, int] = dict.fromkeys(KINDS, 2) | {"relation": 6, "attribute": 4}


def candidates(
    scene: Scene, split: Split, kinds: Collection[str] = KINDS, *, seed: str = ""
) -> dict[str, list[Question]]:
    """All questions of a frame by kind, in random order; depends on frame, split and seed only."""
    out = {}
    for kind in kinds:
        rng = random.Random(f"{split}/{scene.name}/{kind}/{seed}")
        found = list(MAKERS[kind](scene, split, rng))
        rng.shuffle(found)
        out[kind] = found
    return out


def training_questions(
    scene: Scene, *, seed: str = "0", each: Mapping[str, int] = TRAINING_EACH
) -> list[Question]:
    """Questions of a training frame: up to so many of every kind.

    Args:
        seed: another one gives other questions, for several passes over the frames.
        each: at most, by kind.
    """
    found = candidates(scene, "train", seed=seed)
    return [one for kind in KINDS for one in _distinct(found[kind], each[kind])]


@dataclass
class Balance:
    """Questions asked so far, so that rare categories and forms come first.

    Attributes:
        asked: questions by (subset, category).
        forms: questions by (subset, kind, what decides it).
    """

    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    forms: Counter[tuple[str, str]] = field(default_factory=Counter)

    def choose(
        self, subset: str, found: Mapping[str, Sequence[Question]], count: int
    ) -> list[Question]:
        """Up to ``count`` questions, kinds in turn, each time the rarest category and form."""
        pool = {kind: list(one) for kind, one in found.items()}
        chosen: list[Question] = []
        while len(chosen) < count and any(pool.values()):
            kinds = [kind for kind in pool if pool[kind]]
            kind = min(
                kinds, key=lambda k: (sum(q.kind == k for q in chosen), self.forms[subset, k])
            )
            best = min(pool[kind], key=lambda one: self._rank(subset, one))
            pool[kind].remove(best)
            if any(best.text == one.text or _same(best, one) for one in chosen):
                continue
            chosen.append(replace(best, subset=subset))
            self.forms[subset, kind] += 1
            self.forms[subset, _form(best)] += 1
            for category in best.categories:
                self.asked[subset, category] += 1
        return chosen

    def _rank(self, subset: str, one: Question) -> tuple[int, int]:
        rarest = max(self.asked[subset, category] for category in one.categories)
        return self.forms[subset, _form(one)] // 3, rarest


def scored_questions(
    scene: Scene,
    split: Split,
    balance: Balance,
    *,
    unseen: Collection[str] | None = None,
) -> list[Question]:
    """The questions of a validation or test frame.

    Args:
        unseen: models that training never showed: then only things of these models are asked for
            (subset b). None for the other subsets.
    """
    plan = PLAN if unseen is None else UNSEEN_MODELS
    out: list[Question] = []
    for subset, (kinds, count) in plan.items():
        found = candidates(scene, split, kinds)
        if unseen is not None:
            model = {thing.id: thing.model for thing in scene.things}
            found = {
                kind: [one for one in some if all(model[k] in unseen for k in one.ids)]
                for kind, some in found.items()
            }
        out += balance.choose(subset, found, count)
    return out


def _form(one: Question) -> str:
    """What decides a question: the relation, the colour ..., without the ids."""
    return (
        one.proof[-1].split("(")[0].split(":")[0]
        if one.kind in ("relation", "attribute")
        else one.kind
    )


def _same(first: Question, second: Question) -> bool:
    # The same thing twice in one subset of a frame tells little; nothing_fits has no thing.
    return first.kind != "nothing_fits" and first.targets == second.targets


def _distinct(found: Sequence[Question], count: int) -> list[Question]:
    out: list[Question] = []
    for one in found:
        if len(out) < count and not any(one.text == other.text for other in out):
            out.append(one)
    return out
