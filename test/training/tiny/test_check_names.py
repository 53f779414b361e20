from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from cached_frame import cached_frame
from small_head import OUT_DIM, small_head

from training.household.taxonomy import load_categories
from training.tiny.check_names import Named, correlations, named, right
from training.tiny.extents import gather_extents, train_extents
from training.tiny.features import open_views

MUG = list(load_categories()).index("mug")


def head():
    return small_head(vision_dim=3, referent_dim=4, naming_dim=4, extent_dim=8).eval()


def test_every_thing_of_a_view_is_named_twice(tmp_path):
    names = F.normalize(torch.randn(len(load_categories()), OUT_DIM), dim=1)
    views = open_views(cached_frame(tmp_path), whole_min=20)
    found = named(head(), views, names)
    assert len(found) == sum(len(view.instances) for view in views)
    mug = found[0]
    assert (mug.category, mug.zoomed, mug.thing) == (MUG, False, 1)
    assert mug.mask.shape == mug.patches.shape == (len(names),)
    assert not torch.equal(mug.mask, mug.patches)


def test_the_best_name_counts():
    logits = torch.eye(3)
    one = Named("f", 1, False, 0, logits[0], logits[1])
    both = [one, replace(one, category=1)]
    assert right(both, [thing.patches for thing in both]) == pytest.approx(0.5)
    assert right(both, [thing.mask for thing in both]) == pytest.approx(0.5)
    assert right([one], [one.patches]) == 1.0


def test_estimated_extents_follow_the_true_ones(tmp_path):
    bank = gather_extents(open_views(cached_frame(tmp_path), whole_min=20), seed=0)
    learnt = head()
    train_extents(learnt.extents, bank, steps=200, seed=0, batch=16, rate=1e-2)
    size, foot = correlations(learnt, bank)
    assert size > 0.95
    assert abs(foot) <= 1.0
