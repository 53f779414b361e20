"""Losses of the mask head."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lisa_model.mask_head import UPSCALE


def patch_shares(target: Tensor) -> Tensor:
    """Share of each patch that a mask covers: (n, 4h, 4w) in [0, 1] -> (n, h, w)."""
    return F.avg_pool2d(target.unsqueeze(1), UPSCALE).squeeze(1)


def own_patches(shares: Tensor) -> Tensor:
    """Patches (n, h, w) bool that show a thing: half covered; of a smaller thing, the best ones."""
    peak = shares.flatten(1).amax(1)[:, None, None]
    return (shares >= torch.minimum(peak, torch.tensor(0.5))) & (shares > 0.05)


def dice_loss(logits: Tensor, target: Tensor) -> Tensor:
    """1 - soft Dice per mask (n,); logits and target (n, h, w)."""
    probability = logits.sigmoid().flatten(1)
    target = target.flatten(1)
    both = 2.0 * (probability * target).sum(1)
    return 1.0 - (both + 1.0) / (probability.sum(1) + target.sum(1) + 1.0)


def focal_loss(logits: Tensor, target: Tensor, gamma: float = 2.0) -> Tensor:
    """Focal binary cross entropy per mask (n,), mean over pixels (Lin et al. 2017, eq. 4).

    ``target`` may be soft; the modulating factor is |target - probability| ** gamma.
    """
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    factor = (target - logits.sigmoid()).abs() ** gamma
    return (factor * entropy).flatten(1).mean(1)


def mask_iou(logits: Tensor, target: Tensor) -> Tensor:
    """Hard IoU per mask (n,), without gradient."""
    predicted = logits.detach() > 0
    wanted = target > 0.5
    both = (predicted & wanted).flatten(1).sum(1).float()
    either = (predicted | wanted).flatten(1).sum(1).float()
    return both / either.clamp(min=1.0)


def similarity_loss(similarity: Tensor, cover: Tensor) -> Tensor:
    """Where the meant thing is, per question (n,).

    Positives and negatives weigh the same whatever the area; among the negatives the hardest
    tenth counts as much as all the others (a distractor is a few patches of a thousand).

    Args:
        similarity: (n, h, w) logits.
        cover: (n, h, w) share of each patch that the target covers.
    """
    entropy = F.binary_cross_entropy_with_logits(
        similarity, (cover > 0.3).float(), reduction="none"
    ).flatten(1)
    cover = cover.flatten(1)
    positive = torch.where(cover > 0.3, 1.0, 0.0)
    # A target smaller than a patch still owns the patch that it covers most.
    positive.scatter_(1, cover.argmax(1, keepdim=True), (cover.amax(1, keepdim=True) > 0).float())
    entropy = torch.where(positive > 0, F.softplus(-similarity.flatten(1)), entropy)
    ignored = (cover > 0.02) & (positive == 0)
    negative = torch.where((positive == 0) & ~ignored, entropy, entropy.new_zeros(()))
    hard = negative.topk(max(1, negative.shape[1] // 10), dim=1).values.mean(1)
    found = (entropy * positive).sum(1) / positive.sum(1).clamp(min=1.0)
    return found + 0.5 * (hard + negative.mean(1))


def choice_loss(similarity: Tensor, shares: Tensor, wanted: Tensor) -> Tensor:
    """Which of the things in a view is meant, per question (n,): cross entropy over the things.

    The patch losses say where to look, in a picture that is mostly background; this one says
    which of its things, and so tells a referent directly "this mug, not that one".

    Args:
        similarity: (n, h, w) logits of questions about one view.
        shares: (k, h, w) share of each patch that each thing covers.
        wanted: (n, k) bool, the things that are meant; at least one each.
    """
    each = shares.flatten(1)
    each = each / each.sum(1, keepdim=True).clamp(min=1e-6)
    logits = similarity.flatten(1) @ each.T
    meant = logits.masked_fill(~wanted, -torch.inf).logsumexp(1)
    return logits.logsumexp(1) - meant


def mask_losses(
    logits: Tensor, iou: Tensor, similarity: Tensor, target: Tensor, kind: Tensor | None = None
) -> dict[str, Tensor]:
    """All terms, each a scalar.

    Args:
        logits: (n, 4h, 4w); iou: (n,); similarity: (n, h, w); target: (n, 4h, 4w) in [0, 1].
        kind: (m, 4h, 4w) what m similarities are to mark, where those are not of the targets.
    """
    kind = target if kind is None else kind
    present = target.flatten(1).amax(1) > 0.5
    actual = mask_iou(logits, target)
    dice = dice_loss(logits, target)
    return {
        "focal": 20.0 * focal_loss(logits, target).mean(),
        "dice": (dice * present).sum() / present.sum().clamp(min=1),
        "similarity": 0.5 * similarity_loss(similarity, patch_shares(kind)).mean(),
        "iou": F.mse_loss(iou, actual),
    }
