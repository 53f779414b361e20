"""RGB-D frames on disk: colour, depth, instance ids, intrinsics, and questions about them.

One frame is four files: ``NAME.jpg`` (RGB), ``NAME.depth.png`` (uint16 millimetres along the
optical axis, 0 invalid), ``NAME.ids.png`` (uint8 instance id, 0 background) and ``NAME.json``
(camera, instances, questions, and labelme polygons as ReasonSeg has them).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lisa_model.geometry import Intrinsics


@dataclass(frozen=True)
class Instance:
    """One visible thing of a frame.

    Attributes:
        id: its value in the id image.
        category: taxonomy id, such as ``tv_remote``.
        title: display name.
        box_xyxy: pixels; x1 and y1 exclusive.
        area: visible pixels.
        point_m: median of its back-projected pixels, metres, camera optical frame.
    """

    id: int
    category: str
    title: str
    box_xyxy: tuple[int, int, int, int]
    area: int
    point_m: tuple[float, float, float]


@dataclass(frozen=True)
class Question:
    """An intent and the instances it means."""

    intent: str
    kind: str
    instances: tuple[int, ...]


@dataclass(frozen=True)
class RgbdFrame:
    """A frame with its ground truth.

    Attributes:
        color: (H, W, 3) uint8 RGB.
        depth: (H, W) float32 metres, 0 invalid.
        ids: (H, W) uint8.
    """

    name: str
    color: NDArray[np.uint8]
    depth: NDArray[np.float32]
    ids: NDArray[np.uint8]
    intrinsics: Intrinsics
    instances: tuple[Instance, ...]
    questions: tuple[Question, ...]
    meta: dict[str, Any]

    def mask(self, instances: tuple[int, ...]) -> NDArray[np.bool_]:
        """Union mask (H, W) of the given instance ids."""
        return np.isin(self.ids, instances)


def read_color(path: Path) -> NDArray[np.uint8]:
    """RGB image (H, W, 3) uint8.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it is no image.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no image at {path}")
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f"{path} cannot be decoded as an image")
    return np.ascontiguousarray(image[..., ::-1])


def _read_plane(path: Path, dtype: type, shape: tuple[int, int]) -> NDArray[Any]:
    plane = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if plane is None:
        raise FileNotFoundError(f"{path} is missing or cannot be decoded")
    if plane.dtype != dtype or plane.shape != shape:
        raise ValueError(
            f"{path}: expected {np.dtype(dtype)} {shape}, got {plane.dtype} {plane.shape}"
        )
    return plane


def read_meta(path: Path) -> dict[str, Any]:
    """The frame's JSON."""
    meta: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return meta


def parse_instances(meta: dict[str, Any]) -> tuple[Instance, ...]:
    """Instances of a frame's JSON."""
    return tuple(
        Instance(
            id=int(item["id"]),
            category=item["category"],
            title=item.get("title", item["category"]),
            box_xyxy=tuple(int(v) for v in item["box_xyxy"]),  # type: ignore[arg-type]
            area=int(item["area"]),
            point_m=tuple(float(v) for v in item["point_m"]),  # type: ignore[arg-type]
        )
        for item in meta["instances"]
    )


def parse_questions(meta: dict[str, Any]) -> tuple[Question, ...]:
    """Questions of a frame's JSON (none when the language step has not run)."""
    return tuple(
        Question(item["intent"], item["kind"], tuple(int(i) for i in item["instances"]))
        for item in meta.get("questions", [])
    )


def load_frame(path: str | Path, *, depth: bool = True) -> RgbdFrame:
    """Read a frame from any of its files.

    Args:
        path: any of the frame's files.
        depth: read the depth too; without it the frame's depth is all zero (invalid), for uses
            that look at masks only and for frames that ship without depth.

    Raises:
        FileNotFoundError: when one of the files is missing.
        ValueError: when a file has the wrong type or size; the message names it.
    """
    path = Path(path)
    stem = path.with_name(path.name.split(".")[0])
    meta = read_meta(stem.with_suffix(".json"))
    color = read_color(stem.with_suffix(".jpg"))
    shape = (color.shape[0], color.shape[1])
    camera = meta["camera"]
    intrinsics = Intrinsics(
        fx=camera["fx"],
        fy=camera["fy"],
        cx=camera["cx"],
        cy=camera["cy"],
        width=shape[1],
        height=shape[0],
    )
    metres = np.zeros(shape, dtype=np.float32)
    if depth:
        millimetres = _read_plane(stem.with_suffix(".depth.png"), np.uint16, shape)
        metres = millimetres.astype(np.float32) / np.float32(1000.0)
    return RgbdFrame(
        name=stem.name,
        color=color,
        depth=metres,
        ids=_read_plane(stem.with_suffix(".ids.png"), np.uint8, shape),
        intrinsics=intrinsics,
        instances=parse_instances(meta),
        questions=parse_questions(meta),
        meta=meta,
    )
