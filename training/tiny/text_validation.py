"""How many validation intents the LLM of the text stage understands, and how it answers."""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from lisa_model.config import LisaConfig
from lisa_model.language import LanguageModel
from lisa_model.reference_keys import pulls
from training.homereason.question import named_answer
from training.homereason.small_talk import validation_turns
from training.household.taxonomy import Split, load_categories
from training.tiny.packing import PackedQuestion, pack_begun, packed_states, seg_places
from training.tiny.reference_losses import PULL, fits
from training.tiny.text_pairs import draw_pair
from training.tiny.text_questions import ROW_QUESTIONS, blank_image, draw_intent
from training.tiny.text_relations import draw_relation

RELATIONS_CHECKED = 192
# Validation intents for two things whose answers are looked at.
PAIRS_CHECKED = 64


@torch.inference_mode()
def accuracy(
    model: LanguageModel,
    config: LisaConfig,
    names: Tensor,
    split: Split,
    count: int,
    seed: int,
    explicit_share: float,
) -> tuple[float, float]:
    """Share of intents whose nearest name fits them: among all, and among ten random others."""
    rng = random.Random(seed)
    groups = [c.group or c.id for c in load_categories().values()]
    drawn = [draw_intent(split, rng, explicit_share) for _ in range(count)]
    prompts = seg_prompts(model, config, [intent for _, intent in drawn])
    cosine = F.normalize(prompts, dim=1) @ names.T
    right = fits(cosine, [target for target, _ in drawn])
    ten = 0
    for row, (target, _) in zip(cosine, drawn, strict=True):
        index = target.category
        fit = {index, *target.others.also, *target.others.near}
        others = [k for k in range(len(groups)) if groups[k] != groups[index] and k not in fit]
        ten += int(row[index] > row[rng.sample(others, 9)].max())
    return float(right.float().mean()), ten / count


@torch.inference_mode()
def directions(model: LanguageModel, config: LisaConfig, count: int) -> float | None:
    """Share of validation intents with a direction ("left of") that are pulled there, at least half
    as strongly as they should be; None for a model without references."""
    rng = random.Random(1)
    drawn = [draw_relation("val", rng, 0.5) for _ in range(2 * count)]
    told = [one for one in drawn if one[0].pull is not None][:count]
    said = model.references(seg_states(model, config, [intent for _, intent in told]))
    if said is None:
        return None
    wanted = torch.tensor([target.pull for target, _ in told])
    along = (pulls(said[0]) * wanted).sum(1) / wanted.abs().sum(1)
    return float((along > PULL / 2).float().mean())


def seg_prompts(model: LanguageModel, config: LisaConfig, intents: Sequence[str]) -> Tensor:
    """Prompts (n, out_dim) of intents without an image, the beginning of the answer given."""
    return model.raw_prompts(seg_states(model, config, intents))


def seg_states(model: LanguageModel, config: LisaConfig, intents: Sequence[str]) -> Tensor:
    """States (n, llm_dim) that predict a [SEG] after the beginning of an answer."""
    return _states(model, config, [pack_begun(model, one) for one in intents])


@torch.inference_mode()
def first_words(model: LanguageModel, config: LisaConfig, turns: Sequence[str]) -> list[int]:
    """The token that each turn's answer would begin with (greedy, without an image)."""
    ids = [model.vocabulary.question(one) for one in turns]
    # In the place of a [SEG] the first word, which the question's last token predicts.
    asked = [PackedQuestion(ids=one, answer_start=len(one), segs=(len(one) - 1,)) for one in ids]
    return [int(token) for token in model.logits(_states(model, config, asked)).argmax(1)]


def _states(model: LanguageModel, config: LisaConfig, asked: list[PackedQuestion]) -> Tensor:
    """States (n, llm_dim) that predict each question's [SEG], in order."""
    rows = [asked[at : at + ROW_QUESTIONS] for at in range(0, len(asked), ROW_QUESTIONS)]
    with torch.autocast("cpu", torch.bfloat16):
        states, starts = packed_states(model, blank_image(config, len(rows)), rows)
    return states[seg_places(rows, starts)]


def print_validation(model: LanguageModel, config: LisaConfig, names: Tensor) -> None:
    """Print how many validation intents are understood."""
    for share, label in ((0.0, "implicit"), (1.0, "explicit")):
        full, ten = accuracy(model, config, names, "val", 384, 1, share)
        print(f"val {label}: of 197 {full:.3f}, of ten {ten:.3f}", flush=True)
    if (right := directions(model, config, RELATIONS_CHECKED)) is not None:
        print(f"val relations: in the right direction {right:.3f}", flush=True)
    rng = random.Random(1)
    pairs = [draw_pair("val", rng, 0.5)[1] for _ in range(PAIRS_CHECKED)]
    for label, turns, titles in (
        ("small talk: answered like a thing", validation_turns(), ["x"]),
        ("pairs: answered with several", pairs, ["x", "x"]),
    ):
        begin = model.vocabulary.encode_answer(named_answer(titles))[0]
        share = sum(one == begin for one in first_words(model, config, turns)) / len(turns)
        print(f"val {label} {share:.3f} of {len(turns)}", flush=True)
