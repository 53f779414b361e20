from dataclasses import replace

import pytest

from lisa_model.calibration import Calibration
from lisa_model.config import LisaConfig, preset


def test_the_score_is_a_logistic_of_both():
    one = Calibration(iou_weight=2.0, presence_weight=3.0, bias=-2.5)
    assert one.score(0.5, 0.5) == pytest.approx(0.5)
    assert one.score(1.0, 1.0) == pytest.approx(0.92414, abs=1e-5)
    assert one.score(7.0, 1.0) == one.score(1.0, 1.0), "the decoder's own figure is clipped"
    assert one.score(-1.0, 0.0) == one.score(0.0, 0.0)
    extreme = Calibration(iou_weight=0.0, presence_weight=-2000.0, bias=0.0)
    assert extreme.score(0.0, 1.0) == 0.0


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
