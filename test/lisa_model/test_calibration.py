from dataclasses import replace

import pytest

from lisa_model.calibration import (
    LEAST_AGREEMENT,
    MOST_CERTAIN,
    Calibration,
    Evidence,
    Regression,
    log_odds,
)
from lisa_model.config import LisaConfig, preset


def seen(expected_iou, presence, certainty=0.5, agreement=1.0):
    return Evidence(
        expected_iou=expected_iou, presence=presence, agreement=agreement, certainty=certainty
    )


def score(one, *evidence, **more):
    return one.probability(seen(*evidence, **more))


def test_it_is_a_logistic_of_all():
    one = Regression(iou_weight=2.0, presence_weight=3.0, certainty_weight=0.5, bias=-2.5)
    assert score(one, 0.5, 0.5) == pytest.approx(0.5)
    assert score(one, 1.0, 1.0) == pytest.approx(0.92414, abs=1e-5)
    assert score(one, 7.0, 1.0) == score(one, 1.0, 1.0), "the decoder's own figure is clipped"
    assert score(one, -1.0, 0.0) == score(one, 0.0, 0.0)
    # Log-odds of 3 : 1, half of them.
    assert score(one, 0.5, 0.5, 0.75) == pytest.approx(3**0.5 / (1 + 3**0.5))
    agreed = Regression(iou_weight=0.0, presence_weight=0.0, agreement_weight=1.0, bias=0.0)
    assert score(agreed, 0.3, 0.3, agreement=0.25) == pytest.approx(0.2)
    assert score(agreed, 0.3, 0.3, agreement=0.0) == score(agreed, 0, 0, agreement=LEAST_AGREEMENT)
    tinted = Regression(iou_weight=0.0, presence_weight=0.0, tint_weight=1.0, bias=0.0)
    assert tinted.probability(replace(seen(0.3, 0.3), tint=0.0)) == pytest.approx(0.5)
    assert tinted.probability(replace(seen(0.3, 0.3), tint=-1.0)) < 0.3
    extreme = Regression(iou_weight=0.0, presence_weight=-2000.0, bias=0.0)
    assert score(extreme, 0.0, 1.0) == 0.0


def test_certainty_is_not_heard_beyond_a_bound():
    assert log_odds(0.0) == pytest.approx(-MOST_CERTAIN)
    assert log_odds(1.0) == pytest.approx(MOST_CERTAIN)
    assert log_odds(0.5) == pytest.approx(0.0)


PLAIN = Regression(iou_weight=1.0, presence_weight=1.0, bias=0.0)
STRICT = Regression(iou_weight=0.0, presence_weight=4.0, bias=-2.0)


def test_the_score_says_how_right_and_not_what_is_withheld():
    one = Calibration(right=PLAIN, fits=STRICT, floor=0.3)
    there, gone = seen(0.2, 0.9), seen(1.0, 0.1)
    assert one.score(gone) > 0.7
    assert one.score(there) == PLAIN.probability(there)
    assert not one.withholds(there)
    assert one.withholds(gone)
    assert not replace(one, floor=0.0).withholds(gone)


def test_what_is_no_calibration_is_refused():
    with pytest.raises(ValueError, match="bias must be finite"):
        replace(PLAIN, bias=float("nan"))
    for floor in (-0.1, 1.0):
        with pytest.raises(ValueError, match=r"calibration\.floor"):
            Calibration(right=PLAIN, fits=PLAIN, floor=floor)
    with pytest.raises(TypeError):
        Calibration.from_dict({"right": {"iou_weight": 1.0, "presence_weight": 1.0, "bias": 0.0}})


def test_it_is_kept_in_the_models_configuration():
    calibration = Calibration(right=PLAIN, fits=STRICT, floor=0.2)
    config = replace(preset("lisa-tiny"), calibration=calibration)
    assert LisaConfig.from_dict(config.to_dict()) == config
    assert LisaConfig.from_dict(preset("lisa-tiny").to_dict()).calibration is None
