"""Means of patches under all cached masks in one table: what masks show is learnt from it.

The name of a mask is that of the mean of the patches under it, which tells more than any patch, and
more than the mean of their names. It is learnt as the names of patches are
(:func:`training.tiny.patch_bank.train_align`).
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from training.household.taxonomy import category_index
from training.tiny.features import View, target_masks
from training.tiny.losses import patch_shares
from training.tiny.patch_bank import BACKGROUND, PatchBank

# Masks of each thing that are not quite right, beside the right one.
FAULTY = 2
# Squares of background, by their side in patches, and how many of each in a view.
BACKGROUND_SIDES = (1, 2, 4)
BACKGROUND_SQUARES = 2


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
