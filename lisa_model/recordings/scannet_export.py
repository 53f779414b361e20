"""A scan as ScanNet's SensReader exports it, with its 2D annotation unpacked beside it.

``color/<i>.jpg depth/<i>.png pose/<i>.txt intrinsic/{intrinsic,extrinsic}_{color,depth}.txt``, and
``instance-filt/<i>.png`` or ``instance/<i>.png`` (8 bits) from ``<scan>_2d-instance-filt.zip``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from lisa_model.recordings.base import RecordedFrame
from lisa_model.recordings.scannet_folder import (
    NOMINAL_RATE_HZ,
    FolderLayout,
    ScanFolder,
    ScanFolderWriter,
    number_of,
    stamp_of,
)

LAYOUT = FolderLayout(
    intrinsics_color="intrinsic/intrinsic_color.txt",
    intrinsics_depth="intrinsic/intrinsic_depth.txt",
    extrinsics_color="intrinsic/extrinsic_color.txt",
    extrinsics_depth="intrinsic/extrinsic_depth.txt",
    instances=("instance-filt", "instance"),
    digits=1,
)


class ScannetExport:
    """An exported scan.

    Args:
        path: the folder.
        rate_hz: rate that the frames' numbers count at; None is ScanNet's 30 Hz.

    Raises:
        RecordingError: a file is missing or malformed.
    """

    kind = "exported ScanNet scan"

    def __init__(self, path: Path, *, rate_hz: float | None = None) -> None:
        self.path = path
        self.skipped = 0
        self._rate_hz = rate_hz or NOMINAL_RATE_HZ
        self.timing = f"frame numbers at {self._rate_hz:g} Hz"
        self._scan = ScanFolder(path, LAYOUT)

    def __len__(self) -> int:
        """Number of colour images."""
        return len(self._scan.numbers)

    def frames(self) -> Iterator[RecordedFrame]:
        """Read from the beginning; see ``Recording``."""
        self.skipped = 0
        for number in self._scan.numbers:
            frame = self._scan.read(number, stamp_of(number, self._rate_hz), str(number))
            if frame is None:
                self.skipped += 1
            else:
                yield frame


def write_scannet_export(
    path: Path,
    frames: Iterable[RecordedFrame],
    *,
    color: str = "jpg",
    rate_hz: float = NOMINAL_RATE_HZ,
) -> int:
    """Write frames as an exported scan; return how many.

    A frame's number is its stamp times ``rate_hz``; stamps between those of the rate are lost.

    Args:
        path: new folder.
        color: "jpg" as SensReader writes, or "png" without loss.

    Raises:
        ValueError: a frame cannot be written; see ``ScanFolderWriter``.
        FileExistsError: the folder exists.
    """
    writer = ScanFolderWriter(path, LAYOUT, color=color, id_bits=8)
    count = 0
    for frame in frames:
        writer.write(frame, number_of(frame, rate_hz))
        count += 1
    return count
