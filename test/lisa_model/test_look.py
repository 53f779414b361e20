"""What a look tells of the things under its masks."""

from __future__ import annotations

import pytest
import torch

from lisa_model.look import mean_under, presence

# Three concepts, and a second name for the first one.
CONCEPTS = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0.95, 0.3, 0]])


def test_what_looks_like_the_query_and_like_no_other_concept_is_present():
    query = torch.tensor([2.0, 0, 0])
    own = float(presence(torch.tensor([1.0, 0, 0]), query, CONCEPTS, scale=16.0))
    between = float(presence(torch.tensor([0.6, 0.8, 0]), query, CONCEPTS, scale=16.0))
    other = float(presence(torch.tensor([0.0, 1, 0]), query, CONCEPTS, scale=16.0))
    assert own > 0.99
    assert 0.01 < between < 0.1
    assert other < 1e-5


def test_a_second_name_of_the_same_thing_takes_nothing_away():
    query, looks = CONCEPTS[0], CONCEPTS[0]
    alone = presence(looks, query, CONCEPTS[:3], scale=4.0)
    assert float(presence(looks, query, CONCEPTS, scale=4.0)) == pytest.approx(float(alone))


def test_what_is_like_nothing_is_as_likely_as_any_concept():
    looks = torch.tensor([1.0, 1, 1]) / 3**0.5
    found = float(presence(looks, CONCEPTS[0], CONCEPTS[:3], scale=16.0))
    assert found == pytest.approx(1 / 3)


def test_features_count_by_the_share_of_their_patch_that_a_mask_covers():
    features = torch.zeros(2, 2, 2)
    features[0, 0, 0], features[1, 0, 1] = 4.0, 8.0
    logits = torch.full((2, 4, 4), -1.0)
    logits[0, :2, :3] = 1.0  # the first patch, and half of its neighbour
    mean, empty = mean_under(features, logits)
    assert mean.tolist() == pytest.approx([4.0 / 1.5, 8.0 * 0.5 / 1.5])
    assert not empty.any()


def test_an_empty_mask_shows_nothing():
    assert float(presence(torch.zeros(3), CONCEPTS[0], CONCEPTS, scale=16.0)) == 0.0
