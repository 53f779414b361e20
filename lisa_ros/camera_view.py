"""How camera images become what the model sees: rectification and where the depth camera is.

No ROS here.  The node's parameters ``rectify``, ``rectified_input`` and ``depth_to_colour``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lisa_model.rigid import matrix_of_quaternion

# Two cameras of one head; a larger distance is a unit other than metres.
MAX_BASELINE_M = 10.0
# Drivers print rotations with 5 or 6 digits.
_TOLERANCE = 1e-3


@dataclass(frozen=True, kw_only=True)
class CameraView:
    """What is done to images before they are used.

    Attributes:
        rectify: lens distortion is taken out; masks refer to the rectified image.
        rectified_input: that was done before: the intrinsics are P of the camera_info, not K, and
            its distortion is not the image's.
        colour_from_depth: row-major (4, 4) rigid transform of points, depth camera's optical frame
            to the colour camera's [m]; None when depth is registered to colour.

    Raises:
        ValueError: naming the field, for a contradiction or what is no rigid transform in metres.
    """

    rectify: bool = False
    rectified_input: bool = False
    colour_from_depth: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.rectify and self.rectified_input:
            raise ValueError(
                "parameter rectify and parameter rectified_input are both true: an image that is "
                "rectified already must not be rectified again; set one of them to false"
            )
        if self.colour_from_depth is not None:
            _check_rigid(self.colour_from_depth)

    @property
    def registered(self) -> bool:
        """Whether depth images are in the colour camera's view already."""
        return self.colour_from_depth is None

    @property
    def transform(self) -> NDArray[np.float64]:
        """``colour_from_depth`` as a (4, 4) array; the identity when depth is registered."""
        if self.colour_from_depth is None:
            return np.eye(4)
        return np.array(self.colour_from_depth, dtype=np.float64).reshape(4, 4)


def parse_depth_to_colour(text: str) -> tuple[float, ...] | None:
    """Read the parameter ``depth_to_colour``.

    Args:
        text: "" (depth is registered), 7 numbers ``x y z qx qy qz qw`` [m, unit quaternion], as
            ``tf2_echo`` shows them, or the 16 of a row-major 4 x 4 matrix; blanks, commas and
            brackets separate.

    Returns:
        The row-major (4, 4) matrix, or None.

    Raises:
        ValueError: naming the parameter, for anything else.
    """
    words = re.split(r"[\s,;\[\]()]+", text.strip())
    words = [word for word in words if word]
    if not words:
        return None
    try:
        values = tuple(float(word) for word in words)
    except ValueError:
        raise ValueError(
            f"parameter depth_to_colour is {text[:60]!r}; use numbers: 'x y z qx qy qz qw', or the "
            "16 of a 4 x 4 matrix, or leave it empty when depth is registered to colour"
        ) from None
    if len(values) == 7:
        values = _matrix_of_pose(values)
    if len(values) != 16:
        raise ValueError(
            f"parameter depth_to_colour has {len(values)} numbers; use 7 (x y z qx qy qz qw) or 16 "
            "(a row-major 4 x 4 matrix)"
        )
    _check_rigid(values)
    return values


def _matrix_of_pose(values: tuple[float, ...]) -> tuple[float, ...]:
    try:
        rotation = matrix_of_quaternion(values[3:])
    except ValueError as error:
        raise ValueError(f"parameter depth_to_colour: {error}") from error
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation, values[:3]
    return tuple(float(one) for one in matrix.reshape(16))


def _check_rigid(values: tuple[float, ...]) -> None:
    matrix = np.array(values, dtype=np.float64)
    if matrix.shape != (16,) or not np.isfinite(matrix).all():
        raise ValueError("parameter depth_to_colour: needs 16 finite numbers")
    matrix = matrix.reshape(4, 4)
    rotation, translation = matrix[:3, :3], matrix[:3, 3]
    if np.abs(matrix[3] - (0, 0, 0, 1)).max() > _TOLERANCE:
        raise ValueError(
            "parameter depth_to_colour: the last four numbers have to be 0 0 0 1 (a row-major "
            "matrix)"
        )
    if (
        np.abs(rotation).max() > 2
        or np.abs(rotation @ rotation.T - np.eye(3)).max() > _TOLERANCE
        or np.linalg.det(rotation) < 0
    ):
        raise ValueError(
            "parameter depth_to_colour: its upper left 3 x 3 numbers are no rotation; use a rigid "
            "transform from the depth camera's optical frame to the colour camera's"
        )
    if np.linalg.norm(translation) > MAX_BASELINE_M:
        raise ValueError(
            f"parameter depth_to_colour: the cameras are {np.linalg.norm(translation):g} m apart, "
            f"more than {MAX_BASELINE_M:g} m; give the translation in metres"
        )
