"""From numpy to geometry_msgs."""

from __future__ import annotations

import math

import numpy as np
from geometry_msgs.msg import Point, Pose, Quaternion, Vector3
from numpy.typing import NDArray

from lisa_model.oriented_box import OrientedBox

FloatArray = NDArray[np.float64]

NAN3 = np.full(3, math.nan)


def to_point(values: FloatArray) -> Point:
    """Return (3,) coordinates."""
    x, y, z = (float(value) for value in values)
    return Point(x=x, y=y, z=z)


def to_vector(values: FloatArray) -> Vector3:
    """Return a (3,) vector."""
    x, y, z = (float(value) for value in values)
    return Vector3(x=x, y=y, z=z)


def to_quaternion(values: FloatArray) -> Quaternion:
    """Return a quaternion (x, y, z, w)."""
    x, y, z, w = (float(value) for value in values)
    return Quaternion(x=x, y=y, z=z, w=w)


def to_pose(box: OrientedBox) -> Pose:
    """Return a box's centre and orientation."""
    return Pose(position=to_point(box.centre), orientation=to_quaternion(box.quaternion))


def nan_pose() -> Pose:
    """Return a pose that is none."""
    return Pose(position=to_point(NAN3), orientation=to_quaternion(np.full(4, math.nan)))
