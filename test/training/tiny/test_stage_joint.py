import random
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from small_head import small_head

from training.household.taxonomy import load_categories
from training.tiny.features import LoadedView, View
from training.tiny.stage_joint import Seg, Target, decode_views, is_alone, shows

MUG = list(load_categories()).index("mug")


@pytest.fixture(scope="module")
def model():
    return SimpleNamespace(mask_head=small_head(vision_dim=6, referent_dim=4))


@pytest.fixture(scope="module")
def names():
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(len(load_categories()), 16, generator=generator)
    return torch.nn.functional.normalize(vectors, dim=1)


def view(*categories, window=(0.0, 0.0, 1.0, 1.0)):
    """A view of 5 x 6 patches; thing k of the categories covers a column."""
    rng = np.random.default_rng(0)
    ids = np.zeros((40, 48), dtype=np.uint8)
    for k in range(1, len(categories) + 1):
        ids[8:32, 8 * k : 8 * k + 8] = k
    instances = [{"id": k, "category": name} for k, name in enumerate(categories, start=1)]
    described = View(
        path=None, number=0, frame="f", shape=(5, 6), window=window, instances=instances
    )
    return LoadedView(
        view=described,
        vision=rng.normal(size=(6, 5, 6)).astype(np.float16),
        rgb=rng.integers(0, 255, (40, 48, 3), dtype=np.uint8),
        ids=ids,
        window=window,
    )


def seg(row=0, ids=(1,), referent=None):
    return Seg(row, Target(MUG, ids), torch.ones(16), referent)


def test_only_what_a_view_shows_whole_is_decoded(model, names):
    seen = view("mug", "fork")
    assert shows(seen, Target(MUG, (1, 2)))
    assert not shows(seen, Target(MUG, (1, 3)))
    terms, found = decode_views(model, None, [seen], [seg(ids=(3,))], names, random.Random(0))
    assert (terms, found) == ({}, 0.0)
    terms, _ = decode_views(model, None, [seen], [seg(ids=(1,))], names, random.Random(0))
    assert {"focal", "dice", "iou", "similarity", "dense"} <= terms.keys()


def test_a_thing_is_alone_when_no_other_of_its_kind_is_there():
    assert is_alone(view("mug", "fork"), Target(MUG, (1,)))
    assert not is_alone(view("mug", "mug"), Target(MUG, (1,)))
    assert is_alone(view("mug", "mug"), Target(MUG, (1, 2)))


class Always(random.Random):
    """Drops the referent wherever that is allowed."""

    def random(self):
        return 0.0


def gradient(model, names, seen, rng):
    referent = torch.ones(4, requires_grad=True)
    terms, _ = decode_views(model, None, [seen], [seg(referent=referent)], names, rng)
    torch.stack([terms["similarity"], terms["dice"]]).sum().backward()
    return 0.0 if referent.grad is None else float(referent.grad.abs().sum())


def test_a_referent_is_never_dropped_among_several_of_a_kind(model, names):
    assert gradient(model, names, view("mug", "mug"), Always()) > 0
    assert gradient(model, names, view("mug", "fork"), Always()) == 0
    assert gradient(model, names, view("mug", "fork"), random.Random(0)) > 0


def test_segs_belong_to_their_own_views(model, names):
    first, second = view("mug"), view("fork", "mug")
    segs = [seg(0, (1,)), seg(1, (2,))]
    terms, _ = decode_views(model, None, [first, second], segs, names, random.Random(0))
    alone, _ = decode_views(model, None, [first], segs[:1], names, random.Random(0))
    other, _ = decode_views(
        model, None, [second], [replace(segs[1], row=0)], names, random.Random(0)
    )
    expected = (alone["dice"] + other["dice"]) / 2
    torch.testing.assert_close(terms["dice"], expected, atol=2e-3, rtol=1e-2)
