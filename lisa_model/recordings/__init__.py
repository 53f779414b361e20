"""RGB-D recordings on disk, read frame by frame, and writers for them.

``open_recording`` finds out which format a path is.  Formats and their limits: docs/recordings.md.
Everything here is free of ROS; rosbag2 is read by ``lisa_ros``.
"""

from __future__ import annotations

import math
from pathlib import Path

from lisa_model.recordings.base import RecordedFrame, Recording, RecordingError
from lisa_model.recordings.household import HouseholdRecording, frames_in, write_household
from lisa_model.recordings.scannet_export import LAYOUT as EXPORT_LAYOUT
from lisa_model.recordings.scannet_export import ScannetExport, write_scannet_export
from lisa_model.recordings.scannet_frames import ScannetFrames, scans_in, write_scannet_frames
from lisa_model.recordings.sens import SensRecording, SensWriterConfig, write_sens

__all__ = [
    "RecordedFrame",
    "Recording",
    "RecordingError",
    "SensWriterConfig",
    "open_recording",
    "write_household",
    "write_scannet_export",
    "write_scannet_frames",
    "write_sens",
]


def open_recording(path: Path, *, rate_hz: float | None = None) -> Recording:
    """Open a recording of any format.

    Args:
        path: a ``.sens`` file, an exported ScanNet scan, a folder of scannet_frames_25k or one scan
            of it, or a folder of household frames or one frame's ``.json``.
        rate_hz: frames per second of a format without stamps; None is the format's own.

    Raises:
        FileNotFoundError: there is nothing at the path.
        RecordingError: the format is none of these, or the recording is malformed.
        ValueError: the rate cannot be.
    """
    if rate_hz is not None and not (math.isfinite(rate_hz) and rate_hz > 0):
        raise ValueError(f"rate is {rate_hz}; must be > 0 and finite [Hz]")
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(
            f"there is no {path}; give the path of a recording (docs/recordings.md has the formats)"
        )
    if path.is_file():
        if path.suffix == ".sens":
            return SensRecording(path, rate_hz=rate_hz)
        if path.suffix == ".json":
            return HouseholdRecording(path, rate_hz=rate_hz)
    elif (path / EXPORT_LAYOUT.intrinsics_color).is_file():
        return ScannetExport(path, rate_hz=rate_hz)
    elif scans_in(path):
        return ScannetFrames(path, rate_hz=rate_hz)
    elif frames_in(path):
        return HouseholdRecording(path, rate_hz=rate_hz)
    raise RecordingError(
        f"{path}: is no known recording. Known are a .sens file, a folder with color/ and "
        f"{EXPORT_LAYOUT.intrinsics_color} (exported ScanNet scan), a folder of scans with "
        "intrinsics_color.txt (scannet_frames_25k), and a folder of NAME.json with NAME.jpg"
    )
