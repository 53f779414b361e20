"""What a look tells of the things under its masks."""

from __future__ import annotations

import pytest
import torch

from lisa_model.look import presence

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


def test_an_empty_mask_shows_nothing():
    assert float(presence(torch.zeros(3), CONCEPTS[0], CONCEPTS, scale=16.0)) == 0.0
