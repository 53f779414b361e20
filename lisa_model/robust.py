"""Robust statistics of a target's points.  Pure numpy."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

MAD_TO_SIGMA = 1.4826  # 1.4826 * MAD estimates a normal distribution's standard deviation
_Z = 2.5758  # standard normal quantile at 99.5%, as McKean and Schrader have it


def spread_sample(count: int, limit: int) -> NDArray[np.int64] | slice:
    """Return which of ``count`` things to take so that at most ``limit`` stand for all.

    Multiples of the golden ratio, so that the choice is even and repeatable, but does not beat with
    the columns of an image as every k-th pixel would.
    """
    if count <= limit:
        return slice(None)
    return (_golden(limit) * count).astype(np.int64)


@lru_cache(maxsize=8)
def _golden(limit: int) -> NDArray[np.float64]:
    """Return the first multiples of the golden ratio, modulo 1."""
    fractions: NDArray[np.float64] = np.arange(1.0, limit + 1.0) * ((math.sqrt(5.0) - 1.0) / 2.0)
    return np.mod(fractions, 1.0)


def median(values: NDArray[np.floating]) -> float:
    """Return the median of (n,) values: as np.median, which takes several times as long."""
    ordered = np.sort(values)
    count = len(ordered)
    return float(ordered[(count - 1) // 2] + ordered[count // 2]) / 2.0


def cross(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cross products of (3, ...) vectors: as np.cross, which takes longer for few."""
    a, b, c = first
    x, y, z = second
    return np.array((b * z - c * y, c * x - a * z, a * y - b * x))


def median_error(low: float, high: float) -> float:
    """Return the standard error of a median, from the two values of ``median_error_ranks``.

    McKean and Schrader, A comparison of methods for studentizing the sample median, Communications
    in Statistics - Simulation and Computation 13(6), 1984.  It assumes no distribution, only
    independent samples: it covers noise and missing pixels, but neither an error of the mask nor of
    the calibration, and is too small where neighbouring depths share their error.
    """
    return (high - low) / (2.0 * _Z)


def median_error_ranks(count: int) -> tuple[int, int]:
    """Return the ranks (from 0) of the two sorted values that ``median_error`` needs."""
    first = max(0, round((count + 1) / 2 - _Z * math.sqrt(count / 4)) - 1)
    return first, count - 1 - first


def axis_statistics(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return median, 5th to 95th percentile and standard error of the median of (n,) values."""
    count = len(values)
    low, high = 0.05 * (count - 1), 0.95 * (count - 1)
    first, last = median_error_ranks(count)
    ordered = np.sort(values)  # numpy sorts faster than it partitions at several places

    def at(position: float) -> float:
        below = math.floor(position)
        above = min(below + 1, count - 1)
        share = position - below
        return float(ordered[below] * (1.0 - share) + ordered[above] * share)

    error = median_error(float(ordered[first]), float(ordered[last]))
    return at((count - 1) / 2), at(high) - at(low), error
