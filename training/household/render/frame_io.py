"""Writes a frame's four files so that a kill never leaves a half frame that looks whole."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def frame_done(folder: Path, name: str) -> bool:
    """A frame is finished when its .json is there: it is written last."""
    return (folder / f"{name}.json").is_file()


def write_frame(
    folder: Path,
    name: str,
    *,
    color: NDArray[np.uint8],
    depth_mm: NDArray[np.uint16],
    ids: NDArray[np.uint8],
    meta: dict[str, Any],
    jpeg_quality: int = 94,
) -> None:
    """Writes NAME.jpg (RGB in), NAME.depth.png, NAME.ids.png and, last, NAME.json.

    Raises:
        ValueError: the three images differ in size.
        OSError: the folder cannot be written.
    """
    if not color.shape[:2] == depth_mm.shape == ids.shape:
        raise ValueError(f"sizes differ: {color.shape[:2]}, {depth_mm.shape}, {ids.shape}")
    folder.mkdir(parents=True, exist_ok=True)
    bgr = cv2.cvtColor(color, cv2.COLOR_RGB2BGR)
    jpeg = [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality]
    _atomic(folder / f"{name}.jpg", _encode(".jpg", bgr, jpeg))
    _atomic(folder / f"{name}.depth.png", _encode(".png", depth_mm, []))
    _atomic(folder / f"{name}.ids.png", _encode(".png", ids, []))
    text = json.dumps(meta, ensure_ascii=False, separators=(",", ":"))
    _atomic(folder / f"{name}.json", text.encode("utf-8"))


def _encode(extension: str, image: NDArray[Any], options: list[int]) -> bytes:
    ok, data = cv2.imencode(extension, image, options)
    if not ok:
        raise OSError(f"cannot encode {extension}")
    return data.tobytes()


def _atomic(path: Path, data: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    os.replace(part, path)
