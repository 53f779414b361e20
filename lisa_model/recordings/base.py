"""What all recordings have in common: frames one after the other, with stamps and calibration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lisa_model.depth_registration import register_depth
from lisa_model.errors import LisaError
from lisa_model.geometry import Intrinsics

# Recordings without stamps start here: in ROS, time 0 means that there is no time yet.
FIRST_STAMP_NS = 1_000_000_000
# ROS counts seconds in 32 bits.
END_OF_TIME_NS = 2**31 * 1_000_000_000
_MAX_MM = 65535


class RecordingError(LisaError, ValueError):
    """A recording cannot be read; the message names the file, the field or byte, and the remedy."""


@dataclass(frozen=True)
class RecordedFrame:
    """One RGB-D frame as the cameras gave it.

    Attributes:
        name: within the recording, such as a number.
        stamp_ns: time of capture [ns], rising from frame to frame.
        color: (H, W, 3) uint8 RGB.
        depth: (h, w) uint16 millimetres or float32 metres, planar, of the depth camera; 0, NaN and
            inf are invalid.
        color_intrinsics: of ``color``.
        depth_intrinsics: of ``depth``.
        color_from_depth: (4, 4) float64, depth camera's optical frame to the colour camera's [m].
        world_from_camera: (4, 4) float64, pose of the colour camera's optical frame [m], or None.
        instance_ids: (H, W) uint16, 0 for none, or None when the recording has no annotation.
    """

    name: str
    stamp_ns: int
    color: NDArray[np.uint8]
    depth: NDArray[Any]
    color_intrinsics: Intrinsics
    depth_intrinsics: Intrinsics
    color_from_depth: NDArray[np.float64]
    world_from_camera: NDArray[np.float64] | None = None
    instance_ids: NDArray[np.uint16] | None = None

    @property
    def registered(self) -> bool:
        """Whether depth and colour share one camera, so that their pixels belong together."""
        return self.depth_intrinsics == self.color_intrinsics and np.array_equal(
            self.color_from_depth, np.eye(4)
        )

    def depth_m(self) -> NDArray[np.float32]:
        """Return the depth in metres, (h, w) float32."""
        return to_metres(self.depth)

    def depth_mm(self) -> NDArray[np.uint16]:
        """Return the depth in millimetres, (h, w) uint16."""
        return to_millimetres(self.depth)

    def registered_depth_mm(self) -> NDArray[np.uint16]:
        """Return the depth as the colour camera sees it, (H, W) uint16 millimetres."""
        if self.registered:
            return self.depth_mm()
        return to_millimetres(
            register_depth(
                self.depth_m(), self.depth_intrinsics, self.color_intrinsics, self.color_from_depth
            )
        )


class Recording(Protocol):
    """RGB-D frames on disk; read one by one, as often as wanted."""

    @property
    def path(self) -> Path:
        """The file or folder."""

    @property
    def kind(self) -> str:
        """The format, for people."""

    @property
    def timing(self) -> str:
        """Where the stamps come from, for people."""

    @property
    def skipped(self) -> int:
        """How many frames the last ``frames()`` has left out so far: their pose is not finite."""

    def __len__(self) -> int:
        """Number of frames, with those that may be skipped."""

    def frames(self) -> Iterator[RecordedFrame]:
        """Read from the beginning.

        Raises:
            RecordingError: something is malformed; the frames before it have been given.
        """


def to_metres(depth: NDArray[Any]) -> NDArray[np.float32]:
    """Return uint16 millimetres or float metres as float32 metres."""
    if depth.dtype == np.uint16:
        return depth.astype(np.float32) / np.float32(1000.0)
    return depth.astype(np.float32)


def to_millimetres(depth: NDArray[Any]) -> NDArray[np.uint16]:
    """Return uint16 millimetres or float metres as uint16 millimetres.

    What does not fit (NaN, inf, negative, above 65.535 m) becomes 0, invalid.
    """
    if depth.dtype == np.uint16:
        return depth
    with np.errstate(invalid="ignore"):
        millimetres = np.rint(depth.astype(np.float64) * 1000.0)
        fits = (millimetres > 0) & (millimetres <= _MAX_MM)
    return np.where(fits, millimetres, 0).astype(np.uint16)


def check_transform(matrix: NDArray[np.float64], where: str) -> None:
    """Check that a (4, 4) matrix is a rigid transform.

    Args:
        where: file and field, for the message.

    Raises:
        RecordingError: it is not.
    """
    rotation = matrix[:3, :3]
    if (
        not np.isfinite(matrix).all()
        or np.abs(matrix[3] - (0, 0, 0, 1)).max() > 1e-3
        or np.abs(rotation @ rotation.T - np.eye(3)).max() > 1e-2
        or np.linalg.det(rotation) < 0
    ):
        raise RecordingError(
            f"{where}: is no rigid transform (rotation and translation in metres): "
            f"{np.array2string(matrix, precision=3).replace(chr(10), '')}. Export the scan again"
        )


def intrinsics_from_matrix(
    matrix: NDArray[np.float64], width: int, height: int, where: str
) -> Intrinsics:
    """Return the intrinsics in the upper left of a matrix, for an image of the given size.

    Args:
        where: file and field, for the message.

    Raises:
        RecordingError: they cannot be.
    """
    try:
        return Intrinsics(
            fx=float(matrix[0, 0]),
            fy=float(matrix[1, 1]),
            cx=float(matrix[0, 2]),
            cy=float(matrix[1, 2]),
            width=width,
            height=height,
        )
    except ValueError as error:
        raise RecordingError(f"{where}: {error}. Export the scan again") from error


def scale_intrinsics(intrinsics: Intrinsics, width: int, height: int) -> Intrinsics:
    """Return the intrinsics of the same image resized; pixel centres have integer coordinates."""
    sx, sy = width / intrinsics.width, height / intrinsics.height
    return Intrinsics(
        fx=intrinsics.fx * sx,
        fy=intrinsics.fy * sy,
        cx=(intrinsics.cx + 0.5) * sx - 0.5,
        cy=(intrinsics.cy + 0.5) * sy - 0.5,
        width=width,
        height=height,
    )


def intrinsics_matrix(intrinsics: Intrinsics) -> NDArray[np.float64]:
    """Return the 4 x 4 matrix that ScanNet writes intrinsics as."""
    matrix = np.eye(4)
    matrix[0, 0], matrix[1, 1] = intrinsics.fx, intrinsics.fy
    matrix[0, 2], matrix[1, 2] = intrinsics.cx, intrinsics.cy
    return matrix


def depth_pose(frame: RecordedFrame) -> NDArray[np.float64]:
    """Return world_from_depth, the pose that ScanNet stores.

    Raises:
        ValueError: the frame has no pose.
    """
    if frame.world_from_camera is None:
        raise ValueError(f"frame {frame.name} has no pose; a ScanNet recording needs one")
    if not np.isfinite(frame.world_from_camera).all():
        return frame.world_from_camera
    return frame.world_from_camera @ frame.color_from_depth
