"""Losses of what the [SEG] of the joint stage mark in a view."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from lisa_model.mask_head import ImageFeatures
from lisa_model.model import LisaModel
from lisa_model.reference import Reference, chances, joined, no_reference
from training.household.taxonomy import category_index
from training.tiny.features import LoadedView, target_masks
from training.tiny.joint_questions import Target
from training.tiny.losses import (
    choice_loss,
    mask_iou,
    mask_losses,
    own_patches,
    patch_shares,
)
from training.tiny.places import clicks, point_loss, things_loss
from training.tiny.stage_vision import PROMPT_NOISE, dense_alignment_loss, noisy_prompts
from training.tiny.views import draw_absent, view_tensors, view_windows

# Share of [SEG] that are decoded without their reference: a kept prompt has none (follow mode).
WITHOUT_REFERENCE = 0.2
# A prompt that is like what is meant by this share of its likeness to anything means that, too: a
# blend of two kinds of things that the words fit.
MEANT = 0.7


@dataclass(frozen=True)
class Seg:
    """One [SEG] that the LLM has predicted: which frame, what it means, and its prompts.

    Attributes:
        reference: one row; None of a model without.
    """

    row: int
    target: Target
    prompt: Tensor
    reference: Reference | None


def as_meant(prompts: Tensor, wanted: Tensor, names: Tensor) -> Tensor:
    """Prompts, with the name of what is meant in the place of those that say something else.

    Where the LLM errs, the masks are not to learn that the word for a suitcase marks the backpack:
    then they would find something for every word. What the LLM should have said it learns from the
    names.

    Args:
        prompts: (..., out_dim).
        wanted: (...) taxonomy indices; -1 where the words tell no category.
        names: (categories, out_dim) of unit length.
    """
    like = F.normalize(prompts, dim=-1) @ names.T
    mine = like.gather(-1, wanted.clamp(min=0)[..., None])[..., 0]
    wrong = (wanted >= 0) & (mine < MEANT * like.amax(-1))
    right = noisy_prompts(names, wanted.clamp(min=0), PROMPT_NOISE)
    return torch.where(wrong[..., None], right.to(prompts.dtype), prompts)


def absent_segs(
    views: Sequence[LoadedView], names: Tensor, key_dim: int, count: int, rng: random.Random
) -> list[Seg]:
    """Prompts for things that the views' frames do not show.

    Questions that nothing fits are few; without these, the mask head would forget in this stage
    that what is asked for may be missing.

    Args:
        views: whole frames.
        names: (categories, out_dim).
        key_dim: of the mask head; 0 for none.
        count: of each frame.
        rng: decides which.
    """
    index = category_index()
    out = []
    for row, view in enumerate(views):
        here = {item["category"] for item in view.instances}
        for _ in range(count):
            if (gone := draw_absent(here, names, rng)) is None:
                break
            prompt = noisy_prompts(names, torch.tensor([index[gone]]), PROMPT_NOISE)
            reference = no_reference(prompt, key_dim) if key_dim else None
            out.append(Seg(row, Target(index[gone], ()), prompt[0], reference))
    return out


def decode_views(
    model: LisaModel,
    features: ImageFeatures | None,
    views: Sequence[LoadedView],
    segs: list[Seg],
    names: Tensor,
    rng: random.Random,
    *,
    whole: ImageFeatures | None = None,
) -> tuple[dict[str, Tensor], float]:
    """Losses of every [SEG] whose target a view shows or is absent; mean IoU of the shown ones.

    Args:
        features: of the views, when they are computed already.
        views: one for each row, of one grid size.
        whole: of the frames that the views are parts of; None where the views are whole frames.
    """
    shown = [
        [seg for seg in segs if seg.row == row and shows(view, seg.target)]
        for row, view in enumerate(views)
    ]
    chosen = [seg for group in shown for seg in group]
    if not chosen:
        return {}, 0.0
    targets = [
        target_masks(view.ids, [seg.target.ids for seg in group])
        for view, group in zip(views, shown, strict=True)
        if group
    ]
    rows = torch.tensor([seg.row for seg in chosen])
    target = torch.cat(targets)
    reference = located = None
    references = [seg.reference for seg in chosen if seg.reference is not None]
    prompts = torch.stack([s.prompt for s in chosen])
    if references:
        kept = torch.tensor([float(rng.random() >= WITHOUT_REFERENCE) for _ in chosen])
        # Without it only what is one of its kind in the frame has one right mask.
        alone = torch.tensor([float(is_alone(views[s.row], s.target)) for s in chosen])
        reference = joined(references).scaled(torch.maximum(kept, 1 - alone))
    with torch.autocast("cpu", torch.bfloat16):
        if features is None:
            features = model.mask_head.encode(*view_tensors(views), view_windows(views))
        mine = features.select(rows)
        terms = {}
        if reference is not None:
            assert mine.grid is not None
            own = own_patches(patch_shares(target))
            head = model.mask_head
            frames = mine if whole is None else whole.select(rows)
            located = head.locate(frames, prompts, reference)
            context = located.context
            if whole is None:
                chance = chances(located.appeals, located.candidate, head.reference_candidate)
                terms["point"] = point_loss(chance, own)
            else:
                located = head.locate(mine, prompts, reference, context)
            located = located.clicked(clicks(context.point, own, mine.grid.float()))
        logits, iou, similarity = model.mask_head(mine, prompts, reference, located)
    terms |= mask_losses(logits.float(), iou.float(), similarity.float(), target)
    each = similarity.float().split([len(group) for group in shown])
    choices = [choice_of(*one) for one in zip(views, shown, each, strict=True)]
    terms["choice"] = 0.5 * torch.cat(choices).sum() / max(1, sum(len(one) for one in choices))
    category = torch.tensor([seg.target.category for seg in chosen])
    terms["dense"] = 0.5 * dense_alignment_loss(
        features.aligned, target, owner=rows, category=category, names=names
    )
    if features.things is not None:
        terms["things"] = 0.5 * things_loss(features.things.float(), views)
    there = torch.tensor([bool(seg.target.ids) for seg in chosen])
    found = mask_iou(logits.float(), target)[there]
    return terms, float(found.mean()) if len(found) else 0.0


def choice_of(view: LoadedView, segs: Sequence[Seg], similarity: Tensor) -> Tensor:
    """:func:`training.tiny.losses.choice_loss` of the [SEG] (n) of one view that mark something.

    Args:
        similarity: (n, h, w).
    """
    there = [k for k, seg in enumerate(segs) if seg.target.ids]
    if not there:
        return similarity.new_zeros(0)
    things = [item["id"] for item in view.instances]
    shares = patch_shares(target_masks(view.ids, [(one,) for one in things]))
    wanted = torch.tensor([[one in segs[k].target.ids for one in things] for k in there])
    return choice_loss(similarity[there], shares, wanted)


def shows(view: LoadedView, target: Target) -> bool:
    """Whether all of a target is in a view, large enough to be asked for."""
    return set(target.ids) <= {item["id"] for item in view.instances}


def is_alone(view: LoadedView, target: Target) -> bool:
    """Whether a view shows no other thing of the target's kind, so that its kind says enough."""
    if target.generic or not target.ids:
        return False
    kind = {item["category"] for item in view.instances if item["id"] in target.ids}
    return all(i["id"] in target.ids for i in view.instances if i["category"] in kind)
