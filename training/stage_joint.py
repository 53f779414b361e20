"""Stage 3: everything together: image + intent -> answer with [SEG] -> masks.

Run: ``python -m training.stage_joint --features data/tiny/features/train
--text data/tiny/text.pt --vision data/tiny/vision.pt --out data/tiny/joint --steps 400``
"""

from __future__ import annotations

import argparse
import math
import random
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from lisa_model.config import LisaConfig, preset
from lisa_model.model import LisaModel
from training.features import View, target_masks
from training.household.language import IMPLICIT, explicit_intent, implicit_intent
from training.household.taxonomy import load_categories
from training.losses import mask_iou, mask_losses
from training.name_space import name_vectors
from training.packing import PackedQuestion, pack, pack_question
from training.small_talk import draw_small_talk
from training.stage_text import (
    COSINE_SCALE,
    answer_for,
    answer_vocabulary,
    sampled_answer_loss,
)
from training.stage_vision import dense_alignment_loss
from training.views import ViewBatch, ViewStore, flip, view_tensors

# Share of frames that are also asked something that no thing answers.
SMALL_TALK_SHARE = 0.6


@dataclass(frozen=True)
class Asked:
    """One question: its category, or None for small talk."""

    category: int | None
    packed: PackedQuestion


def ask(model: LisaModel, view: View, count: int, spoken: bool, rng: random.Random) -> list[Asked]:
    """Questions about the things of a frame (unambiguous ones), and now and then small talk."""
    categories = load_categories()
    index = {name: k for k, name in enumerate(categories)}
    here = sorted({item["category"] for item in view.instances})
    groups = [categories[name].group or name for name in here]
    out = []
    for name in rng.sample(here, min(count, len(here))):
        category = categories[name]
        intent = None
        if groups.count(category.group or name) == 1 and rng.random() < 0.65:
            intent = implicit_intent(category, "train", rng.choice(IMPLICIT), rng)
        if intent is None:
            intent = explicit_intent(category, "train", rng)
        packed = pack_question(model.language, intent, answer_for(category.title), spoken)
        out.append(Asked(index[name], packed))
    if rng.random() < SMALL_TALK_SHARE:
        turn, reply = draw_small_talk(rng)
        out.append(Asked(None, pack_question(model.language, turn, reply, True)))
    return out


def decode_views(
    model: LisaModel,
    views: list[View],
    asked: list[list[Asked]],
    prompts: list[list[Tensor | None]],
    names: Tensor,
) -> tuple[dict[str, Tensor], float]:
    """Losses of every question on every view (of one grid size) that shows its target."""
    order = list(load_categories())
    vision, rgb = view_tensors(views)
    owner, category, chosen, targets = [], [], [], []
    for row, (view, questions, mine) in enumerate(zip(views, asked, prompts, strict=True)):
        wanted = []
        for question, prompt in zip(questions, mine, strict=True):
            if question.category is None or prompt is None:
                continue
            name = order[question.category]
            ids = tuple(i["id"] for i in view.instances if i["category"] == name)
            if ids:
                wanted.append(ids)
                owner.append(row)
                category.append(question.category)
                chosen.append(prompt)
        if wanted:
            targets.append(target_masks(view.ids, wanted))
    if not owner:
        return {}, 0.0
    rows, target = torch.tensor(owner), torch.cat(targets)
    head = model.mask_head
    with torch.autocast("cpu", torch.bfloat16):
        features = head.encode(vision, rgb)
        logits, iou, similarity = head(features.select(rows), torch.stack(chosen))
    terms = mask_losses(logits.float(), iou.float(), similarity.float(), target)
    batch = ViewBatch(vision, rgb, rows, torch.tensor(category), target, views)
    terms["dense"] = 0.5 * dense_alignment_loss(features, batch, names)
    return terms, float(mask_iou(logits.float(), target).mean())


def train(
    *,
    config: LisaConfig,
    features: Path,
    text: Path,
    vision: Path,
    out: Path,
    steps: int,
    frames: int,
    questions: int,
    seed: int,
    language_only: bool,
) -> None:
    """Train everything that ships; writes ``out`` as a model folder, resumes from it."""
    torch.manual_seed(seed)
    rng = random.Random(seed)
    names = name_vectors(config.out_dim)
    model = LisaModel.from_base(config=config, llm_dtype=torch.bfloat16)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    model.language.load_state_dict(torch.load(text, weights_only=True)["model"], strict=False)
    model.mask_head.load_state_dict(torch.load(vision, weights_only=True))
    assert model.language.codebook is not None, "lisa-tiny has a codebook"
    model.language.codebook.copy_(names)
    language = [p for p in model.language.parameters() if p.requires_grad]
    head = list(model.mask_head.parameters())
    projector = list(model.projector.parameters())
    # Visual tokens start silent: the text stage has never seen one.
    torch.nn.init.normal_(projector[-2], std=0.002)
    torch.nn.init.zeros_(projector[-1])
    optimiser = torch.optim.AdamW(
        [
            {"params": language, "lr": 5e-4},
            {"params": head, "lr": 5e-4},
            {"params": projector, "lr": 5e-4},
        ],
        weight_decay=0.01,
        betas=(0.9, 0.98),
    )
    for group in optimiser.param_groups:
        group["peak"] = group["lr"]
    state_file = out / "optimiser.pt"
    step = 0
    if state_file.exists():
        saved = torch.load(state_file, weights_only=True)
        model.load_trained(saved["model"], source=str(state_file))
        optimiser.load_state_dict(saved["optimiser"])
        step = saved["step"]
        rng.seed(f"{seed}/{step}")

    def save() -> None:
        out.mkdir(parents=True, exist_ok=True)
        state = {"model": model.trained_state(), "optimiser": optimiser.state_dict(), "step": step}
        part = state_file.with_suffix(".part")
        torch.save(state, part)
        part.rename(state_file)
        model.save_trained(out)

    kept = answer_vocabulary(model.language.vocabulary)
    store = ViewStore(folder=features)
    average: dict[str, float] = {}
    started, first = time.time(), step
    while step < steps:
        store.refresh()
        spoken = language_only or step % 3 == 0
        groups = rng.sample(list(store.frames.values()), frames)
        groups = [[flip(v) for v in g] if rng.random() < 0.5 else g for g in groups]
        groups = [g for g in groups if g[0].instances]
        whole = [g[0] for g in groups]
        crops = [rng.choice(g[1:]) if len(g) > 1 else g[0] for g in groups]
        asked = [ask(model, view, questions, spoken, rng) for view in whole]
        rate = min(1.0, (step + 1) / 30) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * max(rate, 0.02)
        visual = model.projector(view_tensors(whole)[0])
        with torch.autocast("cpu", torch.bfloat16):
            batch = pack(model.language, visual, [[a.packed for a in q] for q in asked])
            states = model.language.states(
                batch.embeddings, mask=batch.mask, position_ids=batch.positions
            )
        prompts: list[list[Tensor | None]] = []
        cosine, targets, spoken_states, spoken_ids = [], [], [], []
        for row, (mine, starts) in enumerate(zip(asked, batch.starts, strict=True)):
            prompts.append([])
            for item, start in zip(mine, starts, strict=True):
                packed = item.packed
                if packed.seg is not None:
                    state = states[row, start + packed.seg]
                    prompts[-1].append(model.language.prompts(state))
                    raw = model.language.raw_prompts(state)
                    cosine.append(F.normalize(raw, dim=0) @ names.T)
                    targets.append(item.category)
                else:
                    prompts[-1].append(None)
                for at in range(packed.answer_start, len(packed.ids)):
                    spoken_states.append(states[row, start + at - 1])
                    spoken_ids.append(packed.ids[at])
        terms = {
            "name": F.cross_entropy(
                COSINE_SCALE * torch.stack(cosine), torch.tensor(targets), label_smoothing=0.05
            ),
            "answer": 0.3
            * sampled_answer_loss(
                model.language, torch.stack(spoken_states).float(), torch.tensor(spoken_ids), kept
            ),
        }
        decoded = [] if language_only else [("whole", whole), ("zoom", crops)]
        for label, views in decoded:
            if len({v.vision.shape for v in views}) > 1:
                continue  # a mixed batch of aspect ratios; rare
            some, found = decode_views(model, views, asked, prompts, names)
            for key, value in some.items():
                terms[key] = terms.get(key, torch.zeros(())) + 0.5 * value
            average[label] = average.get(label, found) + 0.03 * (found - average.get(label, found))
        loss = torch.stack(list(terms.values())).sum()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(language + head + projector, 1.0)
        optimiser.step()
        step += 1
        for key, value in terms.items():
            seen = float(value.detach())
            average[key] = average.get(key, seen) + 0.03 * (seen - average.get(key, seen))
        if step % 5 == 0:
            each = (time.time() - started) / (step - first)
            line = " ".join(f"{k} {v:.3f}" for k, v in average.items())
            left = each * (steps - step) / 60
            print(f"{step}/{steps} {each:.2f} s each, {left:.1f} min left, {line}", flush=True)
        if step % 50 == 0:
            save()
    save()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--vision", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--frames", type=int, default=5)
    parser.add_argument("--questions", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--language-only", action="store_true", help="leave the mask head as it is")
    args = parser.parse_args()
    train(config=preset("lisa-tiny"), **vars(args))


if __name__ == "__main__":
    main()
