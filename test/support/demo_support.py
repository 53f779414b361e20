"""A small synthetic scene on disk, in the format of the shipped ones, for the demo's tests."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

WIDTH, HEIGHT = 160, 120
FX = FY = 140.0
CX, CY = (WIDTH - 1) / 2, (HEIGHT - 1) / 2
RED_BOX = (60, 40, 100, 70)  # x0, y0, x1, y1; x1 and y1 exclusive
RED_DEPTH_M = 0.8
WALL_DEPTH_M = 2.0
INTENT = "Find the red box."


def true_mask() -> np.ndarray:
    """Return the red box's mask, (HEIGHT, WIDTH) bool."""
    x0, y0, x1, y1 = RED_BOX
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[y0:y1, x0:x1] = True
    return mask


def true_point() -> tuple[float, float, float]:
    """Return the median of the back-projected box [m]; it is flat, so the middle of its pixels."""
    x0, y0, x1, y1 = RED_BOX
    u, v = (x0 + x1 - 1) / 2, (y0 + y1 - 1) / 2
    return ((u - CX) / FX * RED_DEPTH_M, (v - CY) / FY * RED_DEPTH_M, RED_DEPTH_M)


def write_scene(folder: Path, *, name: str = "red_box", depth: bool = True) -> Path:
    """Write a wall with a red box before it; return its JSON file.

    Args:
        depth: False leaves the box without a single valid depth.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mask = true_mask()
    color = np.full((HEIGHT, WIDTH, 3), 110, dtype=np.uint8)
    color[mask] = (220, 30, 30)
    millimetres = np.where(mask, RED_DEPTH_M if depth else 0.0, WALL_DEPTH_M) * 1000
    cv2.imwrite(
        str(folder / f"{name}.jpg"), color[..., ::-1].copy(), [cv2.IMWRITE_JPEG_QUALITY, 95]
    )
    cv2.imwrite(str(folder / f"{name}.depth.png"), np.rint(millimetres).astype(np.uint16))
    cv2.imwrite(str(folder / f"{name}.ids.png"), mask.astype(np.uint8))
    meta = {
        "version": 1,
        "name": name,
        "split": "test",
        "width": WIDTH,
        "height": HEIGHT,
        "camera": {
            "fx": FX,
            "fy": FY,
            "cx": CX,
            "cy": CY,
            "world_from_optical": np.eye(4).tolist(),
        },
        "instances": [
            {
                "id": 1,
                "category": "box",
                "title": "red box",
                "box_xyxy": list(RED_BOX),
                "area": int(mask.sum()),
                "point_m": list(true_point()),
            }
        ],
        "questions": [{"intent": INTENT, "kind": "explicit", "instances": [1]}],
    }
    path = folder / f"{name}.json"
    path.write_text(json.dumps(meta), encoding="utf-8")
    return path
