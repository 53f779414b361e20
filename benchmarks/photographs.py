"""Photograph-like JPEGs with ReasonSeg annotations: smooth colours, edges, grain."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

QUALITY = 90
# Corners of a target's outline; ReasonSeg's have some dozens.
_CORNERS = 40


def write_photographs(folder: Path, *, count: int, width: int = 1024, height: int = 768) -> None:
    """Write ``count`` pictures with their labelme files.

    Args:
        folder: made if needed.
        count: of pictures.
        width, height: of each.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        rng = np.random.default_rng(number)
        small = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        image = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.int16)
        for _ in range(60):
            left, top = int(rng.integers(width)), int(rng.integers(height))
            color = [int(one) for one in rng.integers(0, 256, 3)]
            axes = (int(rng.integers(5, 120)), int(rng.integers(5, 120)))
            cv2.ellipse(image, (left, top), axes, float(rng.integers(180)), 0, 360, color, -1)
        grain = rng.normal(0.0, 6.0, image.shape)
        pixels = np.clip(image + grain, 0, 255).astype(np.uint8)
        path = folder / f"{number:04d}.jpg"
        if not cv2.imwrite(str(path), pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY]):
            raise OSError(f"could not write {path}")
        angles = np.linspace(0.0, 2 * np.pi, _CORNERS, endpoint=False)
        reach = rng.uniform(0.1, 0.3, _CORNERS) * min(width, height)
        points = np.stack(
            [width / 2 + reach * np.cos(angles), height / 2 + reach * np.sin(angles)], 1
        )
        values = {
            "text": ["something that keeps the coffee warm on the way", "Find what is meant!"],
            "is_sentence": True,
            "shapes": [{"label": "target", "points": points.tolist()}],
        }
        path.with_suffix(".json").write_text(json.dumps(values), encoding="utf-8")
