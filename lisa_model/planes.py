"""The plane that most points lie on.  Pure numpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lisa_model.robust import MAD_TO_SIGMA, cross, spread_sample

FloatArray = NDArray[np.float64]

_TRIALS = 60
_SAMPLE = 256
# Which three, as shares of the number of points.
_TRIPLES = np.random.default_rng(0).random((_TRIALS, 3))
# Points within this many robust standard deviations lie on the plane.
_SIGMAS = 2.5
# But never closer than this [m], as exact points have a deviation of zero.
_FLOOR_M = 1e-6
# Points whose spread across is below this share of that along are a line.
_LINE = 1e-3


@dataclass(frozen=True, eq=False, kw_only=True)
class Plane:
    """A plane through ``centre`` with the unit ``normal``, either way round.

    Attributes:
        centre, normal: (3,) float64.
        inliers: (n,) bool, which of the points lie on it.
    """

    centre: FloatArray
    normal: FloatArray
    inliers: NDArray[np.bool_]


def fit_plane(points: FloatArray) -> Plane | None:
    """Return the plane that most of the (n, 3) points lie on, None when they lie on a line.

    Least median of squares over planes through three points (Rousseeuw, Least median of squares
    regression, JASA 79, 1984), which withstands nearly half of the points being elsewhere; then
    least squares over the points near it.  The choice of points is the same in every call.
    """
    if len(points) < 3:
        return None
    sample = points[spread_sample(len(points), _SAMPLE)]
    chosen = (_TRIPLES * len(sample)).astype(np.int64)
    first, second, third = (sample[chosen[:, one]] for one in range(3))
    normals = cross((second - first).T, (third - first).T).T
    lengths = np.linalg.norm(normals, axis=1)
    usable = lengths > 1e-15
    if not usable.any():
        return None
    normals, first = normals[usable] / lengths[usable, None], first[usable]
    distances = np.abs(normals @ sample.T - (normals * first).sum(axis=1, keepdims=True))
    middle = distances.shape[1] // 2
    medians = np.partition(distances, middle, axis=1)[:, middle]
    best = int(medians.argmin())
    normal, centre = normals[best], first[best]
    # 1 + 5 / (n - 3): the correction for small samples, as Rousseeuw and Leroy (1987) have it.
    scale = MAD_TO_SIGMA * (1.0 + 5.0 / max(len(sample) - 3, 1)) * float(medians[best])
    for _ in range(2):
        near = np.abs((points - centre) @ normal) <= max(_SIGMAS * scale, _FLOOR_M)
        if near.sum() < 3:
            return None
        centre = points[near].mean(axis=0)
        centred = points[near] - centre
        spread, vectors = np.linalg.eigh(centred.T @ centred)
        if spread[1] <= _LINE**2 * spread[2]:
            return None
        normal = vectors[:, 0]
    near = np.abs((points - centre) @ normal) <= max(_SIGMAS * scale, _FLOOR_M)
    return Plane(centre=centre, normal=normal, inliers=np.asarray(near, dtype=np.bool_))
