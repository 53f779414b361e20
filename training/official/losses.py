"""The losses of LISA: cross entropy of the answer, BCE and DICE of the masks.

The numbers (DICE's scale and epsilon, the weights 1, 2 and 0.5) are those of the official code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

IGNORED = -100
_DICE_SCALE = 1000.0
_DICE_EPSILON = 1e-6
_COUNT_EPSILON = 1e-8


@dataclass(frozen=True)
class LossWeights:
    """Weights of the three terms (paper: 1.0, 2.0, 0.5)."""

    answer: float = 1.0
    bce: float = 2.0
    dice: float = 0.5


def answer_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross entropy over all answer tokens of the batch.

    Args:
        logits: (B, L, vocabulary); position i predicts token i + 1.
        labels: (B, L) int64, IGNORED where nothing is to be learnt.
    """
    predicted = logits[:, :-1].flatten(0, 1).float()
    return F.cross_entropy(predicted, labels[:, 1:].flatten(), ignore_index=IGNORED)


def bce_per_mask(logits: Tensor, targets: Tensor) -> Tensor:
    """(n, H, W) logits and targets -> (n,) mean over the pixels.

    Targets may exceed 1: referring masks are sums of polygons.
    """
    loss = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return loss.flatten(1).mean(1)


def dice_per_mask(logits: Tensor, targets: Tensor) -> Tensor:
    """(n, H, W) logits and targets -> (n,) 1 - DICE, both terms divided by 1000."""
    chance = logits.sigmoid().flatten(1)
    wanted = targets.flatten(1)
    both = 2.0 * (chance / _DICE_SCALE * wanted).sum(-1)
    sizes = (chance / _DICE_SCALE).sum(-1) + (wanted / _DICE_SCALE).sum(-1)
    return 1.0 - (both + _DICE_EPSILON) / (sizes + _DICE_EPSILON)


def check_counts(logits: Sequence[Tensor], targets: Sequence[Tensor]) -> None:
    """Refuse an image with another number of [SEG] than of masks.

    Raises:
        ValueError: naming the image.
    """
    for number, (mine, wanted) in enumerate(zip(logits, targets, strict=True)):
        if len(mine) != len(wanted):
            raise ValueError(
                f"image {number}: the answers hold {len(mine)} [SEG], but there are {len(wanted)} "
                "masks; were the answers cut off (model_max_length), or is the tokenizer another?"
            )


def mask_losses(
    logits: Sequence[Tensor], targets: Sequence[Tensor], weights: LossWeights
) -> tuple[Tensor, Tensor]:
    """Weighted BCE and DICE of a batch: means over all its masks.

    Args:
        logits: of each image, (n, H, W) float32 in the image's own size.
        targets: likewise; n may be 0.

    Raises:
        ValueError: an image has another number of [SEG] than of masks.
    """
    check_counts(logits, targets)
    bce = torch.zeros((), device=logits[0].device)
    dice = torch.zeros_like(bce)
    count = 0
    for mine, wanted in zip(logits, targets, strict=True):
        n = len(wanted)
        bce = bce + bce_per_mask(mine, wanted).sum() / (n + _COUNT_EPSILON) * n
        dice = dice + dice_per_mask(mine, wanted).sum() / (n + _COUNT_EPSILON) * n
        count += n
    scale = 1.0 / (count + _COUNT_EPSILON)
    return weights.bce * bce * scale, weights.dice * dice * scale
