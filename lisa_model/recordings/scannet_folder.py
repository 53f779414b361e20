"""What ScanNet's two folder formats share: numbered images, poses and matrices as text.

``color/<i>.jpg``, ``depth/<i>.png`` (16 bits, millimetres), ``pose/<i>.txt`` (4 x 4, pose of the
depth camera; "-inf" where tracking was lost), and the intrinsics.  There are no stamps: ScanNet was
recorded at 30 Hz, and a file's number is its frame's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lisa_model.encoded_images import (
    EncodedImageError,
    decode_color,
    decode_depth,
    decode_ids,
    encode,
)
from lisa_model.geometry import Intrinsics
from lisa_model.recordings.base import (
    FIRST_STAMP_NS,
    RecordedFrame,
    RecordingError,
    check_transform,
    depth_pose,
    intrinsics_from_matrix,
    intrinsics_matrix,
    scale_intrinsics,
)

NOMINAL_RATE_HZ = 30.0
# Sizes that ScanNet's cameras were calibrated at. The exports hold no size, and people resize them.
CALIBRATED_SIZES = ((1296, 968), (640, 480))
# How far the principal point may lie from the middle, as a share of the side.
_CENTRE_TOLERANCE = 0.1
_COLOR_SUFFIXES = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class FolderLayout:
    """Names within a scan's folder.

    Attributes:
        intrinsics_color, intrinsics_depth: files of 4 x 4 (or 3 x 3) matrices.
        extrinsics_color, extrinsics_depth: the same; None where the format has none (identity).
        instances: folders of id images, the first that exists is read.
        digits: least number of digits of a frame's number.
    """

    intrinsics_color: str
    intrinsics_depth: str
    extrinsics_color: str | None
    extrinsics_depth: str | None
    instances: tuple[str, ...]
    digits: int


class ScanFolder:
    """One scan in a folder.

    Raises:
        RecordingError: a file is missing or malformed.
    """

    def __init__(self, path: Path, layout: FolderLayout) -> None:
        self.path = path
        self._color_files = self._numbered(path / "color", _COLOR_SUFFIXES)
        self._color_matrix = read_matrix(path / layout.intrinsics_color)
        self._depth_matrix = read_matrix(path / layout.intrinsics_depth)
        self._color_from_depth = np.linalg.inv(
            self._extrinsics(layout.extrinsics_color)
        ) @ self._extrinsics(layout.extrinsics_depth)
        self._instances = next(
            (path / name for name in layout.instances if (path / name).is_dir()), None
        )
        self.numbers = tuple(sorted(self._color_files))

    @staticmethod
    def _numbered(folder: Path, suffixes: tuple[str, ...]) -> dict[int, Path]:
        found: dict[int, Path] = {}
        for file in folder.iterdir() if folder.is_dir() else ():
            # Plain digits only: int() would also take "1_0" and other scripts' digits.
            if file.suffix.lower() in suffixes and file.stem.isascii() and file.stem.isdigit():
                found[int(file.stem)] = file
        if not found:
            raise RecordingError(
                f"{folder}: holds no numbered image ({', '.join(suffixes)}). "
                "Export the scan's colour images"
            )
        return found

    def _extrinsics(self, name: str | None) -> NDArray[np.float64]:
        # People leave these out, as they are the identity in the published scans.
        if name is None or not (self.path / name).is_file():
            return np.eye(4)
        matrix = read_matrix(self.path / name)
        check_transform(matrix, str(self.path / name))
        return matrix

    def read(self, number: int, stamp_ns: int, name: str) -> RecordedFrame | None:
        """Read a frame; None when its pose is not finite.

        Raises:
            RecordingError: a file of it is missing or malformed.
        """
        color_file = self._color_files[number]
        pose_file = self.path / "pose" / f"{color_file.stem}.txt"
        world_from_depth = read_matrix(pose_file)
        if not np.isfinite(world_from_depth).all():
            return None
        check_transform(world_from_depth, str(pose_file))
        color = _read_image(color_file, decode_color)
        depth_file = self.path / "depth" / f"{color_file.stem}.png"
        depth = _read_image(depth_file, decode_depth)
        shape = color.shape[:2]
        ids: NDArray[np.uint16] | None = None
        if self._instances is not None:
            ids = resize_ids(
                _read_image(self._instances / f"{color_file.stem}.png", decode_ids), shape
            )
        return RecordedFrame(
            name=name,
            stamp_ns=stamp_ns,
            color=color,
            depth=depth,
            color_intrinsics=fit_intrinsics(self._color_matrix, shape, f"{color_file}"),
            depth_intrinsics=fit_intrinsics(self._depth_matrix, depth.shape, f"{depth_file}"),
            color_from_depth=self._color_from_depth,
            world_from_camera=world_from_depth @ np.linalg.inv(self._color_from_depth),
            instance_ids=ids,
        )


def read_matrix(path: Path) -> NDArray[np.float64]:
    """Read a 4 x 4 matrix from text; a 3 x 3 one is filled up.

    Raises:
        RecordingError: missing, or no such matrix.  Infinite entries are no error.
    """
    try:
        # Never larger than a few hundred bytes; a wrong file may be.
        with path.open(encoding="ascii") as stream:
            values = [float(word) for word in stream.read(65536).split()]
    except FileNotFoundError:
        raise RecordingError(f"{path}: is missing. Export the scan's poses and matrices") from None
    except ValueError as error:
        raise RecordingError(
            f"{path}: is no matrix of numbers ({error}). Export it again"
        ) from error
    if len(values) == 9:
        matrix = np.eye(4)
        matrix[:3, :3] = np.reshape(values, (3, 3))
        return matrix
    if len(values) != 16:
        raise RecordingError(f"{path}: has {len(values)} numbers, not 16 (4 x 4). Export it again")
    return np.reshape(np.array(values, dtype=np.float64), (4, 4))


def write_matrix(path: Path, matrix: NDArray[np.float64]) -> None:
    """Write a matrix as text, with all its digits."""
    lines = (" ".join(repr(float(value)) for value in row) for row in matrix)
    path.write_text("\n".join(lines) + "\n", encoding="ascii")


def fit_intrinsics(matrix: NDArray[np.float64], shape: tuple[int, ...], where: str) -> Intrinsics:
    """Return the intrinsics for an image that may have been resized since the calibration.

    The principal point lies near the middle of the image that was calibrated: of this one, or of
    one of ScanNet's sizes, from which the intrinsics are then scaled.

    Args:
        shape: (H, W, ...) of the image.
        where: the image's file, for messages.

    Raises:
        RecordingError: the intrinsics fit none of them.
    """
    height, width = shape[:2]
    for size in ((width, height), *CALIBRATED_SIZES):
        offset_u = abs(float(matrix[0, 2]) - (size[0] - 1) / 2) / size[0]
        offset_v = abs(float(matrix[1, 2]) - (size[1] - 1) / 2) / size[1]
        if offset_u <= _CENTRE_TOLERANCE and offset_v <= _CENTRE_TOLERANCE:
            return scale_intrinsics(intrinsics_from_matrix(matrix, *size, where), width, height)
    raise RecordingError(
        f"{where}: is {width} x {height}, but the intrinsics have the principal point "
        f"({matrix[0, 2]:g}, {matrix[1, 2]:g}). Put in the intrinsics of this size"
    )


def resize_ids(ids: NDArray[np.uint16], shape: tuple[int, ...]) -> NDArray[np.uint16]:
    """Return an id image in the size of the colour image: each pixel the nearest one's id."""
    rows = ((np.arange(shape[0]) + 0.5) * ids.shape[0] / shape[0]).astype(np.int64)
    columns = ((np.arange(shape[1]) + 0.5) * ids.shape[1] / shape[1]).astype(np.int64)
    return ids[rows[:, None], columns[None, :]]


def stamp_of(number: int, rate_hz: float) -> int:
    """Return a stamp [ns] for a frame's number."""
    return FIRST_STAMP_NS + round(number * 1e9 / rate_hz)


def number_of(frame: RecordedFrame, rate_hz: float) -> int:
    """Return the number that makes ``stamp_of`` give the frame's stamp, or nearly."""
    return round((frame.stamp_ns - FIRST_STAMP_NS) * rate_hz / 1e9)


class ScanFolderWriter:
    """Writes frames into a new folder, one by one.

    Args:
        path: the scan's folder; made, must not exist.
        layout: names.
        color: "jpg" (as ScanNet has it) or "png".
        id_bits: 8 or 16, of the id images.

    Raises:
        FileExistsError: the folder exists.
    """

    def __init__(self, path: Path, layout: FolderLayout, *, color: str, id_bits: int) -> None:
        if color not in ("jpg", "png"):
            raise ValueError(f"color is {color!r}; use jpg or png")
        self._path = path
        self._layout = layout
        self._color = color
        self._id_type = np.uint8 if id_bits == 8 else np.uint16
        self._first: RecordedFrame | None = None
        path.mkdir(parents=True)
        for folder in ("color", "depth", "pose"):
            (path / folder).mkdir()

    def write(self, frame: RecordedFrame, number: int) -> None:
        """Write one frame.

        Raises:
            ValueError: it has no pose, another calibration than the first, or ids that do not fit.
        """
        if self._first is None:
            self._first = frame
            self._write_calibration(frame)
        elif (frame.color_intrinsics, frame.depth_intrinsics) != (
            self._first.color_intrinsics,
            self._first.depth_intrinsics,
        ):
            raise ValueError(f"frame {frame.name} has another size or calibration than the first")
        name = f"{number:0{self._layout.digits}d}"
        codec: Any = "jpeg" if self._color == "jpg" else "png"
        target = self._path / "color" / f"{name}.{self._color}"
        target.write_bytes(encode(frame.color, codec))
        (self._path / "depth" / f"{name}.png").write_bytes(encode(frame.depth_mm(), "png"))
        write_matrix(self._path / "pose" / f"{name}.txt", depth_pose(frame))
        if frame.instance_ids is not None:
            if frame.instance_ids.max(initial=0) > np.iinfo(self._id_type).max:
                raise ValueError(f"frame {frame.name} has an instance id that does not fit")
            folder = self._path / self._layout.instances[0]
            folder.mkdir(exist_ok=True)
            ids = frame.instance_ids.astype(self._id_type)
            (folder / f"{name}.png").write_bytes(encode(ids, "png"))

    def _write_calibration(self, frame: RecordedFrame) -> None:
        layout = self._layout
        matrices = {
            layout.intrinsics_color: intrinsics_matrix(frame.color_intrinsics),
            layout.intrinsics_depth: intrinsics_matrix(frame.depth_intrinsics),
            layout.extrinsics_color: np.eye(4),
            layout.extrinsics_depth: frame.color_from_depth,
        }
        if layout.extrinsics_depth is None and not np.array_equal(
            frame.color_from_depth, np.eye(4)
        ):
            raise ValueError("this format has no extrinsics: depth and colour must share one frame")
        for name, matrix in matrices.items():
            if name is not None:
                (self._path / name).parent.mkdir(exist_ok=True)
                write_matrix(self._path / name, matrix)


def _read_image(path: Path, decode: Any) -> NDArray[Any]:
    try:
        return decode(path.read_bytes())
    except FileNotFoundError:
        raise RecordingError(f"{path}: is missing. Export the scan again") from None
    except EncodedImageError as error:
        raise RecordingError(f"{path}: {error}. Export the scan again") from error
