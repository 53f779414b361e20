"""Patches of all cached views in one table, and the alignment of patches with names trained on it.

What a patch shows is learnt patch by patch, so a step needs neither whole views nor a mask head:
thousands of patches of hundreds of frames at once, and several passes over all of them, cost less
than a few views. Such a step also sees every kind of thing, which few views never do.

So is what a mask shows: its name is learnt from the mean of the patches under it
(:func:`gather_things`), which tells more than any patch, and more than the mean of their names.
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
from training.tiny.steps import learning_rate

# Patches kept of a thing and of a view's background, at most.
THING_PATCHES = 16
BACKGROUND_PATCHES = 24
BACKGROUND = -1
# What background patches together count in the loss, beside the things' 1.
BACKGROUND_WEIGHT = 0.5
SMOOTHING = 0.05
# Masks of each thing that are not quite right, beside the right one.
FAULTY = 2
# Squares of background, by their side in patches, and how many of each in a view.
BACKGROUND_SIDES = (1, 2, 4)
BACKGROUND_SQUARES = 2


@dataclass(frozen=True)
class ExtentBank:
    """Patches of things, and the extent of these.

    Attributes:
        vectors: (n, vision_dim) float16 features of the frozen encoder.
        extent: (n, 2) float32 logarithm of the root of the thing's share of its view, and how far
            below the patch its foot is, as a share of the view's height.
    """

    vectors: Tensor
    extent: Tensor


@dataclass(frozen=True)
class PatchBank:
    """Patches of things and of background, or means of some.

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


def gather_things(views: Iterable[View], *, seed: int) -> PatchBank:
    """Means of patches under the masks of cached views: of each thing whole, and of some of its
    patches and its surroundings, as a mask that is not quite right has them; and of background.

    Args:
        views: whole frames and crops.
        seed: of what is drawn.

    Raises:
        ValueError: no view shows anything.
    """
    index = category_index()
    generator = torch.Generator().manual_seed(seed)
    vectors: list[Tensor] = []
    category: list[int] = []
    for view in views:
        loaded = view.read()
        flat = torch.from_numpy(loaded.vision).flatten(1).T.float()
        things = [(item["id"],) for item in view.instances]
        *shares, free = patch_shares(target_masks(loaded.ids, [*things, (0,)]))
        if shares:
            masks = torch.stack(shares)
            weights = [masks, *(faulty(masks, generator) for _ in range(FAULTY))]
            vectors += [_means(one, flat) for one in weights]
            category += [index[item["category"]] for item in view.instances] * len(weights)
        for side in BACKGROUND_SIDES:
            if squares := _background(free, side, generator):
                vectors.append(_means(torch.stack(squares), flat))
                category += [BACKGROUND] * len(squares)
    if not category:
        raise ValueError("no cached view shows anything")
    return PatchBank(torch.cat(vectors), torch.tensor(category), torch.ones(len(category)))


def gather_extents(views: Iterable[View], *, seed: int) -> ExtentBank:
    """Patches of things in cached views, at most ``THING_PATCHES`` of each, and their extents.

    Args:
        views: whole frames and crops.
        seed: of what is drawn.

    Raises:
        ValueError: no view shows anything.
    """
    rng = np.random.default_rng(seed)
    vectors: list[NDArray[np.float16]] = []
    extent: list[tuple[float, float]] = []
    for view in views:
        loaded = view.read()
        height = loaded.vision.shape[1]
        for share in patch_shares(target_masks(loaded.ids, [(i["id"],) for i in view.instances])):
            rows, columns = own_patches(share[None])[0].numpy().nonzero()
            if not len(rows):
                continue
            size = 0.5 * math.log(float(share.mean()))
            kept = rng.permutation(len(rows))[:THING_PATCHES]
            vectors.append(loaded.vision[:, rows[kept], columns[kept]].T)
            extent += [(size, float(rows.max() - row) / height) for row in rows[kept]]
    if not extent:
        raise ValueError("no cached view shows anything")
    return ExtentBank(torch.from_numpy(np.concatenate(vectors)), torch.tensor(extent))


def train_extents(
    layers: PatchAlign,
    bank: ExtentBank,
    *,
    steps: int,
    seed: int,
    batch: int = 2048,
    rate: float = 2e-3,
) -> None:
    """Train the estimate of extents on a bank; it is changed in place.

    Args:
        steps: of ``batch`` patches each.
        seed: of the patches that are drawn.
        rate: learning rate at its peak.
    """
    generator = torch.Generator().manual_seed(seed)
    last = layers[-1]
    assert isinstance(last, torch.nn.Conv2d)
    assert last.bias is not None
    with torch.no_grad():
        last.bias.copy_(bank.extent.mean(0))
    optimiser = torch.optim.AdamW(layers.parameters(), lr=rate, weight_decay=0.02)
    for step in range(steps):
        index = torch.randint(len(bank.extent), (batch,), generator=generator)
        for group in optimiser.param_groups:
            group["lr"] = rate * learning_rate(step, steps, warm_up=50, least=0.01)
        found = layers(bank.vectors[index].float().T[None, :, None])[0, :, 0].T
        loss = F.smooth_l1_loss(found, bank.extent[index], beta=0.1)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if (step + 1) % 200 == 0:
            print(f"extents {step + 1}/{steps} loss {loss.item():.4f}", flush=True)


def faulty(masks: Tensor, generator: torch.Generator) -> Tensor:
    """Shares of patches (n, h, w) that masks cover, as a mask decoder might have them: some patches
    missing, and a part of some beside."""

    def drawn(*size: int) -> Tensor:
        return torch.rand(size, generator=generator)

    around = F.max_pool2d(masks[None], 3, stride=1, padding=1)[0] - masks
    kept = masks * (drawn(*masks.shape) < 0.3 + 0.7 * drawn(len(masks), 1, 1))
    beside = around * (drawn(*masks.shape) < 0.5) * 0.4 * drawn(len(masks), 1, 1)
    found = kept + beside
    nothing = found.flatten(1).sum(1) <= 0
    return torch.where(nothing[:, None, None], masks, found)


def _background(free: Tensor, side: int, generator: torch.Generator) -> list[Tensor]:
    """Up to ``BACKGROUND_SQUARES`` squares (h, w) of patches where no thing is; free (h, w)."""
    if side > min(free.shape):
        return []
    corners = (F.avg_pool2d(free[None], side, stride=1)[0] >= 1.0).nonzero()
    order = torch.randperm(len(corners), generator=generator)[:BACKGROUND_SQUARES]
    out = []
    for y, x in corners[order].tolist():
        square = torch.zeros_like(free)
        square[y : y + side, x : x + side] = 1.0
        out.append(square)
    return out


def _means(shares: Tensor, flat: Tensor) -> Tensor:
    """Means of patches (p, vision_dim), weighed by shares (n, h, w): (n, vision_dim) float16."""
    weights = shares.flatten(1)
    return (weights @ flat / weights.sum(1, keepdim=True).clamp(min=1e-6)).half()


def align_patches(align: PatchAlign, patches: PatchBank) -> Tensor:
    """Aligned vectors (n, out_dim) of unit length, float32."""
    with torch.autocast("cpu", torch.bfloat16):
        # One row of patches: a 1 x 1 convolution sees each by itself.
        row = align(patches.vectors.float().T[None, :, None])
    return F.normalize(row[0, :, 0].T.float(), dim=1)


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
        for group in optimiser.param_groups:
            group["lr"] = rate * learning_rate(step, steps, warm_up=50, least=0.01)
        loss = bank_loss(align_patches(align, patches), patches, names)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(align.parameters(), 1.0)
        optimiser.step()
        mean = loss.item() if step == 0 else mean + 0.03 * (loss.item() - mean)
        if (step + 1) % 50 == 0:
            each = (time.time() - started) / (step + 1)
            print(f"align {step + 1}/{steps} {each:.2f} s each, loss {mean:.3f}", flush=True)
