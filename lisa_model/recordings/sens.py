"""ScanNet's ``.sens`` files: a header, then frame after frame, read as a stream.

The layout is that of SensReader in github.com/ScanNet/ScanNet, version 4; see ``sens_layout``.
Depth may be scaled, stamps are in microseconds, and a pose is that of the depth camera.  What is
not read: the IMU block at the end, and the old ``occi`` compression of depth.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from lisa_model.encoded_images import EncodedImageError, decode_color, encode
from lisa_model.geometry import Intrinsics
from lisa_model.recordings import sens_layout as layout
from lisa_model.recordings.base import (
    END_OF_TIME_NS,
    FIRST_STAMP_NS,
    RecordedFrame,
    RecordingError,
    check_transform,
    depth_pose,
    intrinsics_from_matrix,
    intrinsics_matrix,
    scale_intrinsics,
)

# ScanNet was recorded at this rate; used where a file's stamps are no stamps.
NOMINAL_RATE_HZ = 30.0
_SCANNET_SHIFT = 1000.0  # depth_shift of millimetres


@dataclass(frozen=True)
class SensWriterConfig:
    """How ``write_sens`` writes.

    Attributes:
        color: compression of colour: "jpeg" (as ScanNet has it), "png" or "raw".
        depth: compression of depth: "zlib" (as ScanNet has it) or "raw".
        sensor_name: goes into the header.
        imu_block: end the file with an (empty) IMU block, as version 4 does.
    """

    color: str = "jpeg"
    depth: str = "zlib"
    sensor_name: str = "StructureSensor"
    imu_block: bool = True

    def __post_init__(self) -> None:
        if self.color not in ("jpeg", "png", "raw"):
            raise ValueError(f"color is {self.color!r}; use jpeg, png or raw")
        if self.depth not in ("zlib", "raw"):
            raise ValueError(f"depth is {self.depth!r}; use zlib or raw")


class SensRecording:
    """A ``.sens`` file.

    All frame headers are read at the start, so that a cut file is refused before it is played; the
    images are read as they are asked for.

    Args:
        path: the file.
        rate_hz: frames per second if the file's stamps do not rise; None is NOMINAL_RATE_HZ.

    Raises:
        RecordingError: the file is malformed or cut off.
        OSError: it cannot be opened.
    """

    kind = "ScanNet .sens"

    def __init__(self, path: Path, *, rate_hz: float | None = None) -> None:
        self.path = path
        self.skipped = 0
        with path.open("rb") as stream:
            self._header = layout.read_header(stream, path)
            self._entries = layout.read_index(stream, path, self._header)
        header = self._header
        self._color_k = intrinsics_from_matrix(
            header.intrinsic_color, *header.color_size, f"{path}: intrinsic_color"
        )
        self._depth_k = intrinsics_from_matrix(
            header.intrinsic_depth, *header.depth_size, f"{path}: intrinsic_depth"
        )
        for name in ("extrinsic_color", "extrinsic_depth"):
            check_transform(getattr(header, name), f"{path}: {name}")
        # ScanNet's own code maps depth to colour by extrinsic_depth alone, for extrinsic_color is
        # the identity.
        self._color_from_depth = np.linalg.inv(header.extrinsic_color) @ header.extrinsic_depth
        stamps = [entry.stamp_us for entry in self._entries]
        rising = all(before < after for before, after in pairwise(stamps))
        if rising and stamps[0] > 0 and stamps[-1] * 1000 < END_OF_TIME_NS:
            self.timing = "stamps of the colour frames"
            self._stamps_ns = [stamp * 1000 for stamp in stamps]
        else:
            rate_hz = rate_hz or NOMINAL_RATE_HZ
            why = "are beyond the year 2038" if rising and stamps[0] > 0 else "do not rise"
            self.timing = f"assumed {rate_hz:g} Hz: the file's stamps {why}"
            self._stamps_ns = [
                FIRST_STAMP_NS + round(i * 1e9 / rate_hz) for i in range(len(stamps))
            ]

    def __len__(self) -> int:
        """Number of frames in the file."""
        return len(self._entries)

    def frames(self) -> Iterator[RecordedFrame]:
        """Read from the beginning; see ``Recording``."""
        self.skipped = 0
        with self.path.open("rb") as stream:
            for number, entry in enumerate(self._entries):
                if not np.isfinite(entry.world_from_depth).all():
                    self.skipped += 1
                    continue
                yield self._frame(stream, number, entry)

    def _frame(self, stream: BinaryIO, number: int, entry: layout.FrameEntry) -> RecordedFrame:
        where = f"{self.path}: frame {number}"
        stream.seek(entry.offset)
        color_data = stream.read(entry.color_bytes)
        depth_data = stream.read(entry.depth_bytes)
        if len(color_data) + len(depth_data) < entry.color_bytes + entry.depth_bytes:
            raise RecordingError(f"{where}: the file became shorter while it was read")
        color = self._color(color_data, f"{where}: colour image at byte {entry.offset}")
        depth = self._depth(
            depth_data, f"{where}: depth image at byte {entry.offset + entry.color_bytes}"
        )
        height, width = color.shape[:2]
        check_transform(entry.world_from_depth, f"{where}: camera_to_world")
        return RecordedFrame(
            name=str(number),
            stamp_ns=self._stamps_ns[number],
            color=color,
            depth=depth,
            color_intrinsics=scale_intrinsics(self._color_k, width, height),
            depth_intrinsics=self._depth_k,
            color_from_depth=self._color_from_depth,
            world_from_camera=entry.world_from_depth @ np.linalg.inv(self._color_from_depth),
        )

    def _color(self, data: bytes, where: str) -> NDArray[np.uint8]:
        if self._header.color_compression == layout.COLOR_RAW:
            width, height = self._header.color_size
            if len(data) != width * height * 3:
                raise RecordingError(
                    f"{where}: has {len(data)} bytes, not color_width x color_height x 3 = "
                    f"{width * height * 3}. Export the scan again"
                )
            return np.frombuffer(data, dtype=np.uint8).reshape(height, width, 3).copy()
        try:
            return decode_color(data)
        except EncodedImageError as error:
            raise RecordingError(f"{where}: {error}. Copy or export the file again") from error

    def _depth(self, data: bytes, where: str) -> NDArray[Any]:
        width, height = self._header.depth_size
        expected = width * height * 2
        if self._header.depth_compression == layout.DEPTH_ZLIB:
            data = _inflate(data, expected, where)
        if len(data) != expected:
            raise RecordingError(
                f"{where}: has {len(data)} bytes, not depth_width x depth_height x 2 = {expected}. "
                "Export the scan again"
            )
        raw = np.frombuffer(data, dtype="<u2").astype(np.uint16).reshape(height, width)
        if self._header.depth_shift == _SCANNET_SHIFT:
            return raw
        return raw.astype(np.float32) / np.float32(self._header.depth_shift)


def write_sens(
    path: Path, frames: Iterable[RecordedFrame], config: SensWriterConfig | None = None
) -> int:
    """Write frames to a new ``.sens`` file, one by one; return how many.

    Depth is stored in millimetres, stamps in microseconds.  A pose that is not finite is stored as
    it is: readers take the frame for one that lost tracking.

    Raises:
        ValueError: there is no frame, one has no pose, or they differ in size or calibration.
        FileExistsError: the file exists.
    """
    with path.open("xb") as stream:
        try:
            return _write(stream, frames, config or SensWriterConfig())
        except BaseException:
            path.unlink()  # half a file would be taken for a whole one
            raise


def _write(stream: BinaryIO, frames: Iterable[RecordedFrame], config: SensWriterConfig) -> int:
    first: RecordedFrame | None = None
    count = count_at = 0
    for frame in frames:
        if first is None:
            first = frame
            count_at = layout.write_header(stream, _header_of(frame, config))
        elif _calibration(frame) != _calibration(first):
            raise ValueError(f"frame {frame.name} has another size or calibration than the first")
        if config.color == "raw":
            color = frame.color.tobytes()
        else:
            color = encode(frame.color, "png" if config.color == "png" else "jpeg")
        depth = frame.depth_mm().astype("<u2").tobytes()
        if config.depth == "zlib":
            depth = zlib.compress(depth)
        layout.write_frame(stream, depth_pose(frame), frame.stamp_ns // 1000, color, depth)
        count += 1
    if first is None:
        raise ValueError("there is no frame to write")
    layout.write_end(stream, count_at, count, imu_block=config.imu_block)
    return count


def _header_of(frame: RecordedFrame, config: SensWriterConfig) -> layout.SensHeader:
    color, depth = frame.color_intrinsics, frame.depth_intrinsics
    return layout.SensHeader(
        sensor_name=config.sensor_name,
        intrinsic_color=intrinsics_matrix(color),
        extrinsic_color=np.eye(4),
        intrinsic_depth=intrinsics_matrix(depth),
        extrinsic_depth=frame.color_from_depth,
        color_compression=layout.COLOR_CODES[config.color],
        depth_compression=layout.DEPTH_CODES[config.depth],
        color_size=(color.width, color.height),
        depth_size=(depth.width, depth.height),
        depth_shift=_SCANNET_SHIFT,
        frame_count=0,
    )


def _calibration(frame: RecordedFrame) -> tuple[Intrinsics, Intrinsics, bytes]:
    return frame.color_intrinsics, frame.depth_intrinsics, frame.color_from_depth.tobytes()


def _inflate(data: bytes, expected: int, where: str) -> bytes:
    """Decompress to at most one byte more than expected, whatever the data would give."""
    try:
        return zlib.decompressobj().decompress(data, expected + 1)
    except zlib.error as error:
        raise RecordingError(
            f"{where}: cannot be decompressed ({error}). Copy or export the file again"
        ) from error
