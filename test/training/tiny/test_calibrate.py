import random

import pytest

from lisa_model.calibration import Calibration
from training.tiny.calibrate import Evidence, fit


def drawn(count, seed=0):
    """Masks that are right with probability sigmoid(4 x presence - 2), whatever is expected."""
    rng = random.Random(seed)
    true = Calibration(iou_weight=0.0, presence_weight=4.0, bias=-2.0)
    out = []
    for _ in range(count):
        expected, presence = rng.random(), rng.random()
        right = rng.random() < true.score(expected, presence)
        out.append(
            Evidence(expected_iou=expected, presence=presence, iou=0.8 if right else 0.1, fits=True)
        )
    return out


def test_the_regression_finds_what_the_masks_were_drawn_with():
    found = fit(drawn(20_000))
    assert found.presence_weight == pytest.approx(4.0, abs=0.2)
    assert found.iou_weight == pytest.approx(0.0, abs=0.15)
    assert found.bias == pytest.approx(-2.0, abs=0.15)


def test_the_floor_withholds_few_of_the_good_masks():
    evidence = drawn(5_000)
    found = fit(evidence, most_refused=0.05)
    good = [e for e in evidence if e.iou >= 0.5]
    refused = sum(found.score(e.expected_iou, e.presence) < found.floor for e in good)
    assert 0 < refused / len(good) <= 0.05


def test_it_needs_right_and_wrong_masks():
    right = [e for e in drawn(200) if e.iou >= 0.5]
    with pytest.raises(ValueError, match="right and wrong"):
        fit(right)
