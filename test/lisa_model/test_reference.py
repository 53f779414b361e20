"""Which one is meant: each cue by itself, on a row of patches."""

import pytest
import torch

from lisa_model.reference import (
    Reference,
    ReferenceFcs,
    anchor_cosines,
    anchor_places,
    appeal,
    best_appeal,
    best_place,
    candidates,
    chances,
    handicap,
    joined,
    no_reference,
    patch_units,
    shown_at,
    spot,
)

WEIGHT = torch.tensor(6.0)
SHARP = torch.tensor(24.0)
PATCHES = 8
NOWHERE = torch.zeros(1, 2, 1, PATCHES)


def row(values):
    return torch.tensor(values, dtype=torch.float32).view(1, 1, -1)


def grid():
    x = torch.linspace(-1, 1, PATCHES)
    return torch.stack([x, torch.zeros(PATCHES)]).view(1, 2, 1, PATCHES)


def reference(which, reach=(0.0, 0.0)):
    return Reference(
        torch.tensor([which]),
        torch.tensor([reach]),
        torch.ones(1, 2, 4),
        torch.zeros(1),
    )


def score(candidate, appeals):
    return candidate + handicap(appeals, best_appeal(appeals, chances(appeals, candidate, WEIGHT)))


def test_the_leftmost_candidate_wins_whatever_lies_further_left():
    # Things at 0 (of another kind), 2 and 6.
    candidate = row([-9, -9, 5, -9, -9, -9, 5, -9])
    leftwards = reference([-3.0, 0.0])
    appeals = appeal(grid(), grid(), leftwards, torch.zeros(1, 2, 2), NOWHERE)
    found = score(candidate, appeals)[0, 0]
    assert int(found.argmax()) == 2
    assert found[2] > found[6] + 5
    rightwards = appeal(grid(), grid(), reference([3.0, 0.0]), torch.zeros(1, 2, 2), NOWHERE)
    assert int(score(candidate, rightwards)[0, 0].argmax()) == 6


def test_without_a_reference_nothing_changes():
    prompts = torch.randn(1, 4)
    none = no_reference(prompts, 2)
    assert len(none) == 1
    appeals = appeal(grid(), grid(), none, torch.randn(1, 2, 2), NOWHERE + 1)
    candidate = torch.randn(1, 1, PATCHES)
    torch.testing.assert_close(score(candidate, appeals), candidate)
    strong = reference([3.0, 1.0], (2.0, 2.0))
    silent = strong.scaled(torch.zeros(1))
    assert not silent.which.any()
    assert not silent.reach.any()


def test_the_nearest_and_the_farthest_of_an_anchor():
    candidate = row([5, -9, -9, 5, -9, -9, -9, 5])
    at = torch.tensor([[[0.3, 0.0], [0.0, 0.0]]])
    near = appeal(grid(), grid(), reference([0.0, 0.0], (-2.0, 0.0)), at, NOWHERE)
    assert int(score(candidate, near)[0, 0].argmax()) == 3
    far = appeal(grid(), grid(), reference([0.0, 0.0], (2.0, 0.0)), at, NOWHERE)
    assert int(score(candidate, far)[0, 0].argmax()) == 0


def test_between_two_anchors():
    candidate = row([5, -9, -9, 5, -9, -9, -9, 5])
    at = torch.tensor([[[-0.4, 0.0], [0.4, 0.0]]])
    both = appeal(grid(), grid(), reference([0.0, 0.0], (-2.0, -2.0)), at, NOWHERE)
    assert int(score(candidate, both)[0, 0].argmax()) == 3


def test_anchors_are_where_their_like_is():
    aligned = torch.zeros(1, 4, 1, PATCHES)
    aligned[0, 0] = 1.0
    aligned[0, :, 0, 5] = torch.tensor([0.0, 1.0, 0.0, 0.0])
    anchors = torch.tensor([[[0.0, 3.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]])
    cosines = anchor_cosines(aligned, anchors)
    found = anchor_places(cosines, grid(), SHARP)
    assert found.shape == (1, 2, 2)
    torch.testing.assert_close(found[0, 0, 0], grid()[0, 0, 0, 5], atol=1e-4, rtol=0)
    assert abs(float(found[0, 1, 0])) < 0.2, "seven of eight patches look like it"


def test_an_anchor_is_not_its_own_nearest_neighbour():
    candidate = row([5, -9, -9, 5, -9, 5, -9, -9])
    at = grid()[..., 3].reshape(1, 1, 2).expand(1, 2, 2)
    itself = NOWHERE.clone()
    itself[0, 0, 0, 3] = 1.0
    near = appeal(grid(), grid(), reference([0.0, 0.0], (-2.0, 0.0)), at, itself)
    assert int(score(candidate, near)[0, 0].argmax()) == 5
    unused = appeal(grid(), grid(), reference([0.0, 0.0], (0.0, -2.0)), at, itself)
    assert int(score(candidate, unused)[0, 0].argmax()) == 3


def test_the_best_place_is_that_of_the_most_appealing_candidate():
    candidate = row([-9, -9, 5, -9, -9, -9, 5, -9])
    appeals = appeal(grid(), grid(), reference([-3.0, 0.0]), torch.zeros(1, 2, 2), NOWHERE)
    found = best_place(chances(appeals, candidate, WEIGHT), grid())
    torch.testing.assert_close(found, grid()[:, :, 0, 2])


def test_places_in_patches_of_a_part_of_the_frame():
    x, y = torch.meshgrid(
        torch.tensor([-0.75, -0.25, 0.25]), torch.tensor([0.5, 0.6]), indexing="xy"
    )
    part = torch.stack([x, y])[None]
    found = patch_units(
        torch.tensor([[-0.75, 0.5], [0.25, 0.6], [0.5, 0.45]]), part.expand(3, -1, -1, -1)
    )
    torch.testing.assert_close(found, torch.tensor([[0.5, 0.5], [2.5, 1.5], [3.0, 0.0]]))


def test_any_thing_may_be_a_candidate():
    similarity, things = row([5, -9, -9]), row([-9, -9, 5])
    assert int(candidates(similarity, things, torch.zeros(1)).argmax()) == 0
    assert int(candidates(similarity, things, torch.ones(1)).argmax()) == 2


def test_rows_are_picked_and_joined():
    torch.manual_seed(0)
    fcs = ReferenceFcs(llm_dim=6, out_dim=4, key_dim=3)
    which, reach, anchors, generic = fcs(torch.randn(5, 6))
    assert which.shape == (5, 3)
    assert reach.shape == (5, 2)
    assert anchors.shape == (5, 2, 4)
    assert generic.shape == (5,)
    assert generic.sigmoid().max() < 0.5, "hardly any question leaves the kind open"
    whole = Reference(which, reach, anchors, generic)
    again = joined([whole.select(slice(0, 2)), whole.select(torch.tensor([2, 3, 4]))])
    torch.testing.assert_close(again.anchors, anchors)
    torch.testing.assert_close(again.generic, generic)


def test_what_a_place_shows_and_where_it_is():
    patches = torch.arange(24.0).view(1, 2, 3, 4).expand(3, -1, -1, -1)
    at = torch.tensor([[1.2, 2.9], [-5.0, 0.5], [9.0, 9.0]])
    assert shown_at(patches, at).tolist() == [[9, 21], [0, 12], [11, 23]]
    bump = spot(torch.tensor([[1.5, 2.5], [-5.0, 0.5], [2.5, 1.5]]), 3, 4)
    assert bump.shape == (3, 3, 4)
    assert float(bump[0, 2, 1]) == 1.0
    assert float(bump[0, 2, 2]) == pytest.approx(float(torch.tensor(-0.5).exp()))
    assert float(bump[1].max()) < 1e-6
    assert int(bump[2].argmax()) == 6
