"""Stage 1: the LLM learns to answer with [SEG], its prompt pointing at the meant name (no images).

In the place of an image stand tokens that say nothing (:func:`blank_image`).

Run: ``python -m training.tiny.stage_text --out data/tiny/text.pt --steps 300``
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lisa_model.base_weights import ensure_base_weights
from lisa_model.config import LisaConfig, preset
from lisa_model.language import LanguageModel, Vocabulary
from training.homereason.question import named_answer
from training.homereason.small_talk import SMALL_TALK, draw_small_talk
from training.household.taxonomy import load_categories
from training.tiny.joint_questions import Target
from training.tiny.name_space import name_vectors
from training.tiny.packing import (
    PackedQuestion,
    answer_places,
    pack_begun,
    pack_question,
    packed_states,
    seg_places,
)
from training.tiny.reference_losses import name_loss, reference_losses
from training.tiny.speed import quicken
from training.tiny.steps import keep, set_rates
from training.tiny.text_pairs import draw_pair
from training.tiny.text_questions import TextQuestion, blank_image, draw_intent, even_rows
from training.tiny.text_relations import draw_relation
from training.tiny.text_validation import print_validation

# Share of intents that name the thing; the others tell its purpose.
EXPLICIT_SHARE = 0.3
# Turns without a thing beside every spoken batch of 32 intents.
SMALL_TALK_ROWS = 4
# Intents that mean two things beside every spoken batch.
PAIR_ROWS = 6
# Intents that a relation decides beside every batch.
RELATION_ROWS = 12
# Draws an intent and the thing that it means, without ids.
Draw = Callable[[random.Random], tuple[Target, str]]


def answer_vocabulary(vocabulary: Vocabulary) -> Tensor:
    """Ids that occur in any answer (sampled softmax always contains them)."""
    ids = {vocabulary.seg, vocabulary.eos}
    for category in load_categories().values():
        for things in (1, 2):
            ids.update(vocabulary.encode_answer(named_answer([category.title] * things)))
    for group in SMALL_TALK:
        ids.update(vocabulary.encode_answer(group.reply))
    return torch.tensor(sorted(ids))


def sampled_answer_loss(
    model: LanguageModel, states: Tensor, targets: Tensor, kept: Tensor, extra: int = 8192
) -> Tensor:
    """Cross entropy of answer tokens over the answer vocabulary and random other tokens.

    The full softmax over 49,152 tokens costs more than the LLM's forward pass here; the sampled
    negatives keep the rest of the vocabulary down.

    Args:
        states: (n, llm_dim) states that predict ``targets`` (n,).
        kept: ids that are always among them. The words of the questions should be: an LLM likes to
            repeat them ("It is coffee").
        extra: random others.
    """
    size = model.vocabulary.base_size
    noise = torch.randint(0, size, (extra,), device=kept.device)
    base = torch.unique(torch.cat([kept[kept < size], noise]))
    table = model.base.get_output_embeddings().weight[base].to(states.dtype)
    added = model.added_head.to(states.dtype)
    # Each random token stands for all those that were not drawn; without the correction they
    # would be held down too little, and win where the whole vocabulary competes.
    drawn = ~torch.isin(base, kept)
    weight = math.log((size - len(kept)) / max(1, int(drawn.sum())))
    known = F.linear(states, table).float() + weight * drawn.float()
    logits = torch.cat([known, F.linear(states, added).float()], dim=1)
    where = torch.searchsorted(base, targets.clamp(max=size - 1))
    where = torch.where(targets >= size, len(base) + targets - size, where)
    return F.cross_entropy(logits, where)


def with_questions(kept: Tensor, asked: Iterable[PackedQuestion]) -> Tensor:
    """Ids of ``kept`` and of all words of packed questions, each once, in order."""
    words = sorted({word for one in asked for word in one.ids})
    return torch.unique(torch.cat([kept, torch.tensor(words, dtype=kept.dtype)]))


def trainable(model: LanguageModel) -> list[dict[str, Any]]:
    """Parameter groups: LoRA, added rows, gamma."""
    lora = [p for n, p in model.named_parameters() if p.requires_grad and "lora_" in n]
    rest = [p for n, p in model.named_parameters() if p.requires_grad and "lora_" not in n]
    return [{"params": lora, "lr": 1e-3}, {"params": rest, "lr": 1e-3}]


def trained_state(model: LanguageModel) -> dict[str, Tensor]:
    """Only what training changes."""
    wanted = {n for n, p in model.named_parameters() if p.requires_grad}
    return {n: t.detach().clone() for n, t in model.state_dict().items() if n in wanted}


def train(
    *,
    config: LisaConfig,
    out: Path,
    steps: int,
    batch: int,
    seed: int,
    explicit_share: float = EXPLICIT_SHARE,
    small_talk_rows: int = SMALL_TALK_ROWS,
    pair_rows: int = PAIR_ROWS,
    relation_rows: int = RELATION_ROWS,
    draw: Draw | None = None,
    compiled: bool = True,
    validate: bool = True,
) -> None:
    """Train for a number of steps; goes on from ``out`` when it was interrupted.

    Args:
        explicit_share: of intents that name the thing, 0..1; 1 leaves all purposes out.
        small_talk_rows: turns without a thing beside every spoken batch.
        pair_rows: intents that mean two things beside every spoken batch.
        relation_rows: intents that a relation decides beside every batch.
        draw: where intents come from; None for names and purposes of the taxonomy.
        compiled: see :func:`training.tiny.speed.quicken`.
        validate: print at the end how many validation intents are understood.

    Raises:
        ValueError: a share outside 0..1, or fewer rows than none.
    """
    if not 0.0 <= explicit_share <= 1.0:
        raise ValueError(f"explicit_share must be 0..1, got {explicit_share}")
    rows_of = {"small_talk_rows": small_talk_rows, "pair_rows": pair_rows}
    for name, number in (rows_of | {"relation_rows": relation_rows}).items():
        if number < 0:
            raise ValueError(f"{name} must be at least 0, got {number}")
    torch.manual_seed(seed)
    rng = random.Random(seed)
    names = name_vectors(config.out_dim)
    folder = ensure_base_weights(config.llm)
    model = LanguageModel.from_base(config=config, folder=folder, dtype=torch.bfloat16)
    model.reset_added_tokens()
    for p in model.parameters():
        if p.requires_grad:
            p.data = p.data.float()
    quicken(model, compiled=compiled)
    kept = answer_vocabulary(model.vocabulary)
    titles = [c.title for c in load_categories().values()]
    groups = trainable(model)
    optimiser = torch.optim.AdamW(groups, weight_decay=0.01, betas=(0.9, 0.98))
    step, mean = 0, 0.0
    if out.exists():
        saved = torch.load(out, weights_only=True)
        model.load_state_dict(saved["model"], strict=False)
        optimiser.load_state_dict(saved["optimiser"])
        step = saved["step"]
        rng.seed(f"{seed}/{step}")

    def save() -> None:
        state = {"model": trained_state(model), "optimiser": optimiser.state_dict(), "step": step}
        keep(state, out)

    started, first = time.time(), step
    pool: list[tuple[Target, str]] = []
    while step < steps:
        if not pool:
            pool = [
                draw_intent("train", rng, explicit_share) if draw is None else draw(rng)
                for _ in range(batch * 8)
            ]
            pool.sort(key=lambda item: len(item[1]))
            chunks = [pool[i : i + batch] for i in range(0, len(pool), batch)]
            rng.shuffle(chunks)
            pool = [item for chunk in chunks for item in chunk]
        drawn, pool = pool[:batch], pool[batch:]
        spoken = step % 4 == 0
        meant: list[tuple[tuple[Target, ...], str]] = [((one,), intent) for one, intent in drawn]
        if spoken:
            meant += [draw_pair("train", rng, explicit_share) for _ in range(pair_rows)]
        asked = [
            TextQuestion(
                pack_question(
                    model, intent, named_answer([titles[one.category] for one in things]), spoken
                ),
                things,
            )
            for things, intent in meant
        ]
        for _ in range(relation_rows):
            target, intent = draw_relation("train", rng, explicit_share)
            asked.append(TextQuestion(pack_begun(model, intent), (target,)))
        for _ in range(small_talk_rows if spoken else 0):
            asked.append(TextQuestion(pack_question(model, *draw_small_talk(rng), True), ()))
        rows = even_rows(asked)
        set_rates(optimiser, step, steps, warm_up=30, least=0.02)
        questions = [[one.packed for one in row] for row in rows]
        with torch.autocast("cpu", torch.bfloat16):
            states, starts = packed_states(model, blank_image(config, len(rows)), questions)
        predict = states[seg_places(questions, starts)].float()
        targets = [one for row in rows for question in row for one in question.targets]
        loss, right = name_loss(model.raw_prompts(predict), targets, names)
        if relation_rows and (said := model.references(predict)) is not None:
            terms = reference_losses(*said, targets, names)
            loss = loss + torch.stack(list(terms.values())).sum()
        if spoken:
            where, follow = answer_places(questions, starts)
            others = with_questions(kept, (one for row in questions for one in row))
            loss = loss + 0.5 * sampled_answer_loss(model, states[where].float(), follow, others)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for g in groups for p in g["params"]], 1.0)
        optimiser.step()
        mean += 0.05 * (right - mean)
        step += 1
        if step % 10 == 0:
            each = (time.time() - started) / (step - first)
            left = each * (steps - step) / 60
            print(
                f"step {step}/{steps} {each:.2f} s each, {left:.1f} min left, "
                f"loss {loss.item():.3f} right {mean:.3f}",
                flush=True,
            )
        if step % 50 == 0:
            save()
    save()
    if validate:
        print_validation(model, config, names)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-compile", action="store_true", help="where no C++ compiler is")
    args = parser.parse_args()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    train(
        config=preset("lisa-tiny"),
        out=args.out,
        steps=args.steps,
        batch=args.batch,
        seed=args.seed,
        compiled=not args.no_compile,
    )


if __name__ == "__main__":
    main()
