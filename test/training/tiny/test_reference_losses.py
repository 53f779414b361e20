from dataclasses import replace

import pytest
import torch
from random_names import random_names

from lisa_model.reference import no_reference
from lisa_model.reference_keys import PLAIN_SCALE, pulls, tints
from training.household.taxonomy import load_categories
from training.tiny.joint_questions import PULLS, Target, pull_of
from training.tiny.reference_losses import PULL, TINT, reference_losses
from training.tiny.tints import TINTS

MUG = list(load_categories()).index("mug")
KEY_DIM = 4 + 16


@pytest.fixture(scope="module")
def names():
    return random_names(16)


def test_anchors_are_learnt_where_there_are_some(names):
    meant = [
        Target(MUG, (1,), anchors=(MUG, -1)),
        Target(MUG, (2,), generic=True),
    ]
    anchors = torch.randn(2, 2, 16)
    anchors[0, 0] = 5 * names[MUG]
    sure, said = torch.tensor([-9.0, 9.0]), no_reference(torch.ones(2, 16), KEY_DIM)
    good = reference_losses(said, anchors, sure, meant, names)
    assert float(good["generic"]) < 0.01
    anchors[0, 0] = -names[MUG]
    bad = reference_losses(said, anchors, sure, meant, names)
    assert float(bad["anchor"]) > float(good["anchor"]) + 1
    assert reference_losses(said, anchors, sure, meant[1:] * 2, names).keys() == {"generic"}


def test_directions_are_learnt_where_the_words_name_one(names):
    proofs = [("mug: 1, 2", "left_of of these"), ("mug: 1, 2", "on of these"), ()]
    left, none, empty = (pull_of(proof) for proof in proofs)
    assert none is empty is None
    assert pull_of(("on counter: 1, 2", "between(2, 9)")) == PULLS["between"]
    meant = [Target(MUG, (1,), pull=left), Target(MUG, (2,), pull=none)]
    said = no_reference(torch.ones(2, 16), KEY_DIM)
    which = said.which.clone()
    # The first of the places is x.
    which[0, -10] = -PULL * KEY_DIM**0.5 / PLAIN_SCALE
    torch.testing.assert_close(
        pulls(replace(said, which=which)),
        torch.tensor([[-PULL, 0, 0, 0, 0, 0], [0.0, 0, 0, 0, 0, 0]]),
    )
    # Before colours and places, size and foot.
    which[1, -18] = PULL * KEY_DIM**0.5 / PLAIN_SCALE
    assert pulls(replace(said, which=which))[1].tolist() == pytest.approx([0, 0, 0, 0, PULL, 0])
    anchors, sure = torch.ones(2, 2, 16), torch.zeros(2)
    right = reference_losses(replace(said, which=which), anchors, sure, meant, names)
    assert float(right["pull"]) == pytest.approx(0.0, abs=1e-6)
    silent = reference_losses(said, anchors, sure, meant, names)
    assert float(silent["pull"]) == pytest.approx(PULL - 0.5)


def test_colours_are_learnt_where_one_decides(names):
    meant = [Target(MUG, (1,), tint=TINTS["red"]), Target(MUG, (2,))]
    said = no_reference(torch.ones(2, 16), KEY_DIM)
    which = said.which.clone()
    which[0, -16:-13] = TINT * torch.tensor(TINTS["red"]) * KEY_DIM**0.5 / PLAIN_SCALE
    told = replace(said, which=which)
    torch.testing.assert_close(tints(told)[0], TINT * torch.tensor(TINTS["red"]))
    anchors, sure = torch.ones(2, 2, 16), torch.zeros(2)
    right = reference_losses(told, anchors, sure, meant, names)
    assert float(right["tint"]) == pytest.approx(0.0, abs=1e-6)
    silent = reference_losses(said, anchors, sure, meant, names)
    assert float(silent["tint"]) > 1.0
