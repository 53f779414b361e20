"""Stage 2: the mask head learns from names (no LLM): patch-name alignment, then masks.

Run: ``python -m training.tiny.stage_vision --features data/tiny/features/train --out FILE``
"""

from __future__ import annotations

import argparse
import random
import time
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from lisa_model.config import LisaConfig, preset
from lisa_model.mask_head import ImageFeatures, MaskHead
from lisa_model.reference import Located, Reference, no_reference
from training.tiny.extents import gather_extents, train_extents
from training.tiny.losses import mask_iou, mask_losses, own_patches, patch_shares
from training.tiny.name_space import COSINE_SCALE, name_vectors
from training.tiny.patch_bank import gather, train_align
from training.tiny.places import clicks, things_loss
from training.tiny.steps import keep, set_rates
from training.tiny.thing_bank import gather_things
from training.tiny.views import ViewBatch, ViewStore, view_windows

# Length of the noise on a name's vector, in its own lengths: about how far the LLM's prompts are.
PROMPT_NOISE = 0.6
# Things of a view that a click alone tells, beside those that are named.
CLICKED = 2


def dense_alignment_loss(
    aligned: Tensor, target: Tensor, *, owner: Tensor, category: Tensor, names: Tensor
) -> Tensor:
    """Cross entropy of every patch that a thing covers against the names of all categories.

    Each thing weighs the same, however many patches it covers, up to a square root.

    Args:
        aligned: (B, out_dim, h, w) patch vectors of the views.
        target: (n, 4h, 4w) soft masks of the things.
        owner, category: (n,) view and taxonomy index of each thing.
        names: (categories, out_dim).
    """
    mine = own_patches(patch_shares(target))
    question, y, x = mine.nonzero(as_tuple=True)
    if len(question) == 0:
        return aligned.sum() * 0.0
    vectors = aligned[owner[question], :, y, x].float()
    weight = mine.flatten(1).sum(1).float().rsqrt()[question]
    loss = F.cross_entropy(
        COSINE_SCALE * vectors @ names.T,
        category[question],
        reduction="none",
        label_smoothing=0.05,
    )
    return (loss * weight).sum() / weight.sum()


def noisy_prompts(names: Tensor, category: Tensor, noise: float) -> Tensor:
    """Name vectors as [SEG] prompts, disturbed about as the LLM's prompts will be."""
    vectors = names[category]
    length = vectors.shape[-1] ** 0.5
    return F.normalize(vectors + noise * torch.randn_like(vectors) / length, dim=-1)


def clicked(
    head: MaskHead, features: ImageFeatures, prompts: Tensor, batch: ViewBatch
) -> tuple[Reference | None, Located | None]:
    """References of a batch and what patches say to them: no words say which thing, a click does.

    Args:
        head: None comes back for one without references.
        features: one row for each question.
        prompts: (n, out_dim).
        batch: the questions.
    """
    if not head.key_dim:
        return None, None
    assert features.grid is not None
    reference = replace(no_reference(prompts, head.key_dim), generic=batch.generic.float())
    located = head.locate(features, prompts, reference)
    own = own_patches(patch_shares(batch.target))
    point = clicks(located.context.point, own, features.grid.float())
    return reference, located.clicked(point)


def learn_names(
    head: MaskHead, store: ViewStore, names: Tensor, out: Path, *, steps: int, seed: int
) -> None:
    """Learn what patches show, what masks show, and the extents of things; each is kept beside
    ``out``, and read from there when it was done before."""
    parts = {"align": head.align, "naming": head.naming, "extents": head.extents}
    for name, layers in parts.items():
        if layers is None:
            continue
        kept = out.with_suffix(f".{name}")
        if kept.exists():
            layers.load_state_dict(torch.load(kept, weights_only=True))
            continue
        store.refresh()
        views = (view for frame in store.frames.values() for view in frame)
        if name == "extents":
            train_extents(layers, gather_extents(views, seed=seed), steps=steps, seed=seed)
        else:
            bank = (gather if name == "align" else gather_things)(views, seed=seed)
            train_align(layers, bank, names, steps=steps, seed=seed)
        keep(layers.state_dict(), kept)


def train(
    *,
    config: LisaConfig,
    features: Path,
    out: Path,
    steps: int,
    align_steps: int,
    seed: int,
) -> None:
    """Train for a number of steps; goes on from ``out`` when it was interrupted.

    Args:
        config: of the model.
        features: folder of cached views.
        out: file of the mask head's weights.
        steps: in which masks are learnt.
        align_steps: before them, of the names of patches, and of the names of masks; 0 for none.
        seed: of all that is drawn.
    """
    torch.manual_seed(seed)
    rng = random.Random(seed)
    names = name_vectors(config.out_dim)
    head = MaskHead(config=config)
    store = ViewStore(folder=features)
    state_file = out.with_suffix(".state")
    if align_steps and not state_file.exists():
        learn_names(head, store, names, out, steps=align_steps, seed=seed)
    # The aligned space is learnt already: with masks it only settles. Names of masks and extents
    # are not learnt from masks.
    align = [p for n, p in head.named_parameters() if n.startswith("align")]
    done = ("align", "naming", "extents")
    other = [p for n, p in head.named_parameters() if not n.startswith(done)]
    optimiser = torch.optim.AdamW(
        [{"params": align, "lr": 2e-4}, {"params": other, "lr": 8e-4}],
        weight_decay=0.02,
        betas=(0.9, 0.98),
    )
    anything = CLICKED if head.key_dim else 0
    masks = store.batches(views=8, questions=5, anything=anything, absent=0.4, names=names, rng=rng)
    step = 0
    if state_file.exists():
        saved = torch.load(state_file, weights_only=True)
        head.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
        step = saved["step"]
        rng.seed(f"{seed}/{step}")

    def save() -> None:
        state = {"model": head.state_dict(), "optimiser": optimiser.state_dict(), "step": step}
        keep(state, state_file)
        torch.save(head.state_dict(), out)

    started, first = time.time(), step
    average: dict[str, float] = {}
    while step < steps:
        batch = next(masks)
        set_rates(optimiser, step, steps, warm_up=100, least=0.01)
        with torch.autocast("cpu", torch.bfloat16):
            encoded = head.encode(batch.vision, batch.rgb, view_windows(batch.views))
            prompts = noisy_prompts(names, batch.category, PROMPT_NOISE)
            mine = encoded.select(batch.owner)
            reference, located = clicked(head, mine, prompts, batch)
            logits, iou, similarity = head(mine, prompts, reference, located)
        terms = {
            "dense": dense_alignment_loss(
                encoded.aligned.float(),
                batch.target,
                owner=batch.owner,
                category=batch.category,
                names=names,
            )
        }
        named = ~batch.generic
        terms |= mask_losses(
            logits.float(), iou.float(), similarity.float()[named], batch.target, batch.kind[named]
        )
        if encoded.things is not None:
            terms["things"] = 0.5 * things_loss(encoded.things.float(), batch.views)
        loss = torch.stack(list(terms.values())).sum()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(head.parameters(), 1.0)
        optimiser.step()
        step += 1
        seen = {k: float(v.detach()) for k, v in terms.items()}
        present = batch.target.flatten(1).amax(1) > 0.5
        found = mask_iou(logits.float(), batch.target)[present].mean().item()
        seen["zoom_iou" if batch.views[0].view.zoomed else "whole_iou"] = found
        for key, value in seen.items():
            average[key] = average.get(key, value) + 0.03 * (value - average.get(key, value))
        if step % 25 == 0:
            line = " ".join(f"{k} {v:.3f}" for k, v in average.items())
            each = (time.time() - started) / (step - first)
            left = each * (steps - step) / 60
            print(f"{step}/{steps} {each:.2f} s each, {left:.1f} min left, {line}", flush=True)
        if step % 100 == 0:
            save()
    save()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--align-steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    train(
        config=preset("lisa-tiny"),
        features=args.features,
        out=args.out,
        steps=args.steps,
        align_steps=args.align_steps,
        seed=args.seed,
    )


if __name__ == "__main__":
    main()
