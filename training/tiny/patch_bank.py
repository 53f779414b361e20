"""Patches of all cached views in one table, and the alignment of patches with names trained on it.

What a patch shows is learnt patch by patch, so a step needs neither whole views nor a mask head:
thousands of patches of hundreds of frames at once, and several passes over all of them, cost less
than a few views. Such a step also sees every kind of thing, which few views never do.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from lisa_model.mask_head import PRESENCE_SCALE, PatchAlign
from training.household.taxonomy import category_index
from training.tiny.features import View, target_masks
from training.tiny.losses import own_patches, patch_shares
from training.tiny.steps import set_rates

# Patches kept of a thing and of a view's background, at most.
THING_PATCHES = 16
BACKGROUND_PATCHES = 24
BACKGROUND = -1
# What background patches together count in the loss, beside the things' 1.
BACKGROUND_WEIGHT = 0.5
SMOOTHING = 0.05


@dataclass(frozen=True)
class PatchBank:
    """Patches of things and of background, or means of some (:mod:`training.tiny.thing_bank`).

    Attributes:
        vectors: (n, vision_dim) float16 features of the frozen encoder.
        category: (n,) int64 taxonomy index; ``BACKGROUND`` where no thing is.
        weight: (n,) float32: a thing counts with the root of its patches in its view, as in
            :func:`training.tiny.stage_vision.dense_alignment_loss`.
    """

    vectors: Tensor
    category: Tensor
    weight: Tensor

    def draw(self, count: int, generator: torch.Generator) -> PatchBank:
        """So many patches, drawn with replacement."""
        index = torch.randint(len(self.category), (count,), generator=generator)
        return PatchBank(self.vectors[index], self.category[index], self.weight[index])


def gather(views: Iterable[View], *, seed: int) -> PatchBank:
    """Patches of cached views, drawn where a thing has more than are kept.

    Args:
        views: whole frames and crops.
        seed: of what is drawn.

    Raises:
        ValueError: no view shows anything.
    """
    index = category_index()
    rng = np.random.default_rng(seed)
    vectors: list[NDArray[np.float16]] = []
    category: list[int] = []
    weight: list[float] = []

    def keep(patches: NDArray[np.float16], which: int, each: float, most: int) -> None:
        if len(patches) > most:
            patches = patches[rng.choice(len(patches), most, replace=False)]
        vectors.append(patches)
        category.extend([which] * len(patches))
        weight.extend([each] * len(patches))

    for view in views:
        loaded = view.read()
        flat = loaded.vision.reshape(len(loaded.vision), -1).T
        here = sorted({item["category"] for item in view.instances})
        things = [tuple(i["id"] for i in view.instances if i["category"] == name) for name in here]
        # The background last, whose id is 0.
        *shares, free = patch_shares(target_masks(loaded.ids, [*things, (0,)])).flatten(1)
        for name, share in zip(here, shares, strict=True):
            mine = flat[own_patches(share[None, None])[0, 0].numpy()]
            if len(mine):
                each = len(mine) ** 0.5 / min(len(mine), THING_PATCHES)
                keep(mine, index[name], each, THING_PATCHES)
        keep(flat[(free == 1.0).numpy()], BACKGROUND, 1.0, BACKGROUND_PATCHES)
    if not category:
        raise ValueError("no cached view shows anything")
    return PatchBank(
        torch.from_numpy(np.concatenate(vectors)),
        torch.tensor(category),
        torch.tensor(weight, dtype=torch.float32),
    )


def align_patches(align: PatchAlign, patches: PatchBank) -> Tensor:
    """Aligned vectors (n, out_dim) of unit length, float32."""
    with torch.autocast("cpu", torch.bfloat16):
        aligned = align.rows(patches.vectors.float())
    return F.normalize(aligned.float(), dim=1)


def bank_loss(aligned: Tensor, patches: PatchBank, names: Tensor) -> Tensor:
    """Cross entropy of things' patches against all names; the background's against none of them.

    Background patches are to look like no name more than like another, so that they do not speak
    for a thing that is absent (see :meth:`lisa_model.mask_head.MaskHead.log_presence`).

    Args:
        aligned: (n, out_dim) of unit length; names: (categories, out_dim).
    """
    logits = PRESENCE_SCALE * aligned @ names.T
    thing = patches.category != BACKGROUND
    weight = patches.weight * thing
    known = F.cross_entropy(
        logits, patches.category.clamp(min=0), reduction="none", label_smoothing=SMOOTHING
    )
    flat = -logits.log_softmax(1).mean(1)
    terms = (known * weight).sum() / weight.sum().clamp(min=1e-9)
    return terms + BACKGROUND_WEIGHT * (flat * ~thing).sum() / (~thing).sum().clamp(min=1)


def train_align(
    align: PatchAlign,
    bank: PatchBank,
    names: Tensor,
    *,
    steps: int,
    seed: int,
    batch: int = 8192,
    rate: float = 2e-3,
) -> None:
    """Train the alignment on a bank of patches.

    Args:
        align: changed in place.
        names: (categories, out_dim) of unit length.
        steps: of ``batch`` patches each.
        seed: of the patches that are drawn.
        rate: learning rate at its peak.
    """
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(align.parameters(), lr=rate, weight_decay=0.02, betas=(0.9, 0.98))
    started, mean = time.time(), math.nan
    for step in range(steps):
        patches = bank.draw(batch, generator)
        set_rates(optimiser, step, steps, warm_up=50, least=0.01)
        loss = bank_loss(align_patches(align, patches), patches, names)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(align.parameters(), 1.0)
        optimiser.step()
        mean = loss.item() if step == 0 else mean + 0.03 * (loss.item() - mean)
        if (step + 1) % 50 == 0:
            each = (time.time() - started) / (step + 1)
            print(f"align {step + 1}/{steps} {each:.2f} s each, loss {mean:.3f}", flush=True)
