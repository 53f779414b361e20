"""What is in a rendered frame: cleaned ids, depth in millimetres, boxes, points, polygons."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from training.household.render.cameras import Pinhole

MINIMUM_PIXELS = 40
MAXIMUM_DEPTH_M = 60.0


def depth_to_millimetres(depth: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Planar z in metres to uint16 millimetres; 0 where nothing was hit or beyond 60 m."""
    valid = np.isfinite(depth) & (depth > 0) & (depth < MAXIMUM_DEPTH_M)
    return np.where(valid, np.rint(np.where(valid, depth, 0) * 1000), 0).astype(np.uint16)


def drop_small(ids: NDArray[np.uint8], *, minimum: int = MINIMUM_PIXELS) -> NDArray[np.uint8]:
    """A copy in which instances of fewer than ``minimum`` pixels have become background."""
    counts = np.bincount(ids.ravel(), minlength=256)
    keep = counts >= minimum
    keep[0] = True
    return np.where(keep[ids], ids, 0).astype(np.uint8)


def median_point(
    mask: NDArray[np.bool_], depth_mm: NDArray[np.uint16], camera: Pinhole
) -> list[float] | None:
    """Median of the back-projected mask: x, y, z in metres, camera optical frame."""
    rows, columns = np.nonzero(mask & (depth_mm > 0))
    if len(rows) == 0:
        return None
    z = depth_mm[rows, columns] / 1000.0
    x = (columns - camera.cx) / camera.fx * z
    y = (rows - camera.cy) / camera.fy * z
    return [round(float(np.median(v)), 4) for v in (x, y, z)]


def box_of(mask: NDArray[np.bool_]) -> list[int]:
    """x0, y0 (inclusive), x1, y1 (exclusive) in pixels of a mask with at least one pixel."""
    rows, columns = np.nonzero(mask)
    return [
        int(columns.min()),
        int(rows.min()),
        int(columns.max()) + 1,
        int(rows.max()) + 1,
    ]


def polygons_of(mask: NDArray[np.bool_]) -> list[list[list[float]]]:
    """Outer contours as labelme points; holes and slivers of fewer than 3 points are left out."""
    contours, _ = cv2.findContours(
        mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    return [c[:, 0, :].astype(float).tolist() for c in contours if len(c) >= 3]


def describe_instances(
    ids: NDArray[np.uint8],
    depth_mm: NDArray[np.uint16],
    camera: Pinhole,
    facts: dict[int, dict[str, Any]],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Instance records and labelme shapes of every id in the picture but 0.

    ``facts`` has what is known of each id beforehand (category, model, ...). An instance
    without any valid depth gets ``point_m`` null.

    Raises:
        KeyError: the picture shows an id that ``facts`` does not know.
    """
    instances: list[dict[str, Any]] = []
    shapes: list[dict[str, Any]] = []
    for number in np.unique(ids):
        if number == 0:
            continue
        known = facts[int(number)]
        mask = ids == number
        instances.append(
            {
                "id": int(number),
                **known,
                "box_xyxy": box_of(mask),
                "area": int(mask.sum()),
                "point_m": median_point(mask, depth_mm, camera),
            }
        )
        shapes.extend(
            {
                "label": known["category"],
                "points": points,
                "group_id": int(number),
                "shape_type": "polygon",
                "flags": {},
            }
            for points in polygons_of(mask)
        )
    return instances, shapes
