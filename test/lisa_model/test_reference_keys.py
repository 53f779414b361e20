from dataclasses import replace

import pytest
import torch

from lisa_model.config import preset
from lisa_model.reference import ANCHORS, Reference
from lisa_model.reference_keys import PLAIN_SCALE, colour, heard, key_dim, place, pulls, tints


def test_places_are_those_of_the_frame_also_in_a_crop():
    like = torch.zeros(1)
    whole = place(None, 1, (4, 8), like)
    assert whole.shape == (1, 10, 4, 8)
    right_half = place(torch.tensor([[0.5, 0.0, 1.0, 1.0]]), 1, (4, 4), like)
    torch.testing.assert_close(right_half[0], whole[0, :, :, 4:])
    torch.testing.assert_close(whole[0, 0, 0, 0], torch.tensor(-0.875))
    torch.testing.assert_close(whole[0, 1, :, 0], torch.tensor([-0.75, -0.25, 0.25, 0.75]))


def test_colours_are_mean_and_deviation_of_a_cell():
    rgb = torch.zeros(1, 3, 4, 4)
    rgb[0, 0, :2, :2] = 1.0
    rgb[0, 1, 2:, ::2] = 1.0
    found = colour(rgb, (2, 2))[0]
    assert found[:3, 0, 0].tolist() == [1.0, 0.0, 0.0]
    torch.testing.assert_close(found[[1, 4], 1, 1], torch.tensor([0.5, 0.5]))


def said(row, column, strength):
    """Three references that say nothing but this of one key."""
    width = key_dim(preset("lisa-tiny").mask_head)
    which = torch.zeros(3, width)
    which[row, column] = strength * width**0.5 / PLAIN_SCALE
    return Reference(
        which, torch.zeros(3, ANCHORS), torch.ones(3, ANCHORS, 4), torch.tensor([0.0, 0.9, 0.0])
    )


@pytest.mark.parametrize("column", [-10, -9, -16, -15, -18, -17])  # place, colour, extent
@pytest.mark.parametrize(("strength", "is_heard"), [(-0.4, True), (0.4, True), (0.2, False)])
def test_what_is_hardly_said_is_not_heard(column, strength, is_heard):
    config = replace(preset("lisa-tiny"), reference_floor=0.3)
    spoken = said(1, column, strength)
    both = torch.cat([pulls(spoken), tints(spoken)], dim=1)
    assert both[1].abs().max() == pytest.approx(abs(strength))
    found = heard(spoken, config)
    assert bool(found.which.any()) == is_heard
    torch.testing.assert_close(found.which, spoken.which * is_heard)
    torch.testing.assert_close(found.generic, spoken.generic)
    everything = heard(spoken, replace(config, reference_floor=0.0))
    torch.testing.assert_close(everything.which, spoken.which)


def test_an_anchor_is_heard():
    config = replace(preset("lisa-tiny"), reference_floor=0.3)
    near = replace(said(0, -10, 0.1), reach=torch.tensor([[0.1, -0.5], [0.1, 0.1], [0.0, 0.0]]))
    found = heard(near, config)
    assert found.reach.tolist() == [[pytest.approx(0.1), -0.5], [0.0, 0.0], [0.0, 0.0]]
    assert found.which[0, -10] > 0


def test_learnt_keys_are_no_extents():
    config = preset("lisa-tiny")
    config = replace(config, reference_floor=0.3, mask_head=replace(config.mask_head, extent_dim=0))
    width = key_dim(config.mask_head)
    which = torch.full((1, width), 0.0)
    which[0, : config.mask_head.referent_dim] = width**0.5
    learnt = Reference(which, torch.zeros(1, ANCHORS), torch.ones(1, ANCHORS, 4), torch.zeros(1))
    assert not heard(learnt, config).which.any()
