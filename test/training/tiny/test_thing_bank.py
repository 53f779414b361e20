import pytest
import torch

from training.household.taxonomy import load_categories
from training.tiny.patch_bank import BACKGROUND
from training.tiny.thing_bank import (
    BACKGROUND_SIDES,
    BACKGROUND_SQUARES,
    FAULTY,
    faulty,
    gather_things,
)

MUG = list(load_categories()).index("mug")
FORK = list(load_categories()).index("fork")


def test_the_bank_of_things_holds_each_mask_right_and_faulty(views):
    bank = gather_things(views, seed=0)
    mugs, forks = bank.category == MUG, bank.category == FORK
    assert int(mugs.sum()) == int(forks.sum()) == 1 + FAULTY
    assert int((bank.category == BACKGROUND).sum()) == len(BACKGROUND_SIDES) * BACKGROUND_SQUARES
    # The right masks first, in the order of the view.
    mug, fork = bank.vectors[0].float(), bank.vectors[1].float()
    assert mug.tolist() == pytest.approx([1.0, 0.0, 0.0], abs=1e-3)
    assert fork.tolist() == pytest.approx([0.0, 1.0, 0.0], abs=1e-3)
    # What surrounds a thing takes a share of a faulty mask.
    assert bank.vectors[mugs].float()[1:, 0].min() > 0.5
    assert not bank.vectors[bank.category == BACKGROUND].any()


def test_faulty_masks_miss_patches_and_have_some_beside():
    mask = torch.zeros(1, 9, 9)
    mask[0, 2:7, 2:7] = 1.0
    found = faulty(mask, torch.Generator().manual_seed(0))
    assert 0 < float((found * mask).sum()) < 25
    assert float((found * (1 - mask)).sum()) > 0
    assert not found[0, 0].any(), "only what touches the mask"
    assert float(found.amax()) <= 1.0


def test_a_faulty_mask_is_never_empty():
    mask = torch.zeros(200, 2, 2)
    mask[:, 0, 0] = 1e-3
    found = faulty(mask, torch.Generator().manual_seed(0))
    assert (found.flatten(1).sum(1) > 0).all()


def test_the_same_seed_gives_the_same_bank(views):
    one, two = gather_things(views, seed=3), gather_things(views, seed=3)
    assert torch.equal(one.category, two.category)
    assert torch.equal(one.vectors, two.vectors)


def test_no_view_is_refused():
    with pytest.raises(ValueError, match="no cached view"):
        gather_things([], seed=0)
