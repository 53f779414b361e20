"""What the thresholds of follow mode are chosen by: the counting, without a model."""

from __future__ import annotations

import math

import pytest

from benchmarks.follow_thresholds import Samples, roc_area


def test_the_area_is_the_share_of_pairs_in_the_right_order():
    assert roc_area([0.9, 0.8], [0.1, 0.2]) == 1.0
    assert roc_area([0.1], [0.2, 0.9]) == 0.0
    assert roc_area([0.5, 0.9], [0.5, 0.7]) == pytest.approx(2.5 / 4)
    assert math.isnan(roc_area([], [0.1]))


def test_areas_are_of_the_samples_near_a_place():
    samples = Samples()
    samples.values["present_near"] += [0.9, 0.8]
    samples.values["absent_near"] += [0.1]
    samples.values["absent_search"] += [1.0]
    samples.looks_only["present"] += [0.9, 0.1]
    samples.looks_only["absent"] += [0.5]
    assert samples.areas() == {"near": 1.0, "near_looks_only": 0.5}
    assert samples.report()["looks_only_present"]["n"] == 2
