"""Reasoning samples: a few implicit questions of training frames, with other wordings of each."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from training.claims.families import Family, family_of
from training.experiments.errors import ExperimentError
from training.homereason import wording
from training.homereason.knowledge import load_facts
from training.homereason.question import Question
from training.household.taxonomy import ImplicitKind, purposes

# Other wordings of a sample, at most.
WORDINGS = 5
# Draws for each of them before the words are taken to have given out.
TRIES = 8


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One reasoning sample.

    Attributes:
        question: as the builder wrote it.
        others: wordings that mean the same thing by other words; may be empty.
    """

    question: Question
    others: tuple[str, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """All wordings, the builder's first."""
        return (self.question.text, *self.others)


def draw_samples(
    questions: Sequence[Question],
    *,
    count: int,
    seed: int,
    wordings: int = WORDINGS,
    frames: Collection[str] | None = None,
) -> list[Sample]:
    """Draw samples; the first ones of a larger count are those of a smaller one.

    Frames take turns: none gives a second sample before each has given one, since ReasonSeg has
    one image a sample.

    Args:
        questions: of training; those of other families are passed over.
        count: how many.
        seed: of the draw.
        wordings: other wordings of each, at most.
        frames: only of these frames; None for all.

    Raises:
        ExperimentError: there are too few.
    """
    found = {
        (one.frame, one.text): one
        for one in questions
        if family_of(one) is Family.REASONING and (frames is None or one.frame in frames)
    }
    if len(found) < count:
        raise ExperimentError(
            f"{count} reasoning samples are wanted, the training questions hold {len(found)}; "
            "render more frames, or give question files of further passes "
            "(training.homereason.build --only train --seed 1 --out DIR)"
        )
    order = sorted(found.values(), key=lambda one: (one.frame, one.text))
    random.Random(f"samples/{seed}").shuffle(order)
    turn: Counter[str] = Counter()
    ranked = []
    for one in order:
        ranked.append((turn[one.frame], one))
        turn[one.frame] += 1
    ranked.sort(key=lambda pair: pair[0])
    return [
        Sample(question=one, others=other_wordings(one, count=wordings, seed=seed))
        for _, one in ranked[:count]
    ]


def other_wordings(question: Question, *, count: int, seed: int) -> tuple[str, ...]:
    """Other training wordings of the same kind for the same thing.

    Where the question rests on a fact, its phrases are that fact's; else those of the thing's
    purposes. Both are proved for the frame as the question is: by nothing else in view that the
    fact, or any purpose of the thing, might fit. Other phrases come first; where there are too few,
    they come again, and the question's own with them, in other frames of words ("Show me ...").

    Args:
        question: of an implicit kind.
        count: at most; fewer where the words give out.
    """
    rng = random.Random(f"wordings/{seed}/{question.frame}/{question.text}")
    phrases = _phrases(question)
    rng.shuffle(phrases)
    # The question's own phrase last.
    phrases.sort(key=lambda one: one.lower() in question.text.lower())
    out: dict[str, None] = {}
    for phrase in itertools.islice(itertools.cycle(phrases), TRIES * count):
        if len(out) == count:
            break
        text = _worded(question, phrase, rng)
        if text != question.text:
            out[text] = None
    return tuple(out)


def _fact(question: Question) -> str | None:
    proof = question.proof[0]
    return proof.removeprefix("fact ").split(":")[0] if proof.startswith("fact ") else None


def _phrases(question: Question) -> list[str]:
    fact = _fact(question)
    if fact is None:
        kind: ImplicitKind = question.kind  # type: ignore[assignment]
        return list(purposes(question.categories[0], "train", kind))
    known = load_facts()[fact]
    if question.kind == "implicit_long":
        return list(known.sentences["train"])
    found = known.phrases["train"]
    if question.kind == "imperative":
        return [one for one in found if one.startswith("something")]
    return list(found)


def _worded(question: Question, phrase: str, rng: random.Random) -> str:
    if question.kind == "implicit_short":
        return wording.wrapped(phrase, "train", rng)
    if question.kind == "implicit_long":
        return wording.long(phrase, "train", rng)
    table = wording.ORDER if _fact(question) is None else wording.BRING
    return wording.draw(table, "train", rng, x=phrase)
