"""Where things are: what the mask head learns of places, and what it is told of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from lisa_model.reference import best_place
from training.tiny.features import LoadedView, target_masks
from training.tiny.losses import patch_shares
from training.tiny.views import small_things


def things_loss(things: Tensor, views: Sequence[LoadedView]) -> Tensor:
    """Cross entropy of the logits (B, h, w) that a patch shows any small thing.

    Furniture is no such thing, and patches on an outline do not count.
    """
    targets = []
    for view in views:
        small = tuple(item["id"] for item in small_things(view))
        targets.append(patch_shares(target_masks(view.ids, [small]))[0])
    share = torch.stack(targets)
    clear = (share >= 0.5) | (share == 0.0)
    loss = F.binary_cross_entropy_with_logits(things, (share >= 0.5).float(), reduction="none")
    return (loss * clear).sum() / clear.sum().clamp(min=1)


def point_loss(chance: Tensor, own: Tensor) -> Tensor:
    """Whether the likeliest patch is one of the meant thing: cross entropy, a scalar.

    Masks teach too little of which thing is meant: before "left" means left, all are wrong alike.

    Args:
        chance: (n, h, w) logits of :func:`lisa_model.reference.chances`.
        own: (n, h, w) bool, patches of what is meant; rows without any do not count.
    """
    there = own.flatten(1).any(1)
    share = chance.float().flatten(1)[there].log_softmax(1)
    right = share.masked_fill(~own.flatten(1)[there], -torch.inf).logsumexp(1)
    return -right.sum() / there.sum().clamp(min=1)


def clicks(point: Tensor, own: Tensor, grid: Tensor) -> Tensor:
    """Where the decoder is told to look, (n, 2): a random place on the target, as SAM is trained.

    Args:
        point: (n, 2) the model's own, kept where nothing is to be found.
        own: (n, h, w) bool, patches of what is meant.
        grid: (n, 2, h, w) places of the patches.
    """
    drawn = best_place(own * (1.0 + torch.rand(own.shape)), grid)
    return torch.where(own.flatten(1).any(1)[:, None], drawn, point)
