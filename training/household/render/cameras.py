"""Cameras: pinhole intrinsics, looking at a point, and which boxes a camera would see.

World: x right, y towards the back wall, z up, metres. Optical frame (REP-103): x right, y down,
z forward.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Pinhole:
    """Intrinsics in pixels; pixel centres have integer coordinates, so cx = (width - 1) / 2."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float


@dataclass(frozen=True, kw_only=True)
class Box:
    """Axis-aligned box in the world, corners in metres."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]

    def centre(self) -> Array:
        """(3,) middle of the box."""
        return (np.array(self.low) + np.array(self.high)) / 2


def pinhole(width: int, height: int, fov_degrees: float) -> Pinhole:
    """Square pixels; ``fov_degrees`` is the horizontal field of view."""
    focal = width / 2 / math.tan(math.radians(fov_degrees) / 2)
    return Pinhole(
        width=width, height=height, fx=focal, fy=focal, cx=(width - 1) / 2, cy=(height - 1) / 2
    )


def world_from_optical(position: Array, target: Array, *, roll: float = 0.0) -> Array:
    """(4, 4) pose of a camera at ``position`` that looks at ``target``; roll in radians.

    Raises:
        ValueError: it would look straight up or down, or position equals target.
    """
    forward = np.asarray(target, float) - np.asarray(position, float)
    length = float(np.linalg.norm(forward))
    if length < 1e-9:
        raise ValueError("the camera is at the point it looks at")
    forward /= length
    right = np.cross(forward, [0.0, 0.0, 1.0])
    if np.linalg.norm(right) < 1e-6:
        raise ValueError("the camera looks straight up or down")
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    c, s = math.cos(roll), math.sin(roll)
    pose = np.eye(4)
    pose[:3, 0], pose[:3, 1] = c * right + s * down, c * down - s * right
    pose[:3, 2], pose[:3, 3] = forward, position
    return pose


def project(points: Array, pose: Array, camera: Pinhole) -> Array:
    """(n, 3) columns u, v (pixels) and z (metres, in front of the camera where above 0)."""
    local = (np.asarray(points) - pose[:3, 3]) @ pose[:3, :3]
    z = local[:, 2]
    safe = np.where(np.abs(z) < 1e-9, 1e-9, z)
    u = camera.fx * local[:, 0] / safe + camera.cx
    v = camera.fy * local[:, 1] / safe + camera.cy
    return np.stack([u, v, z], axis=1)


def boxes_in_view(boxes: list[Box], pose: Array, camera: Pinhole, *, border: float = 8) -> int:
    """How many boxes have their centre in the picture, ``border`` pixels from its edge."""
    if not boxes:
        return 0
    uvz = project(np.stack([b.centre() for b in boxes]), pose, camera)
    inside = (
        (uvz[:, 2] > 0.1)
        & (uvz[:, 0] > border)
        & (uvz[:, 0] < camera.width - border)
        & (uvz[:, 1] > border)
        & (uvz[:, 1] < camera.height - border)
    )
    return int(inside.sum())


def segment_hits_box(start: Array, end: Array, box: Box, *, margin: float = 0.0) -> bool:
    """Slab test: does the segment pass through the box (or start in it)?"""
    low, high = np.array(box.low) - margin, np.array(box.high) + margin
    direction = np.asarray(end, float) - np.asarray(start, float)
    enter, leave = 0.0, 1.0
    for axis in range(3):
        if abs(direction[axis]) < 1e-12:
            if not low[axis] <= start[axis] <= high[axis]:
                return False
            continue
        t0 = (low[axis] - start[axis]) / direction[axis]
        t1 = (high[axis] - start[axis]) / direction[axis]
        enter, leave = max(enter, min(t0, t1)), min(leave, max(t0, t1))
    return enter <= leave
