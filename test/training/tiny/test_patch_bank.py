import pytest
import torch
import torch.nn.functional as F
from cached_frame import COLUMNS, ROWS

from lisa_model.mask_head import PatchAlign
from training.household.taxonomy import load_categories
from training.tiny.features import target_masks
from training.tiny.losses import patch_shares
from training.tiny.patch_bank import (
    BACKGROUND,
    BACKGROUND_PATCHES,
    THING_PATCHES,
    PatchBank,
    bank_loss,
    gather,
    train_align,
)

MUG = list(load_categories()).index("mug")
FORK = list(load_categories()).index("fork")


def test_shares_of_patches_are_those_of_their_pixels(views):
    share = patch_shares(target_masks(views[0].read().ids, [(2,)]))[0]
    assert share.shape == (ROWS, COLUMNS)
    assert share[3, 8] == pytest.approx(28 / 64)
    assert share.sum() == pytest.approx(28 / 64)


def test_the_bank_holds_things_and_background(views):
    bank = gather(views, seed=0)
    mugs, forks = bank.category == MUG, bank.category == FORK
    nothing = bank.category == BACKGROUND
    assert (int(mugs.sum()), int(forks.sum())) == (THING_PATCHES, 1)
    assert int(nothing.sum()) == BACKGROUND_PATCHES
    assert (bank.vectors[mugs] == torch.tensor([1.0, 0.0, 0.0], dtype=torch.float16)).all()
    assert (bank.vectors[forks] == torch.tensor([0.0, 1.0, 0.0], dtype=torch.float16)).all()
    assert not bank.vectors[nothing].any()
    # A thing counts with the root of all its patches, whether or not all of them are kept.
    assert float(bank.weight[mugs].sum()) == pytest.approx(24**0.5, rel=1e-5)
    assert float(bank.weight[forks].sum()) == pytest.approx(1.0)


def test_the_same_seed_gives_the_same_bank(views):
    assert torch.equal(gather(views, seed=3).category, gather(views, seed=3).category)


def test_no_view_is_refused():
    with pytest.raises(ValueError, match="no cached view"):
        gather([], seed=0)


def names():
    return F.normalize(torch.eye(len(load_categories()), 200), dim=1)


def test_background_is_best_off_where_no_name_is():
    patches = PatchBank(torch.zeros(1, 3), torch.tensor([BACKGROUND]), torch.ones(1))
    nowhere = F.one_hot(torch.tensor([199]), 200).float()  # no name has this direction
    loud = bank_loss(names()[:1], patches, names())
    assert bank_loss(nowhere, patches, names()) < loud


def test_training_tells_kinds_apart(views):
    torch.manual_seed(0)
    align = PatchAlign(3, 16, 200, dropout=0.1)
    train_align(align, gather(views, seed=0), names(), steps=120, seed=0, batch=32, rate=1e-2)
    align.eval()
    seen = torch.from_numpy(views[0].read().vision).float()[None]
    with torch.inference_mode():
        near = torch.einsum("kc,chw->khw", names(), F.normalize(align(seen), dim=1)[0])
    assert int(near[:, 2, 2].argmax()) == MUG
    assert int(near[:, 3, 8].argmax()) == FORK
    assert float(near[:, 0, 0].max()) < float(near[MUG, 2, 2]) - 0.2


def test_dropout_is_only_in_training():
    align = PatchAlign(3, 64, 5, dropout=0.5)
    vision = torch.randn(1, 3, 2, 2)
    assert not torch.equal(align(vision), align(vision))
    align.eval()
    assert torch.equal(align(vision), align(vision))
