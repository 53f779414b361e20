import math
import random

import pytest

from lisa_model.calibration import Evidence, Regression
from training.tiny.calibrate import Case, fit


def drawn(count, seed=0):
    """Right with probability sigmoid(4 x presence + 2 x log(agreement) + log-odds of the certainty
    / 2 + 1), whatever is expected; of the wrong ones, half are in vain."""
    rng = random.Random(seed)
    true = Regression(
        iou_weight=0.0, presence_weight=4.0, agreement_weight=2.0, certainty_weight=0.5, bias=1.0
    )
    out = []
    for _ in range(count):
        evidence = Evidence(
            expected_iou=rng.random(),
            presence=rng.random(),
            agreement=rng.random(),
            certainty=rng.random(),
        )
        right = rng.random() < true.probability(evidence)
        fits = right or rng.random() < 0.5
        out.append(Case(evidence=evidence, iou=0.8 if right else 0.1, fits=fits))
    return out


def test_the_regression_finds_what_the_masks_were_drawn_with():
    calibration = fit(drawn(20_000))
    found = calibration.right
    assert found.presence_weight == pytest.approx(4.0, abs=0.2)
    assert found.iou_weight == pytest.approx(0.0, abs=0.15)
    assert found.certainty_weight == pytest.approx(0.5, abs=0.05)
    assert found.agreement_weight == pytest.approx(2.0, abs=0.2)
    assert found.bias == pytest.approx(1.0, abs=0.2)
    # Half of the wrong ones are left out: the same, with even odds doubled.
    fits = calibration.fits
    assert fits.presence_weight == pytest.approx(4.0, abs=0.3)
    assert fits.bias == pytest.approx(1.0 + math.log(2.0), abs=0.3)


def test_the_floor_withholds_few_of_the_good_masks():
    cases = drawn(5_000)
    found = fit(cases, most_refused=0.05)
    good = [one for one in cases if one.iou >= 0.5]
    refused = sum(found.withholds(one.evidence) for one in good)
    assert 0 < refused / len(good) <= 0.05


def test_it_needs_right_and_wrong_masks():
    right = [e for e in drawn(200) if e.iou >= 0.5]
    with pytest.raises(ValueError, match="right and wrong"):
        fit(right)
