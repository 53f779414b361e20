"""Stage 1: the LLM learns to answer with [SEG], its prompt pointing at the meant name (no images).

Run: ``python -m training.tiny.stage_text --out data/tiny/text.pt --steps 300``
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lisa_model.base_weights import ensure_base_weights
from lisa_model.config import LisaConfig, preset
from lisa_model.language import LanguageModel, Vocabulary
from training.homereason.question import named_answer
from training.homereason.small_talk import SMALL_TALK, draw_small_talk, validation_turns
from training.household.language import IMPLICIT, explicit_intent, implicit_intent
from training.household.taxonomy import Split, load_categories
from training.tiny.name_space import name_vectors
from training.tiny.speed import quicken
from training.tiny.steps import keep, learning_rate
from training.tiny.text_pairs import draw_pair

COSINE_SCALE = 16.0
# Share of intents that name the thing; the others tell its purpose.
EXPLICIT_SHARE = 0.3
# Turns without a thing beside every spoken batch of 32 intents.
SMALL_TALK_ROWS = 4
# Intents that mean two things beside every spoken batch.
PAIR_ROWS = 6
# Validation intents for two things whose answers are looked at.
PAIRS_CHECKED = 64

# Draws (category index, intent).
Draw = Callable[[random.Random], tuple[int, str]]


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


def asked(vocabulary: Vocabulary, turn: str) -> list[int]:
    """Ids of a turn without an image."""
    return [*vocabulary.before_image(), *vocabulary.after_image(), *vocabulary.question(turn)]


def sequence(
    vocabulary: Vocabulary, intent: str, answer: str | None
) -> tuple[list[int], tuple[int, ...]]:
    """Ids without an image, and the positions that predict each [SEG].

    Args:
        answer: the whole answer, or None to stop right where one [SEG] is predicted (cheaper).
    """
    ids = asked(vocabulary, intent)
    full = vocabulary.encode_answer(answer or named_answer(["x"]))
    segs = [at for at, token in enumerate(full) if token == vocabulary.seg]
    return ids + (full if answer else full[: segs[0]]), tuple(len(ids) + at - 1 for at in segs)


def conversation(vocabulary: Vocabulary, turn: str, reply: str | None) -> tuple[list[int], int]:
    """Ids of a turn without a thing, and the position that predicts its reply's first token."""
    ids = asked(vocabulary, turn)
    return ids + (vocabulary.encode_answer(reply) if reply else []), len(ids) - 1


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


def trainable(model: LanguageModel) -> list[dict[str, Any]]:
    """Parameter groups: LoRA, added rows, gamma."""
    lora = [p for n, p in model.named_parameters() if p.requires_grad and "lora_" in n]
    rest = [p for n, p in model.named_parameters() if p.requires_grad and "lora_" not in n]
    return [{"params": lora, "lr": 1e-3}, {"params": rest, "lr": 1e-3}]


def trained_state(model: LanguageModel) -> dict[str, Tensor]:
    """Only what training changes."""
    wanted = {n for n, p in model.named_parameters() if p.requires_grad}
    return {n: t.detach().clone() for n, t in model.state_dict().items() if n in wanted}


@torch.inference_mode()
def accuracy(
    model: LanguageModel, names: Tensor, split: Split, count: int, seed: int, explicit_share: float
) -> tuple[float, float]:
    """Share of intents whose nearest name is right: among all, and among ten random others."""
    rng = random.Random(seed)
    groups = [c.group or c.id for c in load_categories().values()]
    right = ten = 0
    for _ in range(count // 32):
        drawn = [draw_intent(split, rng, explicit_share) for _ in range(32)]
        cosine = F.normalize(seg_prompts(model, [i for _, i in drawn]), dim=1) @ names.T
        for row, (index, _) in enumerate(drawn):
            right += int(cosine[row].argmax() == index)
            others = [k for k in range(len(groups)) if groups[k] != groups[index]]
            rivals = rng.sample(others, 9)
            ten += int(cosine[row, index] > cosine[row, rivals].max())
    return right / (count // 32 * 32), ten / (count // 32 * 32)


@torch.inference_mode()
def first_words(model: LanguageModel, turns: list[str]) -> list[int]:
    """The token that each turn's answer would begin with (greedy, without an image)."""
    out = []
    for turn in turns:
        ids, at = conversation(model.vocabulary, turn, None)
        with torch.autocast("cpu", torch.bfloat16):
            states = model.states(model.embed(torch.tensor([ids])))
            out.append(int(model.logits(states[0, at]).argmax()))
    return out


def seg_prompts(model: LanguageModel, intents: list[str]) -> Tensor:
    """Prompts (n, out_dim) of intents without an image, teacher-forced."""
    rows = [sequence(model.vocabulary, intent, None) for intent in intents]
    width = max(len(ids) for ids, _ in rows)
    batch = torch.tensor([ids + [0] * (width - len(ids)) for ids, _ in rows])
    with torch.autocast("cpu", torch.bfloat16):
        states = model.states(model.embed(batch))
    seg = states[torch.arange(len(rows)), torch.tensor([at for _, (at,) in rows])]
    return model.raw_prompts(seg)


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
    draw: Draw | None = None,
    compiled: bool = True,
    validate: bool = True,
) -> None:
    """Train for a number of steps; goes on from ``out`` when it was interrupted.

    Args:
        explicit_share: of intents that name the thing, 0..1; 1 leaves all purposes out.
        small_talk_rows: turns without a thing beside every spoken batch.
        pair_rows: intents that mean two things beside every spoken batch.
        draw: where intents come from; None for names and purposes of the taxonomy.
        compiled: see :func:`training.tiny.speed.quicken`.
        validate: print at the end how many validation intents are understood.

    Raises:
        ValueError: a share outside 0..1, or fewer rows than none.
    """
    if not 0.0 <= explicit_share <= 1.0:
        raise ValueError(f"explicit_share must be 0..1, got {explicit_share}")
    for name, number in (("small_talk_rows", small_talk_rows), ("pair_rows", pair_rows)):
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
    for group in groups:
        group["peak"] = group["lr"]
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
    pool: list[tuple[int, str]] = []
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
        talk = [
            conversation(model.vocabulary, *draw_small_talk(rng))
            for _ in range(small_talk_rows if spoken else 0)
        ]
        things: list[tuple[tuple[int, ...], str]] = [((k,), intent) for k, intent in drawn]
        if spoken:
            things += [draw_pair("train", rng, explicit_share) for _ in range(pair_rows)]
        rows = [
            sequence(
                model.vocabulary,
                intent,
                named_answer([titles[k] for k in meant]) if spoken else None,
            )
            for meant, intent in things
        ]
        everything = [ids for ids, _ in rows] + [ids for ids, _ in talk]
        # Of every [SEG]: row, position that predicts it, what it means.
        segs = [
            (row, at, k)
            for row, ((_, places), (meant, _)) in enumerate(zip(rows, things, strict=True))
            for at, k in zip(places, meant, strict=True)
        ]
        width = max(len(ids) for ids in everything)
        ids = torch.tensor([r + [0] * (width - len(r)) for r in everything])
        rate = learning_rate(step, steps, warm_up=30, least=0.02)
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * rate
        with torch.autocast("cpu", torch.bfloat16):
            states = model.states(model.embed(ids))
            seg = states[[row for row, _, _ in segs], [at for _, at, _ in segs]]
        prompt = F.normalize(model.raw_prompts(seg), dim=1)
        target = torch.tensor([k for _, _, k in segs])
        loss = F.cross_entropy(COSINE_SCALE * prompt @ names.T, target, label_smoothing=0.05)
        if spoken:
            # "It is [SEG]": the answer's first token is predicted two before [SEG] is.
            begins = [places[0] - 2 for _, places in rows] + [first_at for _, first_at in talk]
            where = [
                (row, position)
                for row, (r, begin) in enumerate(zip(everything, begins, strict=True))
                for position in range(begin, len(r) - 1)
            ]
            picked = states[[r for r, _ in where], [p for _, p in where]]
            follow = torch.tensor([everything[r][p + 1] for r, p in where])
            loss = loss + 0.5 * sampled_answer_loss(model, picked.float(), follow, kept)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for g in groups for p in g["params"]], 1.0)
        optimiser.step()
        right = (prompt @ names.T).argmax(1).eq(target).float().mean().item()
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
        _print_validation(model, names)


def _print_validation(model: LanguageModel, names: Tensor) -> None:
    for share, label in ((0.0, "implicit"), (1.0, "explicit")):
        full, ten = accuracy(model, names, "val", 384, 1, share)
        print(f"val {label}: of 197 {full:.3f}, of ten {ten:.3f}", flush=True)
    rng = random.Random(1)
    pairs = [draw_pair("val", rng, 0.5)[1] for _ in range(PAIRS_CHECKED)]
    for label, turns, titles in (
        ("small talk: answered like a thing", validation_turns(), ["x"]),
        ("pairs: answered with several", pairs, ["x", "x"]),
    ):
        begin = model.vocabulary.encode_answer(named_answer(titles))[0]
        share = sum(token == begin for token in first_words(model, turns)) / len(turns)
        print(f"val {label} {share:.3f} of {len(turns)}", flush=True)


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
