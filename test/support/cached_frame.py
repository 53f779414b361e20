"""A frame as the feature cache keeps it, of a few patches."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from training.tiny.features import View, open_views

ROWS, COLUMNS = 8, 10
CHANNELS = 3


def cached_frame(folder: Path, *, second_mug: bool = False) -> Path:
    """A frame of 8 x 10 patches: a mug of 6 x 4 patches, a fork smaller than one patch.

    Its features have three channels: mug, fork, and one that is always 0. In the place of the fork
    there may be a second mug, of 2 x 2 patches.
    """
    ids = np.zeros((ROWS * 8, COLUMNS * 8), dtype=np.uint8)
    ids[8:56, 8:40] = 1
    ids[24:28, 64:71] = 2  # 28 of 64 pixels: under a half
    vision = np.zeros((CHANNELS, ROWS, COLUMNS), dtype=np.float16)
    vision[0, 1:7, 1:5] = 1.0
    vision[1, 3, 8] = 1.0
    if second_mug:
        ids[ids == 2] = 0
        ids[16:32, 56:72] = 2
        vision[0, 2:4, 7:9] = 1.0
    second = ("mug", 16 * 16) if second_mug else ("fork", 28)
    things = [
        {"id": 1, "category": "mug", "area": 48 * 32},
        {"id": 2, "category": second[0], "area": second[1]},
    ]
    meta = json.dumps({"name": "f", "instances": things}).encode()
    path = folder / "f.npz"
    np.savez(
        path,
        vision0=vision,
        rgb0=np.zeros((ROWS * 8, COLUMNS * 8, 3), dtype=np.uint8),
        ids0=ids,
        window0=np.array([0, 0, COLUMNS * 8, ROWS * 8, 0]),
        vision1=vision,
        rgb1=np.zeros((ROWS * 8, COLUMNS * 8, 3), dtype=np.uint8),
        ids1=ids,
        window1=np.array([0, 0, COLUMNS * 8, ROWS * 8, 1]),
        meta=np.frombuffer(meta, dtype=np.uint8),
    )
    return path


def whole_views(folder: Path) -> list[View]:
    """The view of the whole of such a frame, alone."""
    return open_views(cached_frame(folder), whole_min=20)[:1]
