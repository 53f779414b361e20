"""The oriented box around the points of a visible surface.  Pure numpy.

A box is wanted whose sides lie along the object's edges.  The principal axes do not give that: of a
square face they are arbitrary, and of two visible faces they lie askew between them.  Nor does the
least volume: around a right-angled corner, the box along the hypotenuse is as small as that along
the edges.  So one side of the box is taken along the normal of the plane that most points lie on,
and the box is turned about that to the least area.  Points without a plane, those of a line, have
their principal axes.  Areas are those that hold all but the outermost points, so that single stray
points do not pull the box.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lisa_model.planes import fit_plane
from lisa_model.rigid import RigidTransform, quaternion_of_matrix
from lisa_model.robust import cross, median, spread_sample

FloatArray = NDArray[np.float64]

# Fewer points than this have no box.
MIN_BOX_POINTS = 10
# The orientation is sought with a coarse and a fine sample; the sides are measured by a larger one.
_COARSE = 384
_FINE = 1536
_SIDES = 16384
# Share of the points left out at each end of an axis while the orientation is sought, and of the
# sides: a side is measured by all points but one in a hundred.
_TRIM = 0.01
_COARSE_ANGLES = np.radians(np.arange(0.0, 90.0, 6.0))
_FINE_ANGLES = np.radians(np.arange(-6.0, 6.01, 1.0))
_FINEST_ANGLES = np.radians(np.arange(-1.0, 1.01, 0.25))
# A side of a volume counts at least this much [m]: of flat things, two sides have to decide.
_MIN_SIDE_M = 1e-3


@dataclass(frozen=True, eq=False, kw_only=True)
class OrientedBox:
    """A box in any orientation.

    Attributes:
        centre: (3,) float64 [m].
        axes: (3, 3) float64, a rotation; its columns are the directions of the sides, longest
            side first.  The last (of the shortest side) points to the camera's side, the first to
            the right in the image (down when it is upright there).
        size: (3,) float64, lengths of the sides [m], falling.
    """

    centre: FloatArray
    axes: FloatArray
    size: FloatArray

    @property
    def quaternion(self) -> FloatArray:
        """The orientation as (x, y, z, w)."""
        return quaternion_of_matrix(self.axes)

    def corners(self) -> FloatArray:
        """Return the (8, 3) corners [m]."""
        signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
        return self.centre + (signs * self.size / 2) @ self.axes.T

    def moved(self, transform: RigidTransform) -> OrientedBox:
        """Return the box in the target frame of a transform."""
        return OrientedBox(
            centre=transform.points(self.centre),
            axes=transform.axes(self.axes),
            size=self.size,
        )


def fit_box(points: FloatArray) -> OrientedBox | None:
    """Return the oriented box of a visible surface.

    Sides hold 98% of the points along them.  They are of what is seen: the back of the object is
    not, so one side may be as thin as the surface.

    Args:
        points: (n, 3) float64 [m] in the camera optical frame, free of other surfaces.

    Returns:
        None for fewer than ``MIN_BOX_POINTS`` points.
    """
    if len(points) < MIN_BOX_POINTS:
        return None
    sample = points[spread_sample(len(points), _FINE)]
    middle = np.array([median(axis) for axis in sample.T])
    fine = sample - middle
    coarse = fine[spread_sample(len(fine), _COARSE)]
    axes = _coarse_axes(fine, coarse)
    axes = _turned(fine, axes, _FINE_ANGLES)
    axes = _turned(fine, axes, _FINEST_ANGLES)
    centre, size = _sides(points[spread_sample(len(points), _SIDES)] - middle, axes)
    order = np.argsort(-size, kind="stable")
    axes, centre, size = axes[:, order], centre[order], size[order]
    position = middle + axes @ centre
    return OrientedBox(centre=position, axes=_right_handed(axes, position), size=size)


def _coarse_axes(fine: FloatArray, coarse: FloatArray) -> FloatArray:
    """Return the axes (3, 3) of the box, to the nearest of the coarse angles."""
    plane = fit_plane(fine)
    if plane is not None:
        directions = [plane.normal]
    else:
        _, vectors = np.linalg.eigh(coarse.T @ coarse)
        directions = list(vectors.T)
    best, least = np.eye(3), math.inf
    for direction in directions:
        axes = _turned(coarse, _basis(direction), _COARSE_ANGLES)
        volume = float(np.prod(np.maximum(_sides(coarse, axes)[1], _MIN_SIDE_M)))
        if volume < least:
            best, least = axes, volume
    return best


def _basis(direction: FloatArray) -> FloatArray:
    """Return a (3, 3) rotation whose last column is a direction of length 1."""
    helper = np.eye(3)[int(np.abs(direction).argmin())]
    first = cross(helper, direction)
    first /= np.linalg.norm(first)
    return np.column_stack((first, cross(direction, first), direction))


def _turned(points: FloatArray, axes: FloatArray, angles: FloatArray) -> FloatArray:
    """Return the axes, turned about the last by the one of the angles [rad] with the least area."""
    flat = points @ axes[:, :2]
    cosine, sine = np.cos(angles), np.sin(angles)
    along = np.outer(cosine, flat[:, 0]) + np.outer(sine, flat[:, 1])
    across = np.outer(cosine, flat[:, 1]) - np.outer(sine, flat[:, 0])
    low, high = _trimmed(np.concatenate((along, across)))
    lengths = np.maximum(high - low, _MIN_SIDE_M)
    best = int((lengths[: len(angles)] * lengths[len(angles) :]).argmin())
    c, s = cosine[best], sine[best]
    first = axes[:, 0] * c + axes[:, 1] * s
    return np.column_stack((first, axes[:, 1] * c - axes[:, 0] * s, axes[:, 2]))


def _sides(points: FloatArray, axes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return centre and size (3,) along the axes, in the axes' coordinates."""
    low, high = _trimmed(np.ascontiguousarray((points @ axes).T))
    return (low + high) / 2, high - low


def _trimmed(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the first and the last value of each row (m, n) without the outermost share."""
    count = values.shape[1]
    low = int(_TRIM * (count - 1))
    # numpy sorts float32 faster than it partitions; distances from the middle keep their precision.
    ordered = np.sort(values.astype(np.float32), axis=1)
    return ordered[:, low].astype(np.float64), ordered[:, count - 1 - low].astype(np.float64)


def _right_handed(axes: FloatArray, position: FloatArray) -> FloatArray:
    """Return the axes with the signs that OrientedBox documents."""
    first, last = axes[:, 0], axes[:, 2]
    if last @ position > 0:
        last = -last
    sideways = abs(first[0]) >= abs(first[1])
    if first[0 if sideways else 1] < 0:
        first = -first
    return np.column_stack((first, cross(last, first), last))
