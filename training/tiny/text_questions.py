"""What the LLM is asked in the text stage, and the sequences that hold it."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lisa_model.config import LisaConfig
from training.household.language import IMPLICIT, explicit_intent, implicit_intent
from training.household.taxonomy import Split, load_categories
from training.tiny.joint_questions import Target
from training.tiny.packing import PackedQuestion

# Questions that share a sequence, at most: its blank image costs as much as three of them.
ROW_QUESTIONS = 12


@dataclass(frozen=True)
class TextQuestion:
    """An intent or a turn of small talk, and what each [SEG] means."""

    packed: PackedQuestion
    targets: tuple[Target, ...]


def draw_intent(split: Split, rng: random.Random, explicit_share: float) -> tuple[int, str]:
    """A random (category index, intent)."""
    categories = list(load_categories().values())
    while True:
        index = rng.randrange(len(categories))
        if rng.random() < explicit_share:
            return index, explicit_intent(categories[index], split, rng)
        intent = implicit_intent(categories[index], split, rng.choice(IMPLICIT), rng)
        if intent is not None:
            return index, intent


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
