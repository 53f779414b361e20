"""Rigid transforms between frames: of points, covariances, directions, orientations.  Pure numpy.

A transform here takes coordinates of a source frame to those of a target frame, as
``tf2_ros.Buffer.lookup_transform(target, source, ...)`` returns it: p_target = R p_source + t.
Quaternions are (x, y, z, w), as in geometry_msgs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

# Quaternions and matrices that come from float32 or from printed digits are this far from exact.
_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False, kw_only=True)
class RigidTransform:
    """A rotation and a translation.

    Attributes:
        rotation: (3, 3) float64, orthonormal with determinant 1.
        translation: (3,) float64 [m].

    Raises:
        ValueError: naming the field that is not finite, misshapen, or no rotation.
    """

    rotation: FloatArray
    translation: FloatArray

    def __post_init__(self) -> None:
        if self.rotation.shape != (3, 3) or self.translation.shape != (3,):
            raise ValueError(
                f"transform: rotation is {self.rotation.shape}, translation "
                f"{self.translation.shape}; needed (3, 3) and (3,)"
            )
        if not np.isfinite(self.translation).all():
            raise ValueError(f"transform: translation is {self.translation}; must be finite")
        if (
            not np.isfinite(self.rotation).all()
            or np.abs(self.rotation @ self.rotation.T - np.eye(3)).max() > _TOLERANCE
            or np.linalg.det(self.rotation) < 0
        ):
            raise ValueError("transform: rotation is not orthonormal with determinant 1")

    @classmethod
    def identity(cls) -> RigidTransform:
        """Return the transform that changes nothing."""
        return cls(rotation=np.eye(3), translation=np.zeros(3))

    @classmethod
    def from_quaternion(cls, quaternion: ArrayLike, translation: ArrayLike) -> RigidTransform:
        """Return the transform of a quaternion (x, y, z, w) and a translation [m].

        Raises:
            ValueError: as the class, or the quaternion is no unit quaternion.
        """
        return cls(
            rotation=matrix_of_quaternion(quaternion),
            translation=np.asarray(translation, dtype=np.float64),
        )

    @classmethod
    def from_matrix(cls, matrix: ArrayLike) -> RigidTransform:
        """Return the transform of a (4, 4) matrix.

        Raises:
            ValueError: as the class, or the matrix's last row is not 0 0 0 1.
        """
        values = np.asarray(matrix, dtype=np.float64)
        if values.shape != (4, 4) or not np.allclose(values[3], (0, 0, 0, 1), atol=_TOLERANCE):
            raise ValueError("transform: needed a (4, 4) matrix whose last row is 0 0 0 1")
        return cls(rotation=values[:3, :3].copy(), translation=values[:3, 3].copy())

    @property
    def matrix(self) -> FloatArray:
        """The transform as a (4, 4) matrix."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.rotation
        matrix[:3, 3] = self.translation
        return matrix

    def points(self, points: FloatArray) -> FloatArray:
        """Return points [m], (3,) or (n, 3), in the target frame."""
        return points @ self.rotation.T + self.translation

    def directions(self, directions: FloatArray) -> FloatArray:
        """Return directions, (3,) or (n, 3), in the target frame: turned, not moved."""
        return directions @ self.rotation.T

    def covariance(self, covariance: FloatArray) -> FloatArray:
        """Return a (3, 3) covariance in the target frame: R C R^T."""
        return self.rotation @ covariance @ self.rotation.T

    def axes(self, axes: FloatArray) -> FloatArray:
        """Return an orientation, (3, 3) with the axes as columns, in the target frame."""
        return self.rotation @ axes


def matrix_of_quaternion(quaternion: ArrayLike) -> FloatArray:
    """Return the (3, 3) rotation of a unit quaternion (x, y, z, w).

    Raises:
        ValueError: it has not four finite numbers, or not the length 1 (within 1e-3).
    """
    values = np.asarray(quaternion, dtype=np.float64)
    if values.shape != (4,) or not np.isfinite(values).all():
        raise ValueError(f"quaternion: is {quaternion!r}; needed 4 finite numbers x y z w")
    length = float(np.linalg.norm(values))
    if abs(length - 1.0) > _TOLERANCE:
        raise ValueError(f"quaternion: its length is {length:g}; must be 1, in the order x y z w")
    x, y, z, w = (float(one) for one in values / length)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def quaternion_of_matrix(rotation: FloatArray) -> FloatArray:
    """Return the unit quaternion (x, y, z, w) with w >= 0 of a (3, 3) rotation.

    By the largest of the four squared components, so that nothing small is divided by (Shepperd,
    Quaternion from rotation matrix, Journal of Guidance and Control 1(3), 1978).
    """
    r = rotation
    trace = float(np.trace(r))
    squares = np.array([*np.diag(r), trace])
    largest = int(squares.argmax())
    if largest == 3:
        values = np.array([r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1], 1.0 + trace])
    else:
        i, j, k = largest, (largest + 1) % 3, (largest + 2) % 3
        values = np.empty(4)
        values[i] = 1.0 + 2.0 * r[i, i] - trace
        values[j] = r[j, i] + r[i, j]
        values[k] = r[k, i] + r[i, k]
        values[3] = r[k, j] - r[j, k]
    values /= np.linalg.norm(values)
    return values if values[3] >= 0 else -values


def quaternion_of_arrow(direction: FloatArray) -> FloatArray:
    """Return a quaternion (x, y, z, w) that turns the x axis into a direction (3,) of length 1.

    An arrow marker of ROS points along x; how it is turned about itself does not show.
    """
    helper = np.eye(3)[int(np.abs(direction).argmin())]
    second = np.cross(helper, direction)
    second /= np.linalg.norm(second)
    return quaternion_of_matrix(np.column_stack((direction, second, np.cross(direction, second))))
