import random

import pytest

from lisa_model.calibration import Calibration, Evidence
from training.tiny.calibrate import Case, fit


def drawn(count, seed=0):
    """Right with probability sigmoid(4 x presence + 2 x agreement + log-odds of the certainty / 2 -
    3), whatever is expected."""
    rng = random.Random(seed)
    true = Calibration(
        iou_weight=0.0, presence_weight=4.0, agreement_weight=2.0, certainty_weight=0.5, bias=-3.0
    )
    out = []
    for _ in range(count):
        evidence = Evidence(
            expected_iou=rng.random(),
            presence=rng.random(),
            agreement=rng.random(),
            certainty=rng.random(),
        )
        right = rng.random() < true.score(evidence)
        out.append(Case(evidence=evidence, iou=0.8 if right else 0.1, fits=True))
    return out


def test_the_regression_finds_what_the_masks_were_drawn_with():
    found = fit(drawn(20_000))
    assert found.presence_weight == pytest.approx(4.0, abs=0.2)
    assert found.iou_weight == pytest.approx(0.0, abs=0.15)
    assert found.certainty_weight == pytest.approx(0.5, abs=0.05)
    assert found.agreement_weight == pytest.approx(2.0, abs=0.2)
    assert found.bias == pytest.approx(-3.0, abs=0.2)


def test_the_floor_withholds_few_of_the_good_masks():
    cases = drawn(5_000)
    found = fit(cases, most_refused=0.05)
    good = [one for one in cases if one.iou >= 0.5]
    refused = sum(found.score(one.evidence) < found.floor for one in good)
    assert 0 < refused / len(good) <= 0.05


def test_it_needs_right_and_wrong_masks():
    right = [e for e in drawn(200) if e.iou >= 0.5]
    with pytest.raises(ValueError, match="right and wrong"):
        fit(right)
