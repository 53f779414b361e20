import pytest
import torch

from training.tiny.losses import (
    choice_loss,
    dice_loss,
    focal_loss,
    mask_iou,
    mask_losses,
    similarity_loss,
)


def square(n=8):
    target = torch.zeros(1, n, n)
    target[:, 2:6, 2:6] = 1.0
    return target


def test_a_perfect_mask_costs_nothing():
    target = square()
    logits = (target * 2 - 1) * 20
    assert dice_loss(logits, target).item() == pytest.approx(0, abs=1e-4)
    assert focal_loss(logits, target).item() == pytest.approx(0, abs=1e-6)
    assert mask_iou(logits, target).item() == 1.0


def test_a_wrong_mask_costs_more_than_an_unsure_one():
    target = square()
    wrong, unsure = (1 - target * 2) * 5, torch.zeros_like(target)
    for loss in (dice_loss, focal_loss):
        assert loss(wrong, target) > loss(unsure, target)


def test_dice_does_not_depend_on_how_large_the_frame_is():
    small, large = square(8), torch.zeros(1, 64, 64)
    large[:, 2:6, 2:6] = 1.0
    values = [dice_loss((t * 2 - 1) * 3 - 6, t) for t in (small, large)]
    assert abs(values[0] - values[1]) < 0.2


def test_the_choice_among_things_counts_their_patches_alone():
    shares = torch.zeros(3, 4, 4)
    shares[0, 0, :2] = 1.0
    shares[1, 2, 2] = 0.3  # smaller than a patch
    shares[2, 3, :] = 1.0
    similarity = torch.full((2, 4, 4), 9.0)  # the background speaks loudest
    similarity[:, 0, :2] = torch.tensor([[0.0, 2.0]])
    similarity[:, 2, 2] = 3.0
    similarity[:, 3, :] = 1.0
    wanted = torch.tensor([[False, True, False], [True, False, True]])
    logits = torch.tensor([1.0, 3.0, 1.0])
    shared = logits.softmax(0)
    expected = -torch.stack([shared[1], shared[0] + shared[2]]).log()
    assert torch.allclose(choice_loss(similarity, shares, wanted), expected)


def test_a_target_smaller_than_a_patch_still_pulls_its_patch_up():
    cover = torch.zeros(1, 4, 4)
    cover[0, 1, 2] = 0.1
    similarity = torch.zeros(1, 4, 4, requires_grad=True)
    similarity_loss(similarity, cover).sum().backward()
    gradient = similarity.grad[0]
    assert gradient[1, 2] < 0
    assert gradient[0, 0] > 0


def test_an_absent_target_gives_no_dice_but_is_pushed_down():
    logits = torch.zeros(1, 16, 16, requires_grad=True)
    similarity = torch.zeros(1, 4, 4, requires_grad=True)
    terms = mask_losses(logits, torch.full((1,), 0.5), similarity, torch.zeros(1, 16, 16))
    assert terms["dice"].item() == 0.0
    torch.stack(list(terms.values())).sum().backward()
    assert (logits.grad > 0).all()
    assert (similarity.grad > 0).all()
    assert terms["iou"].item() == pytest.approx(0.25)
