"""Small RGB-D frames for the tests of recordings: a box before a wall, seen by two cameras."""

from __future__ import annotations

import numpy as np

from lisa_model.geometry import Intrinsics
from lisa_model.recordings.base import FIRST_STAMP_NS, RecordedFrame

# As in ScanNet: the colour image is larger, and has intrinsics of its own.
COLOR_K = Intrinsics(fx=70.0, fy=70.0, cx=39.5, cy=29.5, width=80, height=60)
DEPTH_K = Intrinsics(fx=36.0, fy=36.0, cx=19.5, cy=14.5, width=40, height=30)
PERIOD_NS = 100_000_000
BOX_M, WALL_M = 1.25, 2.5


def transform(
    angle: float = 0.0, translation: tuple[float, float, float] = (0, 0, 0)
) -> np.ndarray:
    """Return a turn about the y axis and a shift; float32 values, as files hold them."""
    matrix = np.eye(4)
    cosine, sine = np.cos(angle), np.sin(angle)
    matrix[:3, :3] = [[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]]
    matrix[:3, 3] = translation
    return matrix.astype(np.float32).astype(np.float64)


def make_frame(
    number: int,
    *,
    registered: bool = False,
    pose: np.ndarray | None = None,
    color_from_depth: np.ndarray | None = None,
) -> RecordedFrame:
    """Return frame ``number``; no two are alike.

    Args:
        registered: depth shares the colour camera.
    """
    depth_k = COLOR_K if registered else DEPTH_K
    # Smooth, so that a JPEG of it is near.
    rows, columns = np.indices((COLOR_K.height, COLOR_K.width))
    color = np.stack(
        [columns * 3, rows * 4, np.full_like(rows, (20 + 30 * number) % 256)], axis=-1
    ).astype(np.uint8)
    depth = np.full((depth_k.height, depth_k.width), round(WALL_M * 1000), np.uint16)
    depth[5:15, 5 + number : 15 + number] = round(BOX_M * 1000)
    depth[-1, -1] = 0
    ids = np.zeros((COLOR_K.height, COLOR_K.width), np.uint16)
    ids[10:30, 10:30] = 1 + number
    return RecordedFrame(
        name=str(number),
        stamp_ns=FIRST_STAMP_NS + number * PERIOD_NS,
        color=color,
        depth=depth,
        color_intrinsics=COLOR_K,
        depth_intrinsics=depth_k,
        color_from_depth=np.eye(4) if color_from_depth is None else color_from_depth,
        world_from_camera=transform(0.1 * number, (0.5 * number, 0, 1)) if pose is None else pose,
        instance_ids=ids,
    )


def lost_frame(number: int) -> RecordedFrame:
    """Return a frame whose tracking was lost."""
    return make_frame(number, pose=np.full((4, 4), -np.inf))
