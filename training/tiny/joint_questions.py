"""What the joint stage asks about a frame, and what each [SEG] of the answers means."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lisa_model.model import LisaModel
from lisa_model.reference import ANCHORS
from training.homereason.question import Question
from training.homereason.small_talk import draw_small_talk
from training.household.taxonomy import category_index
from training.tiny.features import View
from training.tiny.packing import PackedQuestion, pack_begun, pack_question
from training.tiny.question_store import SIDED, QuestionStore, spoken_answer
from training.tiny.readings import NOTHING_ELSE, Reading, reading
from training.tiny.tints import Tint, tint_of

# Share of frames that are also asked something that no thing answers.
SMALL_TALK_SHARE = 0.5
# Proofs of relations: what was compared with which ids, and on which surface.
RANKED = re.compile(r"\w+\((?P<ids>\d+(, \d+)*)\)")
SURFACE = re.compile(r"on (?P<support>\w+): ")
# In which direction of the picture a relation pulls: right, down, away from each anchor, to what is
# larger in the picture, and to what has its foot further down. Roughly: what is nearer stands lower
# in most pictures, and what is tall ends higher. Fitted to the relations of training frames.
PULLS = {
    "left_of": (-1.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    "right_of": (1.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    "closer": (0.0, 0.0, 0.0, 0.0, 0.1, 1.0),
    "in_front_of": (0.0, 0.0, 0.0, 0.0, 0.0, 1.0),
    "further": (0.0, 0.0, 0.0, 0.0, 0.0, -1.0),
    "behind": (0.0, 0.0, 0.0, 0.0, 0.0, -1.0),
    "larger": (0.0, -1.0, 0.0, 0.0, 1.0, 0.0),
    "smaller": (0.0, 0.0, 0.0, 0.0, -1.0, 0.0),
    "taller": (0.0, -1.0, 0.0, 0.0, 0.2, 0.0),
    "nearest": (0.0, 0.0, -1.0, 0.0, 0.0, 0.0),
    "next_to": (0.0, 0.0, -1.0, 0.0, 0.0, 0.0),
    "farthest": (0.0, 0.0, 1.0, 0.0, 0.0, 0.0),
    "between": (0.0, 0.0, -1.0, -1.0, 0.0, 0.0),
}


@dataclass(frozen=True)
class Target:
    """What one [SEG] of an answer marks; no ids for a thing that is absent.

    Attributes:
        category, ids: of the thing.
        anchors: taxonomy indices of the things that help to tell which; -1 for none.
        generic: the words fit any thing, so that they do not tell the category.
        pull: one of :data:`PULLS`; None where the words name no direction.
        tint: one of :data:`training.tiny.tints.TINTS`; None where no colour decides.
        others: what else the words fit.
        shown: of these as well fitting others, what is in view.
    """

    category: int
    ids: tuple[int, ...]
    anchors: tuple[int, ...] = (-1,) * ANCHORS
    generic: bool = False
    pull: tuple[float, ...] | None = None
    tint: Tint | None = None
    others: Reading = NOTHING_ELSE
    shown: tuple[int, ...] = ()


@dataclass(frozen=True)
class Asked:
    """One question about a frame; no targets where the answer has no [SEG]."""

    packed: PackedQuestion
    targets: tuple[Target, ...]


def ask(
    model: LisaModel,
    store: QuestionStore,
    view: View,
    count: int,
    rng: random.Random,
    small_talk_share: float = SMALL_TALK_SHARE,
) -> tuple[list[Asked], bool]:
    """Questions about a frame, and now and then small talk; and whether it may be mirrored."""
    index = category_index()
    visible = {index.get(item["category"]) for item in view.instances}
    out, free = [], True
    for question in store.draw(view.frame, count, rng):
        free = free and question.kind != SIDED
        if not question.targets:
            out.append(asked_in_vain(model, question))
            continue
        packed = pack_question(model.language, question.text, spoken_answer(question), True)
        anchors, generic = anchors_of(question.proof, view.instances)
        pairs = zip(question.categories, question.targets, strict=False)
        pull, tint = pull_of(question.proof), tint_of(question.proof)
        targets = []
        for name, ids in pairs:
            others = reading(name, question.text, question.proof)
            shown = tuple(one for one in others.also if one in visible)
            targets.append(Target(index[name], ids, anchors, generic, pull, tint, others, shown))
        out.append(Asked(packed, tuple(targets)))
    if rng.random() < small_talk_share:
        turn, reply = draw_small_talk(rng)
        out.append(Asked(pack_question(model.language, turn, reply, True), ()))
    return out, free


def asked_in_vain(model: LisaModel, question: Question) -> Asked:
    """A question about a thing that nothing fits: the answer has a [SEG] as ever.

    Whether the thing is there, the mask head decides, which looks closer: it learns here that the
    yellow fork that is meant is none of those in view. A small LLM that sees a few dozen pooled
    patches refuses nearly at random, and what it refuses cannot be found any more.
    """
    packed = pack_begun(model.language, question.text)
    (name,) = question.categories
    others = reading(name, question.text, question.proof)
    tint = tint_of(question.proof)
    return Asked(packed, (Target(category_index()[name], (), tint=tint, others=others),))


def anchors_of(
    proof: Sequence[str], instances: Sequence[Mapping[str, Any]]
) -> tuple[tuple[int, ...], bool]:
    """Taxonomy indices of the things that a question's words compare with, -1 for none; and whether
    the words leave the category open.

    Args:
        proof: of the question, as :mod:`training.homereason.related` writes it.
        instances: of the frame.
    """
    index = category_index()
    category = {item["id"]: item["category"] for item in instances}
    ranked = RANKED.fullmatch(proof[-1]) if proof else None
    ids = [int(one) for one in ranked["ids"].split(",")] if ranked else []
    compared = [index.get(category.get(one, ""), -1) for one in ids]
    surface = SURFACE.match(proof[0]) if proof else None
    return anchor_slots(compared, surface["support"] if surface else ""), surface is not None


def anchor_slots(compared: Sequence[int], support: str = "") -> tuple[int, ...]:
    """Taxonomy indices of all anchors, -1 for none: what is compared with, and behind that, where
    there is room, the surface that the words name."""
    found = [*compared, *[-1] * ANCHORS][:ANCHORS]
    if found[-1] < 0:
        found[-1] = category_index().get(support, -1)
    return tuple(found)


def pull_of(proof: Sequence[str]) -> tuple[float, ...] | None:
    """One of :data:`PULLS`, by a question's proof; None where that names no direction."""
    named = re.match(r"\w+", proof[-1]) if proof else None
    return PULLS.get(named[0]) if named else None
