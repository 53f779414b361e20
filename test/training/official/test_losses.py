from __future__ import annotations

import pytest
import torch

from training.official.losses import LossWeights, bce_per_mask, dice_per_mask, mask_losses


def test_images_without_masks_weigh_nothing():
    torch.manual_seed(0)
    logits, targets = torch.randn(2, 4, 5), (torch.rand(2, 4, 5) > 0.5).float()
    nothing = torch.zeros(0, 7, 7)
    alone = mask_losses([logits], [targets], LossWeights())
    beside = mask_losses([nothing, logits], [nothing, targets], LossWeights())
    assert [float(x) for x in alone] == [float(x) for x in beside]
    only = mask_losses([nothing], [nothing], LossWeights())
    assert [float(x) for x in only] == [0.0, 0.0]


def test_every_mask_of_a_batch_weighs_the_same():
    torch.manual_seed(1)
    logits = [torch.randn(n, 6, 6) for n in (1, 3)]
    targets = [(torch.rand(n, 6, 6) > 0.5).float() for n in (1, 3)]
    bce, dice = mask_losses(logits, targets, LossWeights())
    each_bce = torch.cat([bce_per_mask(a, b) for a, b in zip(logits, targets, strict=True)])
    each_dice = torch.cat([dice_per_mask(a, b) for a, b in zip(logits, targets, strict=True)])
    assert float(bce) == pytest.approx(2.0 * float(each_bce.mean()), rel=1e-6)
    assert float(dice) == pytest.approx(0.5 * float(each_dice.mean()), rel=1e-6)


def test_a_perfect_mask_costs_nearly_nothing():
    target = torch.zeros(1, 20, 20)
    target[0, 5:10, 5:10] = 1
    logits = (target - 0.5) * 60
    assert float(bce_per_mask(logits, target)) < 1e-6
    assert float(dice_per_mask(logits, target)) < 1e-4


def test_a_seg_without_a_mask_is_refused():
    with pytest.raises(ValueError, match=r"image 0.*2 \[SEG\].*1 masks"):
        mask_losses([torch.zeros(2, 3, 3)], [torch.zeros(1, 3, 3)], LossWeights())
