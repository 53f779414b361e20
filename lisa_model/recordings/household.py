"""A folder of this project's own RGB-D frames (see ``lisa_model.rgbd``), played by name.

Colour and depth share one camera.  There are no stamps.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from lisa_model.encoded_images import encode
from lisa_model.recordings.base import (
    FIRST_STAMP_NS,
    RecordedFrame,
    RecordingError,
    check_transform,
)
from lisa_model.rgbd import load_frame

NOMINAL_RATE_HZ = 10.0
_MAX_ID = 255


class HouseholdRecording:
    """A folder of frames, or one of them.

    Args:
        path: the folder, or a frame's ``.json``.
        rate_hz: frames per second; None is NOMINAL_RATE_HZ.

    Raises:
        RecordingError: there is no frame.
    """

    kind = "folder of household frames"

    def __init__(self, path: Path, *, rate_hz: float | None = None) -> None:
        self.path = path
        self.skipped = 0
        self._rate_hz = rate_hz or NOMINAL_RATE_HZ
        self.timing = f"{self._rate_hz:g} Hz, by name"
        self._files = frames_in(path) if path.is_dir() else [path]
        if not self._files:
            raise RecordingError(f"{path}: holds no frame (NAME.json with NAME.jpg)")

    def __len__(self) -> int:
        """Number of frames."""
        return len(self._files)

    def frames(self) -> Iterator[RecordedFrame]:
        """Read from the beginning; see ``Recording``."""
        self.skipped = 0
        for number, file in enumerate(self._files):
            frame = _read(file, FIRST_STAMP_NS + round(number * 1e9 / self._rate_hz))
            if frame is None:
                self.skipped += 1
            else:
                yield frame


def frames_in(path: Path) -> list[Path]:
    """Return the JSON files of the frames in a folder, by name."""
    return sorted(file for file in path.glob("*.json") if file.with_suffix(".jpg").is_file())


def _read(file: Path, stamp_ns: int) -> RecordedFrame | None:
    """Read a frame; None when its pose is not finite."""
    try:
        frame = load_frame(file)
        pose = frame.meta["camera"].get("world_from_optical")
        world_from_camera = None if pose is None else np.array(pose, np.float64).reshape(4, 4)
    except json.JSONDecodeError as error:
        raise RecordingError(f"{file}: is not JSON ({error}). Make the frame again") from error
    except KeyError as error:
        raise RecordingError(f"{file}: lacks the entry {error}. Make the frame again") from error
    except (OSError, TypeError, ValueError, AttributeError) as error:
        raise RecordingError(f"{file}: {error}. Make or copy the frame again") from error
    if world_from_camera is not None:
        if not np.isfinite(world_from_camera).all():
            return None
        check_transform(world_from_camera, f"{file}: camera.world_from_optical")
    return RecordedFrame(
        name=frame.name,
        stamp_ns=stamp_ns,
        color=frame.color,
        # Stored as millimetres.
        depth=np.rint(frame.depth * 1000.0).astype(np.uint16),
        color_intrinsics=frame.intrinsics,
        depth_intrinsics=frame.intrinsics,
        color_from_depth=np.eye(4),
        world_from_camera=world_from_camera,
        instance_ids=frame.ids.astype(np.uint16),
    )


def write_household(path: Path, frames: Iterable[RecordedFrame]) -> int:
    """Write frames into a new folder, one by one; return how many.

    Depth is registered to colour, colour is stored as JPEG, stamps are not stored.  The frames have
    no categories and no questions: those come from the scene generator.

    Raises:
        ValueError: an instance id does not fit 8 bits.
        FileExistsError: the folder exists.
    """
    path.mkdir(parents=True)
    count = 0
    for frame in frames:
        name = f"{count:06d}"
        ids = frame.instance_ids
        if ids is None:
            ids = np.zeros(frame.color.shape[:2], dtype=np.uint16)
        if ids.max(initial=0) > _MAX_ID:
            raise ValueError(f"frame {frame.name} has an instance id above {_MAX_ID}")
        k = frame.color_intrinsics
        camera: dict[str, object] = {"fx": k.fx, "fy": k.fy, "cx": k.cx, "cy": k.cy}
        if frame.world_from_camera is not None:
            camera["world_from_optical"] = frame.world_from_camera.tolist()
        meta = {
            "version": 1,
            "name": name,
            "width": k.width,
            "height": k.height,
            "camera": camera,
            "instances": [],
            "questions": [],
        }
        (path / f"{name}.jpg").write_bytes(encode(frame.color, "jpeg"))
        (path / f"{name}.depth.png").write_bytes(encode(frame.registered_depth_mm(), "png"))
        (path / f"{name}.ids.png").write_bytes(encode(ids.astype(np.uint8), "png"))
        # Last: a frame is found by this file, and should be whole then.
        (path / f"{name}.json").write_text(json.dumps(meta) + "\n", encoding="utf-8")
        count += 1
    return count
