"""Questions in the layout of ReasonSeg: a picture and a labelme file each, with depth beside.

A labelme polygon has no holes. Here a hole is joined to the outline by a line that is walked
forth and back, so the polygon is one closed outline; readers that fill by the even-odd rule
(OpenCV, and with it ReasonSeg's own reader) leave the hole empty.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from training.homereason.question import Question
from training.homereason.scene import read_json


def polygons(mask: NDArray[np.bool_]) -> list[list[list[float]]]:
    """Outlines of a mask, one for each connected part, holes joined in.

    Args:
        mask: (H, W) bool.

    Returns:
        lists of (x, y) pixels. Parts of one or two pixels become polygons that repeat a point.
    """
    contours, tree = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if tree is None:
        return []
    out = []
    for number, contour in enumerate(contours):
        if tree[0][number][3] >= 0:
            continue
        holes = [contours[k][:, 0, :] for k in range(len(contours)) if tree[0][k][3] == number]
        outline = _joined(contour[:, 0, :], holes)
        while len(outline) < 3:
            outline = np.concatenate((outline, outline[-1:]))
        out.append(_straightened(outline).astype(float).tolist())
    return out


def _joined(outline: NDArray[np.int32], holes: list[NDArray[np.int32]]) -> NDArray[np.int32]:
    # The nearest hole first: the line to it cannot cross another one.
    left = [(hole, _nearest(outline, hole)) for hole in holes]
    while left:
        hole, (_, where, start) = left.pop(int(np.argmin([link[0] for _, link in left])))
        hole = np.roll(hole, -start, axis=0)
        at = int(np.flatnonzero((outline == where).all(axis=1))[0])
        outline = np.concatenate((outline[: at + 1], hole, hole[:1], outline[at:]))
        # Only the points that were added can be nearer to another hole.
        left = [(one, min(link, _nearest(hole, one), key=lambda k: k[0])) for one, link in left]
    return outline


def _nearest(
    outline: NDArray[np.int32], hole: NDArray[np.int32]
) -> tuple[float, NDArray[np.int32], int]:
    """Squared distance, the point of the outline, and the index of the hole's point."""
    best: tuple[float, NDArray[np.int32], int] | None = None
    for start, point in enumerate(hole):
        squared = ((outline - point) ** 2).sum(axis=1)
        at = int(squared.argmin())
        if best is None or squared[at] < best[0]:
            best = (float(squared[at]), outline[at], start)
    assert best is not None  # a contour has points
    return best


def _straightened(points: NDArray[np.int32]) -> NDArray[np.int32]:
    """Without points in the middle of straight runs; turning points stay."""
    if len(points) <= 3:
        return points
    steps = np.diff(np.concatenate((points[-1:], points, points[:1])), axis=0)
    keep = (steps[:-1] != steps[1:]).any(axis=1)
    kept = points[keep]
    return kept if len(kept) >= 3 else points


def labelme(question: Question, ids: NDArray[np.uint8]) -> dict[str, Any]:
    """The labelme content of a question.

    Args:
        ids: (H, W) uint8 instance ids of its frame.
    """
    shapes = [
        {
            "label": "target",
            "labels": ["target"],
            "shape_type": "polygon",
            "image_name": f"{question.frame}.jpg",
            "points": points,
            "group_id": number,
            "flags": {},
        }
        for number, target in enumerate(question.targets)
        for points in polygons(np.isin(ids, target))
    ]
    return {
        "text": [question.text],
        "is_sentence": question.is_sentence,
        "shapes": shapes,
        "kind": question.kind,
        "subset": question.subset,
        "answer": question.answer,
    }


def write_item(question: Question, number: int, frames: Path, folder: Path) -> None:
    """Write NAME_qNN.jpg, .json, .depth.png and .camera (JSON).

    The camera file does not end in .json, so that readers that list labelme files skip it.

    Raises:
        OSError: a file of the frame is missing, or the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{question.frame}_q{number:02d}"
    ids = cv2.imread(str(frames / f"{question.frame}.ids.png"), cv2.IMREAD_UNCHANGED)
    if ids is None:
        raise FileNotFoundError(f"{frames / question.frame}.ids.png is missing")
    for ending in (".jpg", ".depth.png"):
        _link(frames / f"{question.frame}{ending}", folder / f"{name}{ending}")
    camera = read_json(frames / f"{question.frame}.json")["camera"]
    (folder / f"{name}.camera").write_text(json.dumps(camera) + "\n", encoding="utf-8")
    text = json.dumps(labelme(question, ids), ensure_ascii=False)
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def _link(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)  # several questions share a picture
    except OSError:
        shutil.copyfile(source, target)
