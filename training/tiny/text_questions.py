"""What the LLM is asked in the text stage, and the sequences that hold it."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lisa_model.config import LisaConfig
from training.homereason import wording
from training.homereason.knowledge import Fact, load_facts
from training.household.language import IMPLICIT, explicit_intent, implicit_intent
from training.household.taxonomy import Split, category_index, load_categories, purposes
from training.tiny.joint_questions import Target
from training.tiny.packing import PackedQuestion
from training.tiny.readings import reading

# Share of intents by no name that tell a fact of several kinds of things, not a purpose of one.
FACT_SHARE = 0.4
# Questions that share a sequence, at most: its blank image costs as much as three of them.
ROW_QUESTIONS = 12


@dataclass(frozen=True)
class TextQuestion:
    """An intent or a turn of small talk, and what each [SEG] means."""

    packed: PackedQuestion
    targets: tuple[Target, ...]


def draw_intent(split: Split, rng: random.Random, explicit_share: float) -> tuple[Target, str]:
    """A random intent for one thing, and this thing, without ids.

    Args:
        split: whose wordings and phrases.
        rng: draws.
        explicit_share: of intents, 0..1, that name the thing; the others tell a purpose of it, or a
            fact that holds for it and others.
    """
    categories = list(load_categories().values())
    while True:
        category = rng.choice(categories)
        if rng.random() < explicit_share:
            said: str | None = explicit_intent(category, split, rng)
        elif rng.random() < FACT_SHARE:
            fact = rng.choice(list(load_facts().values()))
            category = load_categories()[rng.choice(_answers(fact))]
            said = fact_intent(fact, split, rng)
        elif rng.random() < 0.5:
            said = purpose_intent(category.id, split, rng)
        else:
            said = implicit_intent(category, split, rng.choice(IMPLICIT), rng)
        if said is not None:
            return target_of(category.id, said), said


def target_of(category: str, said: str) -> Target:
    """What an intent of no image means: a thing without ids, and what else the words fit."""
    return Target(category_index()[category], (), others=reading(category, said))


def fact_intent(fact: Fact, split: Split, rng: random.Random) -> str:
    """An intent for whatever a fact holds for, worded as the benchmark words it."""
    if fact.sentences[split] and rng.random() < 0.4:
        sentence = rng.choice(fact.sentences[split])
        return wording.long(sentence, split, rng)
    phrase = rng.choice(fact.phrases[split])
    if phrase.startswith("something") and rng.random() < 0.4:
        return wording.draw(wording.BRING, split, rng, x=phrase)
    return wording.wrapped(phrase, split, rng)


def purpose_intent(category: str, split: Split, rng: random.Random) -> str | None:
    """An intent for a thing by its purpose, worded as the benchmark words it; None where no phrase
    was written."""
    kind = rng.choice(IMPLICIT)
    found = purposes(category, split, kind)
    if not found:
        return None
    phrase = rng.choice(found)
    if kind == "implicit_short":
        return wording.wrapped(phrase, split, rng)
    if kind == "implicit_long":
        return wording.long(phrase, split, rng)
    table = wording.LONG_ORDER if rng.random() < 0.3 else wording.ORDER
    return wording.draw(table, split, rng, x=phrase)


def _answers(fact: Fact) -> list[str]:
    return sorted(fact.yes & load_categories().keys())


def even_rows(asked: Sequence[TextQuestion]) -> list[list[TextQuestion]]:
    """Questions dealt to sequences of about the same length."""
    count = math.ceil(len(asked) / ROW_QUESTIONS)
    out: list[list[TextQuestion]] = [[] for _ in range(count)]
    for one in sorted(asked, key=lambda one: -len(one.packed.ids)):
        min(out, key=lambda row: sum(len(other.packed.ids) for other in row)).append(one)
    return out


def blank_image(config: LisaConfig, count: int) -> Tensor:
    """Visual tokens (count, rows x columns, llm_dim) that say nothing, drawn at random.

    An untrained projector's tokens are foreign to the LLM, and much like each other. Had it never
    seen such, the next stage would begin with unlearning: with 48 of them in front, only 50% of
    training intents were understood that were to 90% without.
    """
    rows, columns = config.visual_tokens
    common = torch.randn(count, 1, config.llm_dim)
    own = torch.randn(count, rows * columns, config.llm_dim)
    share = torch.rand(count, 1, 1)
    length = 10 ** (-2.5 + 2.0 * torch.rand(count, 1, 1))
    return length * (share.sqrt() * common + (1 - share).sqrt() * own)
