"""Depth images of boxes, planes and cylinders in a known pose, by a ray for each pixel."""

from __future__ import annotations

import numpy as np

from lisa_model.geometry import Intrinsics

CAMERA = Intrinsics(fx=320.0, fy=320.0, cx=159.5, cy=119.5, width=320, height=240)


def rotation(axis: tuple[float, float, float], degrees: float) -> np.ndarray:
    """Rotation about an axis by Rodrigues' formula."""
    x, y, z = np.array(axis) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def rays(camera: Intrinsics = CAMERA) -> np.ndarray:
    """(H, W, 3) directions with z = 1, so that the ray's length is the planar depth."""
    rows, columns = np.indices((camera.height, camera.width))
    x, y = (columns - camera.cx) / camera.fx, (rows - camera.cy) / camera.fy
    return np.stack((x, y, np.ones_like(x)), axis=-1)


def box_depth(
    centre: np.ndarray, axes: np.ndarray, size: np.ndarray, camera: Intrinsics = CAMERA
) -> np.ndarray:
    """(H, W) depth of a box [m], 0 where it is not; by the slab method."""
    direction = rays(camera) @ axes
    origin = -centre @ axes
    with np.errstate(divide="ignore", invalid="ignore"):
        first = (-size / 2 - origin) / direction
        second = (size / 2 - origin) / direction
    near = np.minimum(first, second).max(axis=-1)
    far = np.maximum(first, second).min(axis=-1)
    return np.where((near <= far) & (near > 0), near, 0.0)


def plane_depth(point: np.ndarray, normal: np.ndarray, camera: Intrinsics = CAMERA) -> np.ndarray:
    """(H, W) depth of a plane [m], 0 where the ray misses it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = (point @ normal) / (rays(camera) @ normal)
    return np.where(np.isfinite(depth) & (depth > 0), depth, 0.0)


def cylinder_depth(
    centre: np.ndarray,
    axis: np.ndarray,
    radius: float,
    length: float,
    camera: Intrinsics = CAMERA,
) -> np.ndarray:
    """(H, W) depth of a cylinder's side [m], 0 where it is not."""
    direction = rays(camera)
    across = direction - (direction @ axis)[..., None] * axis
    offset = -centre + (centre @ axis) * axis
    a = (across**2).sum(axis=-1)
    b = 2 * across @ offset
    c = offset @ offset - radius**2
    root = b * b - 4 * a * c
    with np.errstate(invalid="ignore", divide="ignore"):
        depth = (-b - np.sqrt(root)) / (2 * a)
        along = (direction * depth[..., None] - centre) @ axis
    hit = (root >= 0) & (depth > 0) & (np.abs(along) <= length / 2)
    return np.where(hit, depth, 0.0)


def noisy(depth: np.ndarray, sigma: float, seed: int = 0) -> np.ndarray:
    """Depth with normal noise [m] where there is depth."""
    return np.where(depth > 0, depth + np.random.default_rng(seed).normal(0, sigma, depth.shape), 0)


def angle_between(first: np.ndarray, second: np.ndarray) -> float:
    """Angle between two directions, whichever way they point [degrees, 0 to 90]."""
    cosine = abs(first @ second) / np.linalg.norm(first) / np.linalg.norm(second)
    return float(np.degrees(np.arccos(min(1.0, cosine))))
