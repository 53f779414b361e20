"""ScanNet's ``scannet_frames_25k``: every 100th frame of all scans, with 2D annotation.

``<scan>/{color/*.jpg depth/*.png pose/*.txt label/*.png instance/*.png}`` and
``<scan>/intrinsics_{color,depth}.txt``; files are named ``000000``, ``000100``, ...  A pixel of
``instance`` is the NYU40 class times 1000 plus the number of the object (16 bits).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from lisa_model.recordings.base import RecordedFrame, RecordingError
from lisa_model.recordings.scannet_folder import (
    NOMINAL_RATE_HZ,
    FolderLayout,
    ScanFolder,
    ScanFolderWriter,
    number_of,
    stamp_of,
)

LAYOUT = FolderLayout(
    intrinsics_color="intrinsics_color.txt",
    intrinsics_depth="intrinsics_depth.txt",
    extrinsics_color=None,
    extrinsics_depth=None,
    instances=("instance",),
    digits=6,
)
# From the last frame of a scan to the first of the next one, in frames.
FRAMES_BETWEEN_SCANS = 100


class ScannetFrames:
    """One scan of scannet_frames_25k, or the whole folder: its scans one after the other.

    Args:
        path: the folder.
        rate_hz: rate that the frames' numbers count at; None is ScanNet's 30 Hz, so that there are
            3.3 s from one frame to the next.

    Raises:
        RecordingError: a file is missing or malformed.
    """

    kind = "scannet_frames_25k"

    def __init__(self, path: Path, *, rate_hz: float | None = None) -> None:
        self.path = path
        self.skipped = 0
        self._rate_hz = rate_hz or NOMINAL_RATE_HZ
        self.timing = f"frame numbers at {self._rate_hz:g} Hz"
        self._folders = scans_in(path)
        if not self._folders:
            raise RecordingError(f"{path}: holds no scan with {LAYOUT.intrinsics_color}")
        # The number of images is wanted before they are read; the matrices come along.
        self._length = sum(len(ScanFolder(folder, LAYOUT).numbers) for folder in self._folders)

    def __len__(self) -> int:
        """Number of colour images in all scans."""
        return self._length

    def frames(self) -> Iterator[RecordedFrame]:
        """Read from the beginning; see ``Recording``."""
        self.skipped = 0
        start = 0
        for folder in self._folders:
            scan = ScanFolder(folder, LAYOUT)
            start -= scan.numbers[0]
            for number in scan.numbers:
                stamp_ns = stamp_of(start + number, self._rate_hz)
                frame = scan.read(number, stamp_ns, f"{folder.name}/{number:0{LAYOUT.digits}d}")
                if frame is None:
                    self.skipped += 1
                else:
                    yield frame
            start += scan.numbers[-1] + FRAMES_BETWEEN_SCANS


def scans_in(path: Path) -> list[Path]:
    """Return the folder itself if it is a scan, else the scans in it, by name."""
    if (path / LAYOUT.intrinsics_color).is_file():
        return [path]
    return sorted(
        folder for folder in path.iterdir() if (folder / LAYOUT.intrinsics_color).is_file()
    )


def write_scannet_frames(
    path: Path,
    frames: Iterable[RecordedFrame],
    *,
    color: str = "jpg",
    rate_hz: float = NOMINAL_RATE_HZ,
) -> int:
    """Write frames as one scan of scannet_frames_25k; return how many.

    A frame's number is its stamp times ``rate_hz``; stamps between those of the rate are lost.

    Args:
        path: new folder, such as ``scannet_frames_25k/scene0000_00``.
        color: "jpg" as ScanNet has it, or "png" without loss.

    Raises:
        ValueError: a frame cannot be written; see ``ScanFolderWriter``.
        FileExistsError: the folder exists.
    """
    writer = ScanFolderWriter(path, LAYOUT, color=color, id_bits=16)
    count = 0
    for frame in frames:
        writer.write(frame, number_of(frame, rate_hz))
        count += 1
    return count
