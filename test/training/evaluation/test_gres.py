"""The rules of GRES on masks that can be counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lisa_model.metrics import c_iou, g_iou
from training.evaluation.gres import gres_score, lisa_giou, n_acc, t_acc


def mask(*pixels):
    out = np.zeros((2, 4), bool)
    out.reshape(-1)[list(pixels)] = True
    return out


def truth(*pixels):
    return mask(*pixels).astype(np.uint8)


def test_an_expression_without_a_target_has_1_only_where_nothing_is_predicted():
    right, wrong = gres_score(mask(), truth()), gres_score(mask(3), truth())
    assert (right.iou, wrong.iou) == (1.0, 0.0)
    assert (right.union, wrong.union) == (0, 1)
    assert (right.wanted, right.given, wrong.given) == (False, False, True)


def test_an_answer_of_nothing_has_0_where_there_is_a_target():
    score = gres_score(mask(), truth(1, 2))
    assert (score.intersection, score.union, score.iou) == (0, 2, 0.0)
    assert score.wanted
    assert not score.given


def test_a_set_of_all_four_kinds():
    scores = [
        gres_score(mask(), truth()),  # rightly nothing: 1
        gres_score(mask(0, 1, 2), truth()),  # wrongly something: 0
        gres_score(mask(0, 1), truth(1, 2)),  # 1 of 3
        gres_score(mask(), truth(5)),  # wrongly nothing: 0
    ]
    assert g_iou(scores) == pytest.approx((1 + 0 + 1 / 3 + 0) / 4)
    assert c_iou(scores) == pytest.approx(1 / (0 + 3 + 3 + 1))
    assert n_acc(scores) == 0.5
    assert t_acc(scores) == 0.5
    # LISA's own rule has something in the denominator and is the same otherwise.
    assert lisa_giou(scores) == pytest.approx(g_iou(scores), abs=1e-5)
    assert lisa_giou(scores) != g_iou(scores)


def test_small_answers_can_count_as_nothing():
    assert gres_score(mask(0, 1), truth(), least_pixels=3).iou == 1.0
    some = gres_score(mask(0, 1), truth(0, 1), least_pixels=3)
    assert (some.intersection, some.union, some.given) == (0, 2, False)
    assert gres_score(mask(0, 1, 2), truth(), least_pixels=3).iou == 0.0


def test_shares_of_nothing_are_not_a_number():
    scores = [gres_score(mask(0), truth(0))]
    assert math.isnan(n_acc(scores))
    assert t_acc(scores) == 1.0
