"""The bytes of a ``.sens`` file, version 4: little-endian, without padding.

::

    u32 version, u64 n, n bytes sensor name
    f32[16] intrinsic_color, extrinsic_color, intrinsic_depth, extrinsic_depth   (row-major 4 x 4)
    i32 color_compression (0 raw, 1 png, 2 jpeg), i32 depth_compression (0 raw, 1 zlib, 2 occi)
    u32 color_width, color_height, depth_width, depth_height
    f32 depth_shift (units per metre), u64 num_frames
    per frame: f32[16] camera_to_world, u64 timestamp_color, timestamp_depth [us],
               u64 color_bytes, depth_bytes, the two images
    u64 num_imu, per IMU frame 128 bytes   (version 4; may be missing)
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from lisa_model.encoded_images import MAX_PIXELS, ImageTooLargeError, check_size
from lisa_model.recordings.base import RecordingError

VERSION = 4
COLOR_RAW, COLOR_PNG, COLOR_JPEG = 0, 1, 2
DEPTH_RAW, DEPTH_ZLIB, DEPTH_OCCI = 0, 1, 2
COLOR_CODES = {"raw": COLOR_RAW, "png": COLOR_PNG, "jpeg": COLOR_JPEG}
DEPTH_CODES = {"raw": DEPTH_RAW, "zlib": DEPTH_ZLIB}

_MAX_NAME_BYTES = 4096
_FRAME_HEADER = struct.Struct("<16f4Q")
# Nothing that is accepted is larger than raw pixels and a little.
_MAX_IMAGE_BYTES = 3 * MAX_PIXELS + 2**20


@dataclass(frozen=True)
class SensHeader:
    """Fields of the header; sizes are (width, height), matrices (4, 4) float64."""

    sensor_name: str
    intrinsic_color: NDArray[np.float64]
    extrinsic_color: NDArray[np.float64]
    intrinsic_depth: NDArray[np.float64]
    extrinsic_depth: NDArray[np.float64]
    color_compression: int
    depth_compression: int
    color_size: tuple[int, int]
    depth_size: tuple[int, int]
    depth_shift: float
    frame_count: int


@dataclass(frozen=True)
class FrameEntry:
    """Where a frame lies.

    Attributes:
        offset: of the colour image in the file [bytes]; the depth image follows it.
        world_from_depth: (4, 4) float64, not finite where tracking was lost.
        stamp_us: of the colour image.
    """

    offset: int
    world_from_depth: NDArray[np.float64]
    stamp_us: int
    color_bytes: int
    depth_bytes: int


class _Fields:
    """Reads fields one after the other; every error names the field and its byte."""

    def __init__(self, stream: BinaryIO, path: Path) -> None:
        self._stream = stream
        self._path = path
        self._size = os.fstat(stream.fileno()).st_size

    @property
    def left(self) -> int:
        """Bytes from here to the end of the file."""
        return self._size - self._stream.tell()

    def error(self, field: str, problem: str, remedy: str, offset: int) -> RecordingError:
        return RecordingError(f"{self._path}: {field} at byte {offset} {problem}. {remedy}")

    def take(self, field: str, count: int) -> tuple[int, bytes]:
        """Return the offset and the bytes of a field."""
        offset = self._stream.tell()
        data = self._stream.read(count)
        if len(data) < count:
            raise self.error(
                field,
                f"needs {count} bytes, but the file ends after {len(data)} of them",
                "The file is cut off: copy it again",
                offset,
            )
        return offset, data

    def number(self, field: str, code: str, low: float, high: float, remedy: str) -> int | float:
        """Return a number within low..high."""
        offset, data = self.take(field, struct.calcsize("<" + code))
        (value,) = struct.unpack("<" + code, data)
        if not low <= value <= high:  # also for NaN
            raise self.error(field, f"is {value}", remedy, offset)
        return value

    def matrix(self, field: str) -> NDArray[np.float64]:
        _, data = self.take(field, 64)
        return np.frombuffer(data, dtype="<f4").astype(np.float64).reshape(4, 4)

    def size(self, field: str) -> tuple[int, int]:
        offset, data = self.take(f"{field}_width, {field}_height", 8)
        width, height = struct.unpack("<2I", data)
        try:
            check_size(width, height)
        except ImageTooLargeError as error:
            raise self.error(
                f"{field}_width, {field}_height", str(error), _NOT_SENS, offset
            ) from error
        return width, height

    def skip(self, count: int) -> int:
        """Pass over bytes; return where they start."""
        offset = self._stream.tell()
        self._stream.seek(count, os.SEEK_CUR)
        return offset


_NOT_SENS = "Is this a ScanNet .sens file of version 4?"


def read_header(stream: BinaryIO, path: Path) -> SensHeader:
    """Read the header; the stream then stands at the first frame.

    Raises:
        RecordingError: it is cut off, or a field cannot be.
    """
    fields = _Fields(stream, path)
    fields.number("version", "I", VERSION, VERSION, _NOT_SENS)
    length = int(fields.number("length of the sensor name", "Q", 0, _MAX_NAME_BYTES, _NOT_SENS))
    name = fields.take("sensor name", length)[1].decode("utf-8", errors="replace")
    intrinsic_color = fields.matrix("intrinsic_color")
    extrinsic_color = fields.matrix("extrinsic_color")
    intrinsic_depth = fields.matrix("intrinsic_depth")
    extrinsic_depth = fields.matrix("extrinsic_depth")
    color_compression = int(
        fields.number(
            "color_compression", "i", COLOR_RAW, COLOR_JPEG, "Needed is 0 raw, 1 png or 2 jpeg"
        )
    )
    depth_compression = int(
        fields.number(
            "depth_compression",
            "i",
            DEPTH_RAW,
            DEPTH_ZLIB,
            "Needed is 0 raw_ushort or 1 zlib_ushort; convert occi_ushort by ScanNet's SensReader",
        )
    )
    color_size = fields.size("color")
    depth_size = fields.size("depth")
    shift = fields.number("depth_shift", "f", 1.0, 1e6, "Needed are units per metre, 1000 for mm")
    count = int(fields.number("num_frames", "Q", 1, 2**63, "A recording needs at least one frame"))
    return SensHeader(
        sensor_name=name,
        intrinsic_color=intrinsic_color,
        extrinsic_color=extrinsic_color,
        intrinsic_depth=intrinsic_depth,
        extrinsic_depth=extrinsic_depth,
        color_compression=color_compression,
        depth_compression=depth_compression,
        color_size=color_size,
        depth_size=depth_size,
        depth_shift=float(shift),
        frame_count=count,
    )


def read_index(stream: BinaryIO, path: Path, header: SensHeader) -> list[FrameEntry]:
    """Read the headers of all frames, from the first frame on, passing over the images.

    Raises:
        RecordingError: the file is cut off, or an image's size is absurd.
    """
    fields = _Fields(stream, path)
    if header.frame_count > fields.left // _FRAME_HEADER.size:
        raise fields.error(
            "num_frames",
            f"is {header.frame_count}, but only {fields.left} bytes follow",
            "The file is cut off: copy it again",
            stream.tell() - 8,
        )
    entries = []
    for number in range(header.frame_count):
        start, data = fields.take(f"header of frame {number}", _FRAME_HEADER.size)
        *pose, stamp_us, _, color_bytes, depth_bytes = _FRAME_HEADER.unpack(data)
        for field, value in (("color_bytes", color_bytes), ("depth_bytes", depth_bytes)):
            if not 0 < value <= _MAX_IMAGE_BYTES:
                raise fields.error(
                    f"{field} of frame {number}",
                    f"is {value}; 1..{_MAX_IMAGE_BYTES} is accepted",
                    "The file is damaged: copy it again",
                    start + (80 if field == "color_bytes" else 88),
                )
        if color_bytes + depth_bytes > fields.left:
            raise fields.error(
                f"frame {number} of {header.frame_count}",
                f"needs {color_bytes + depth_bytes} bytes of images, but only {fields.left} follow",
                "The file is cut off: copy it again",
                start,
            )
        entries.append(
            FrameEntry(
                offset=fields.skip(color_bytes + depth_bytes),
                world_from_depth=np.array(pose).reshape(4, 4),
                stamp_us=stamp_us,
                color_bytes=color_bytes,
                depth_bytes=depth_bytes,
            )
        )
    return entries


def write_header(stream: BinaryIO, header: SensHeader) -> int:
    """Write the header; return where num_frames lies, which is not known before the end."""
    name = header.sensor_name.encode("utf-8")
    stream.write(struct.pack("<IQ", VERSION, len(name)) + name)
    for matrix in (
        header.intrinsic_color,
        header.extrinsic_color,
        header.intrinsic_depth,
        header.extrinsic_depth,
    ):
        stream.write(matrix.astype("<f4").tobytes())
    stream.write(struct.pack("<2i", header.color_compression, header.depth_compression))
    stream.write(struct.pack("<4I", *header.color_size, *header.depth_size))
    stream.write(struct.pack("<f", header.depth_shift))
    count_at = stream.tell()
    stream.write(struct.pack("<Q", header.frame_count))
    return count_at


def write_frame(
    stream: BinaryIO,
    world_from_depth: NDArray[np.float64],
    stamp_us: int,
    color: bytes,
    depth: bytes,
) -> None:
    """Write a frame with its encoded images."""
    pose = np.asarray(world_from_depth, dtype=np.float64).reshape(16).tolist()
    stream.write(_FRAME_HEADER.pack(*pose, stamp_us, stamp_us, len(color), len(depth)))
    stream.write(color)
    stream.write(depth)


def write_end(stream: BinaryIO, count_at: int, count: int, *, imu_block: bool) -> None:
    """Write what follows the last frame, and num_frames."""
    if imu_block:
        stream.write(struct.pack("<Q", 0))
    stream.seek(count_at)
    stream.write(struct.pack("<Q", count))
