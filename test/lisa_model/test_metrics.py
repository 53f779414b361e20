import numpy as np
import pytest

from lisa_model.metrics import MaskScore, bootstrap_interval, c_iou, g_iou, score_mask


def test_iou_of_half_overlap():
    predicted = np.array([[1, 1, 0, 0]], dtype=bool)
    truth = np.array([[0, 1, 1, 0]], dtype=np.uint8)
    score = score_mask(predicted, truth)
    assert (score.intersection, score.union) == (1, 3)
    assert score.iou == pytest.approx(1 / 3, abs=1e-4)


def test_ignored_pixels_do_not_count():
    truth = np.array([[1, 255, 255, 0]], dtype=np.uint8)
    assert score_mask(np.array([[1, 1, 0, 0]], dtype=bool), truth).iou == pytest.approx(1, abs=1e-4)


def test_both_empty_is_one_and_false_alarm_is_zero():
    nothing = np.zeros((2, 2), dtype=np.uint8)
    assert score_mask(np.zeros((2, 2), dtype=bool), nothing).iou == 1.0
    assert score_mask(np.ones((2, 2), dtype=bool), nothing).iou == 0.0


def test_giou_is_a_mean_and_ciou_a_ratio_of_sums():
    scores = [MaskScore(1, 2), MaskScore(90, 100)]
    assert g_iou(scores) == pytest.approx(0.7, abs=1e-4)
    assert c_iou(scores) == pytest.approx(91 / 102, abs=1e-6)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="predicted mask is"):
        score_mask(np.zeros((2, 2), dtype=bool), np.zeros((2, 3), dtype=np.uint8))


def test_bootstrap_draws_groups_and_is_repeatable():
    groups = [[MaskScore(k, 10)] * 5 for k in range(1, 10)]
    low, high = bootstrap_interval(groups, samples=200)
    assert (low, high) == bootstrap_interval(groups, samples=200)
    assert low < g_iou([s for g in groups for s in g]) < high
    single = bootstrap_interval([[s] for g in groups for s in g], samples=200)
    assert high - low > single[1] - single[0], "grouped draws vary more than single ones"
