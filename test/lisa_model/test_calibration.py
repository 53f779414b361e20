from dataclasses import replace

import pytest

from lisa_model.calibration import MOST_CERTAIN, Calibration, Evidence, log_odds
from lisa_model.config import LisaConfig, preset


def score(one, expected_iou, presence, certainty=0.5, agreement=0.0):
    seen = Evidence(
        expected_iou=expected_iou, presence=presence, agreement=agreement, certainty=certainty
    )
    return one.score(seen)


def test_the_score_is_a_logistic_of_all():
    one = Calibration(iou_weight=2.0, presence_weight=3.0, certainty_weight=0.5, bias=-2.5)
    assert score(one, 0.5, 0.5) == pytest.approx(0.5)
    assert score(one, 1.0, 1.0) == pytest.approx(0.92414, abs=1e-5)
    assert score(one, 7.0, 1.0) == score(one, 1.0, 1.0), "the decoder's own figure is clipped"
    assert score(one, -1.0, 0.0) == score(one, 0.0, 0.0)
    # Log-odds of 3 : 1, half of them.
    assert score(one, 0.5, 0.5, 0.75) == pytest.approx(3**0.5 / (1 + 3**0.5))
    agreed = Calibration(iou_weight=0.0, presence_weight=0.0, agreement_weight=2.0, bias=-1.0)
    assert score(agreed, 0.3, 0.3, agreement=0.5) == pytest.approx(0.5)
    extreme = Calibration(iou_weight=0.0, presence_weight=-2000.0, bias=0.0)
    assert score(extreme, 0.0, 1.0) == 0.0


def test_certainty_is_not_heard_beyond_a_bound():
    assert log_odds(0.0) == pytest.approx(-MOST_CERTAIN)
    assert log_odds(1.0) == pytest.approx(MOST_CERTAIN)
    assert log_odds(0.5) == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("field", "value"), [("bias", float("nan")), ("floor", -0.1), ("floor", 1.0)]
)
def test_what_is_no_calibration_is_refused(field, value):
    values = {"iou_weight": 1.0, "presence_weight": 1.0, "bias": 0.0, field: value}
    with pytest.raises(ValueError, match=f"calibration.{field}"):
        Calibration(**values)


def test_it_is_kept_in_the_models_configuration():
    calibration = Calibration(iou_weight=1.0, presence_weight=2.0, bias=-1.0, floor=0.2)
    config = replace(preset("lisa-tiny"), calibration=calibration)
    assert LisaConfig.from_dict(config.to_dict()) == config
    assert LisaConfig.from_dict(preset("lisa-tiny").to_dict()).calibration is None
