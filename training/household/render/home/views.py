"""Cameras of HomeReason: from floor robots to people, near, close-up and of the room. Pure."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import numpy as np

from training.household.render.cameras import (
    Array,
    Box,
    Pinhole,
    pinhole,
    project,
    segment_hits_box,
    world_from_optical,
)
from training.household.render.home.stand import HomeArrangement
from training.household.render.viewpoints import (
    Candidate,
    NoViewError,
    Range,
    best_view,
    is_free,
    seen_from,
)

FOV = Range(low=42, high=90)
HEIGHT = Range(low=0.3, high=1.7)
DISTANCE = {
    "near": Range(low=0.5, high=1.35),
    "close": Range(low=0.35, high=0.7),
    "wide": Range(low=1.4, high=3.0),
}
WANTED = {"near": 5, "close": 2, "wide": 4}
# A wider lens goes with a smaller distance: things keep their size in the picture, within bounds.
USUAL_FOV, ZOOM = 60, Range(low=0.6, high=1.25)
NEAREST_M = 0.35
ROLL_SHARE, ROLL_DEGREES = 0.25, 6.0
STEEPEST = 0.85  # height over distance: robots look ahead, not straight down
# Share of the picture that a thing's projected box needs to be seen well, about 20 x 20 pixels.
SEEN_WELL = 0.0013
TRIES = 60


def sample_home_view(
    kind: str, scene: HomeArrangement, *, width: int, height: int, rng: random.Random
) -> tuple[Array, Pinhole]:
    """A camera (world_from_optical (4, 4), intrinsics) of the scene.

    Of up to 60 candidates that nothing blocks, the first that sees enough things well, else the
    one with most.

    Raises:
        KeyError: unknown kind.
        NoViewError: every candidate is blocked, or sees fewer than two things well.
    """
    boxes = [p.box() for p in (*scene.small, *scene.floor)]
    wanted = min(WANTED[kind], len(boxes))

    def draw() -> Candidate | None:
        target = _target(kind, scene, rng)
        fov = FOV.draw(rng)
        position = _position(kind, scene, target, fov, rng)
        if position is None or not is_free(position, target, scene) or _behind(position, scene):
            return None
        camera = pinhole(width, height, fov)
        limit = ROLL_DEGREES if rng.random() < ROLL_SHARE else 1.0
        roll = math.radians(rng.uniform(-limit, limit))
        pose = world_from_optical(position, target, roll=roll)
        return seen_well(boxes, pose, camera), pose, camera

    best = best_view(draw, wanted=wanted, tries=TRIES)
    if best is None or best[0] < 2:
        raise NoViewError("no free camera position sees two things well")
    return best[1], best[2]


def seen_well(boxes: Sequence[Box], pose: Array, camera: Pinhole) -> int:
    """How many boxes have their middle in the picture, not hidden, and are large enough there."""
    found = 0
    # Boxes are larger than the things in them: what is but touched is not hidden.
    blockers = [_shrunk(box) for box in boxes]
    for box in boxes:
        corners = np.array(
            [(x, y, z) for x in (box.low[0], box.high[0]) for y in (box.low[1], box.high[1])
             for z in (box.low[2], box.high[2])]
        )  # fmt: skip
        uvz = project(np.vstack([box.centre()[None], corners]), pose, camera)
        if uvz[:, 2].min() < 0.05:
            continue
        u, v = uvz[0, 0], uvz[0, 1]
        if not (0.03 < u / camera.width < 0.97 and 0.03 < v / camera.height < 0.97):
            continue
        # Half of the projected box: a turned thing fills about so much of it.
        area = 0.5 * float(np.ptp(uvz[1:, 0]) * np.ptp(uvz[1:, 1]))
        if area < SEEN_WELL * camera.width * camera.height:
            continue
        others = (one for k, one in enumerate(blockers) if boxes[k] is not box)
        found += not any(segment_hits_box(pose[:3, 3], box.centre(), one) for one in others)
    return found


def _shrunk(box: Box) -> Box:
    low, high = np.array(box.low), np.array(box.high)
    a, b = 0.85 * low + 0.15 * high, 0.15 * low + 0.85 * high
    return Box(low=(a[0], a[1], a[2]), high=(b[0], b[1], b[2]))


def _target(kind: str, scene: HomeArrangement, rng: random.Random) -> Array:
    if kind == "wide" and scene.floor and rng.random() < 0.6:
        base = rng.choice(scene.floor).box().centre()
        jitter = 0.3
    else:
        base = rng.choice(scene.small).box().centre()
        if kind == "near":
            near = sorted(scene.small, key=lambda p: float(np.linalg.norm(p.box().centre() - base)))
            base = np.mean([p.box().centre() for p in near[:6]], axis=0)
        jitter = {"near": 0.12, "close": 0.04, "wide": 0.25}[kind]
    return (
        base + np.array([rng.uniform(-1, 1), rng.uniform(-1, 1), rng.uniform(-0.3, 0.5)]) * jitter
    )


def _position(
    kind: str, scene: HomeArrangement, target: Array, fov: float, rng: random.Random
) -> Array | None:
    span = DISTANCE[kind]
    distance = span.low + (span.high - span.low) * rng.random() ** 1.2
    zoom = math.tan(math.radians(USUAL_FOV) / 2) / math.tan(math.radians(fov) / 2)
    distance = max(NEAREST_M, distance * min(max(zoom, ZOOM.low), ZOOM.high))
    # From above, so that a table does not hide what stands on it; a shelf from all heights.
    rise = -0.3 * distance if scene.shelf is not None or kind == "wide" else 0.17 * distance
    low = max(HEIGHT.low, target[2] + rise)
    high = min(HEIGHT.high, target[2] + STEEPEST * distance)
    if low > high:
        return None
    drop = rng.uniform(low, high) - target[2]
    limit = 50 if scene.shelf is not None else 65
    return seen_from(target, distance, drop, math.radians(rng.uniform(-limit, limit)))


def _behind(position: Array, scene: HomeArrangement) -> bool:
    """Is the camera within the furniture?"""
    return segment_hits_box(position, position, scene.support.box(), margin=0.1)
