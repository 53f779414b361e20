"""ReasonSeg on disk: pictures with labelme files that hold the questions and the target."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

IGNORE = 255


@dataclass(frozen=True)
class ReasonSegItem:
    """One picture of ReasonSeg.

    Attributes:
        image: path of the picture.
        texts: the questions; the official validation asks the first only.
        is_sentence: whether they are sentences (or else noun phrases).
        mask: (H, W) uint8, 0 background, 1 target, 255 left out of the score.
    """

    image: Path
    texts: tuple[str, ...]
    is_sentence: bool
    mask: NDArray[np.uint8]


def read_item(image: Path, height: int, width: int) -> ReasonSegItem:
    """Read the labelme file of a picture (``image`` with the ending .json).

    Args:
        height, width: of the picture.

    Raises:
        ValueError: the file is no such JSON, naming it and the entry.
    """
    path = image.with_suffix(".json")
    values = _read_json(path)
    texts, sentence = _texts(values, path)
    try:
        shapes = [
            (str(shape["label"]), np.array(shape["points"], dtype=np.float64).reshape(-1, 2))
            for shape in values["shapes"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not a ReasonSeg annotation ({error!r})") from error
    return ReasonSegItem(
        image=image,
        texts=texts,
        is_sentence=sentence,
        mask=draw_shapes(shapes, height, width),
    )


def read_texts(image: Path) -> tuple[tuple[str, ...], bool]:
    """The questions of a picture, and whether they are sentences; the picture is not read.

    Raises:
        ValueError: its labelme file is no such JSON, naming it and the entry.
    """
    path = image.with_suffix(".json")
    return _texts(_read_json(path), path)


def _texts(values: dict[str, Any], path: Path) -> tuple[tuple[str, ...], bool]:
    try:
        texts, sentence = values["text"], bool(values["is_sentence"])
        if isinstance(texts, str):
            texts = [texts]
        return tuple(str(text) for text in texts), sentence
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path}: not a ReasonSeg annotation ({error!r})") from error


def draw_shapes(
    shapes: list[tuple[str, NDArray[np.float64]]], height: int, width: int
) -> NDArray[np.uint8]:
    """Label image of polygons: the largest first, so that small ones stay visible on it.

    Labels with "ignore" in them become 255, "flag" is skipped, everything else is the target. The
    outline belongs to the polygon, and points are cut to integers, as the official reader does.

    OpenCV 4.11 changed how edges are filled: with it and later releases single pixels of the
    outline differ from the masks that published scores were computed on (up to 0.4 % of a mask in
    the recorded examples). requirements.txt pins 4.10.
    """
    drawn: list[tuple[int, int, NDArray[np.int32]]] = []
    for label, points in shapes:
        if label.lower() == "flag":
            continue
        value = IGNORE if "ignore" in label.lower() else 1
        corners = points.astype(np.int32).reshape(-1, 1, 2)
        drawn.append((int(_polygon(corners, 1, height, width).sum()), value, corners))
    out = np.zeros((height, width), np.uint8)
    # The order of equal areas is that of the reversed argsort of the official reader.
    for place in np.argsort([area for area, _, _ in drawn])[::-1]:
        _, value, corners = drawn[int(place)]
        out[_polygon(corners, 1, height, width) == 1] = value
    return out


def _polygon(corners: NDArray[np.int32], value: int, height: int, width: int) -> NDArray[np.uint8]:
    canvas = np.zeros((height, width), np.uint8)
    cv2.polylines(canvas, [corners], True, value, 1)
    cv2.fillPoly(canvas, [corners], value)
    return canvas


def _read_json(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("cp1252")  # some files of the data set
    try:
        values = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path} holds no JSON object")
    return values
