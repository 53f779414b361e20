"""Order statistics against numpy's, and the median's error against repetition."""

from __future__ import annotations

import numpy as np
import pytest

from lisa_model.robust import axis_statistics, spread_sample


@pytest.mark.parametrize("count", [1, 2, 3, 20, 21, 500, 1001])
def test_median_and_extent_are_numpys(count: int):
    values = np.random.default_rng(count).normal(size=count)
    median, extent, error = axis_statistics(values)
    low, high = np.percentile(values, (5, 95))
    assert median == pytest.approx(np.median(values))
    assert extent == pytest.approx(high - low)
    assert error >= 0


@pytest.mark.parametrize("kind", ["normal", "uniform", "two faces"])
def test_the_error_of_the_median_is_what_repetition_shows(kind: str):
    rng = np.random.default_rng(0)

    def draw() -> np.ndarray:
        if kind == "normal":
            return rng.normal(0, 0.01, 800)
        if kind == "uniform":
            return rng.uniform(-0.05, 0.05, 800)
        return np.where(rng.random(800) < 0.7, rng.normal(0, 0.002, 800), rng.uniform(0, 0.1, 800))

    results = np.array([axis_statistics(draw()) for _ in range(400)])
    assert results[:, 2].mean() == pytest.approx(results[:, 0].std(), rel=0.15)


def test_a_spread_sample_is_even_in_rows_and_columns():
    width, count, limit = 200, 200 * 150, 2000
    chosen = np.arange(count)[spread_sample(count, limit)]
    assert len(chosen) == limit
    columns = np.bincount(chosen % width, minlength=width)
    assert columns.min() >= 4  # 10 on average; a stride of 15 would take 40 of the columns only
    assert columns.max() <= 20
    assert np.bincount(chosen // (count // 10), minlength=10).min() >= 195


def test_few_are_all_taken():
    np.testing.assert_array_equal(np.arange(7)[spread_sample(7, 10)], np.arange(7))
