"""Questions and answers of training samples, drawn from LISA's templates."""

from __future__ import annotations

import random
from collections.abc import Sequence

from lisa_model.config import SEG_TOKEN
from lisa_model.llava.templates import (
    ANSWERS,
    EXPLANATORY_QUESTIONS,
    FALSE_PREMISE_ANSWERS,
    LONG_QUESTIONS,
    SEVERAL_ANSWERS,
    SEVERAL_QUESTIONS,
    SHORT_QUESTIONS,
)
from lisa_model.llava.tokenizer import IMAGE_TOKEN
from training.data.sample import Turn


def listed(parts: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def ask(text: str) -> str:
    """A first question: the image's placeholder and the text."""
    return f"{IMAGE_TOKEN}\n{text}"


def answer(rng: random.Random, targets: int = 1) -> str:
    """An answer that shows one target or several.

    Args:
        targets: number of [SEG], at least 1.
    """
    if targets == 1:
        return rng.choice(ANSWERS)
    return rng.choice(SEVERAL_ANSWERS).format(segs=listed([SEG_TOKEN] * targets))


def short_question(name: str, rng: random.Random) -> str:
    """A question for what a noun phrase names; lower case, as the official training has it."""
    return ask(rng.choice(SHORT_QUESTIONS).format(class_name=name.lower()))


def long_question(sentence: str, rng: random.Random) -> str:
    """A question that is a sentence of its own, with the request for a mask behind it."""
    return ask(rng.choice(LONG_QUESTIONS).format(sent=sentence))


def short(name: str, rng: random.Random, targets: int = 1) -> Turn:
    """Ask for a noun phrase ("the two men"); the answer has a [SEG] per target."""
    return short_question(name, rng), answer(rng, targets)


def long(sentence: str, rng: random.Random, targets: int = 1) -> Turn:
    """Ask with a sentence; the answer has a [SEG] per target."""
    return long_question(sentence, rng), answer(rng, targets)


def several(names: Sequence[str], rng: random.Random) -> Turn:
    """Ask for two or more things at once; the [SEG] stand in the order of the names."""
    question = rng.choice(SEVERAL_QUESTIONS).format(targets=listed(names))
    return ask(question), answer(rng, len(names))


def false_premise(name: str, rng: random.Random) -> Turn:
    """Ask for what is not there; the answer says so and holds no [SEG]."""
    return short_question(name, rng), rng.choice(FALSE_PREMISE_ANSWERS).format(name=name.lower())


def explained(text: str, outputs: str, rng: random.Random) -> Turn:
    """Ask for the target and the reason."""
    question = ask(f"{text} {rng.choice(EXPLANATORY_QUESTIONS)}")
    return question, f"{rng.choice(ANSWERS)} {outputs}"


def in_words(text: str, outputs: str) -> Turn:
    """Ask without a request for a mask; the answer is words only."""
    return ask(text), outputs
