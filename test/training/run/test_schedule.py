from __future__ import annotations

import pytest

from training.run.schedule import rate_factor


def test_up_to_one_and_down_to_nearly_nothing():
    factors = [rate_factor(step, warm_up=100, total=5000) for step in range(5000)]
    assert factors[0] == pytest.approx(0.01)
    assert factors[49] == pytest.approx(0.5)
    assert factors[99] == factors[100] == 1.0
    assert factors[2550] == pytest.approx(0.5)
    assert factors[4999] == pytest.approx(1 / 4900)
    assert factors[:100] == sorted(factors[:100])
    assert factors[100:] == sorted(factors[100:], reverse=True)


def test_without_warm_up_and_with_nothing_else():
    assert rate_factor(0, warm_up=0, total=10) == 1.0
    assert rate_factor(9, warm_up=20, total=10) == 0.5


@pytest.mark.parametrize("step", [-1, 10])
def test_a_step_outside_the_run_is_refused(step):
    with pytest.raises(ValueError, match="not in 0 to 9"):
        rate_factor(step, warm_up=2, total=10)
