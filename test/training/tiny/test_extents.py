import math

import pytest
import torch
from cached_frame import COLUMNS, ROWS

from lisa_model.mask_head import PatchAlign
from training.tiny.extents import gather_extents, train_extents
from training.tiny.patch_bank import THING_PATCHES


def test_extents_are_learnt_from_patches(views):
    bank = gather_extents(views, seed=0)
    area = float(ROWS * COLUMNS)
    # The mug covers 24 patches, the fork less than half of one.
    sizes = {0: 0.5 * math.log(24 / area), 1: 0.5 * math.log(28 / 64 / area)}
    kinds = bank.vectors.float()[:, :2].argmax(1).tolist()
    assert (kinds.count(0), kinds.count(1)) == (THING_PATCHES, 1)
    assert bank.extent[:, 0].tolist() == pytest.approx([sizes[kind] for kind in kinds], abs=1e-4)
    # Six rows of patches are the mug's: its lowest ones are its foot.
    below = {round(float(one) * ROWS) for one in bank.extent[:, 1]}
    assert below == set(range(6))
    assert float(bank.extent[kinds.index(1), 1]) == 0.0
    torch.manual_seed(0)
    layers = PatchAlign(3, 8, 2, dropout=0.0)
    train_extents(layers, bank, steps=200, seed=0, batch=16, rate=1e-2)
    found = layers.rows(bank.vectors.float())
    assert found[:, 0].tolist() == pytest.approx(bank.extent[:, 0].tolist(), abs=0.1)


def test_no_view_is_refused():
    with pytest.raises(ValueError, match="no cached view"):
        gather_extents([], seed=0)
