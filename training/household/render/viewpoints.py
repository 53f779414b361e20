"""Draws cameras for an arrangement: a manipulator's near view or a robot's view of the room."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.household.render.arrangement import Arrangement
from training.household.render.cameras import (
    Pinhole,
    boxes_in_view,
    pinhole,
    segment_hits_box,
    world_from_optical,
)


@dataclass(frozen=True, kw_only=True)
class Range:
    """A closed interval to draw from."""

    low: float
    high: float

    def draw(self, rng: random.Random) -> float:
        """Uniform in the interval."""
        return rng.uniform(self.low, self.high)


@dataclass(frozen=True, kw_only=True)
class ViewConfig:
    """Distances in metres (height: above the target point), angles in degrees."""

    distance: Range
    height: Range
    azimuth: Range
    fov: Range
    aim_jitter: float


NEAR = ViewConfig(
    distance=Range(low=0.5, high=1.6),
    height=Range(low=0.3, high=1.0),
    azimuth=Range(low=-60, high=60),
    fov=Range(low=45, high=70),
    aim_jitter=0.12,
)
WIDE = ViewConfig(
    distance=Range(low=1.8, high=3.6),
    height=Range(low=0.3, high=1.2),
    azimuth=Range(low=-55, high=55),
    fov=Range(low=50, high=70),
    aim_jitter=0.3,
)
CONFIGS = {"near": NEAR, "wide": WIDE}
TRIES = 40
# How many things are seen, world_from_optical (4, 4), intrinsics.
Candidate = tuple[int, NDArray[np.float64], Pinhole]


class NoViewError(ValueError):
    """No drawn camera has a free view of the scene."""


def sample_view(
    kind: str,
    scene: Arrangement,
    *,
    width: int,
    height: int,
    rng: random.Random,
    config: ViewConfig | None = None,
) -> tuple[NDArray[np.float64], Pinhole]:
    """A camera (world_from_optical (4, 4), intrinsics) that sees the scene.

    Of up to 40 candidates that no big thing blocks, the first that has 4 small things (wide: 2
    things of any size) in the picture, else the one with most.

    Raises:
        KeyError: unknown kind.
        NoViewError: every candidate is blocked, outside the room or inside a thing.
    """
    config = config or CONFIGS[kind]
    big = [p.box() for p in scene.floor]
    small = [p.box() for p in scene.small]
    counted = small if kind == "near" else small + big
    wanted = min(4 if kind == "near" else 3, len(counted))

    def draw() -> Candidate | None:
        target = _target(kind, scene, config, rng)
        position = _position(target, config, rng)
        if not is_free(position, target, scene):
            return None
        camera = pinhole(width, height, config.fov.draw(rng))
        pose = world_from_optical(position, target, roll=math.radians(rng.gauss(0, 1.5)))
        return boxes_in_view(counted, pose, camera), pose, camera

    best = best_view(draw, wanted=wanted, tries=TRIES)
    if best is None:
        raise NoViewError("no free camera position was found")
    return best[1], best[2]


def best_view(draw: Callable[[], Candidate | None], *, wanted: int, tries: int) -> Candidate | None:
    """The first drawn camera that sees ``wanted`` things, else the first of those with most.

    ``draw`` gives None where the view is blocked; None: all ``tries`` were.
    """
    best: Candidate | None = None
    for _ in range(tries):
        candidate = draw()
        if candidate is None:
            continue
        if best is None or candidate[0] > best[0]:
            best = candidate
        if candidate[0] >= wanted:
            break
    return best


def _target(
    kind: str, scene: Arrangement, config: ViewConfig, rng: random.Random
) -> NDArray[np.float64]:
    if kind == "wide" and scene.floor and rng.random() < 0.75:
        base = rng.choice(scene.floor).box().centre()
    else:
        base = np.array(scene.focus) + np.array([0.0, 0.0, 0.04])
    jitter = [rng.uniform(-1, 1) * config.aim_jitter for _ in range(2)]
    return base + np.array([*jitter, rng.uniform(-0.3, 0.5) * config.aim_jitter])


def _position(
    target: NDArray[np.float64], config: ViewConfig, rng: random.Random
) -> NDArray[np.float64]:
    span = config.distance.high - config.distance.low
    distance = config.distance.low + span * rng.random() ** 1.3
    # Not steeper than 58 degrees: robots look ahead, not straight down.
    height = rng.uniform(
        config.height.low, max(config.height.low, min(config.height.high, 0.85 * distance))
    )
    return seen_from(target, distance, height, math.radians(config.azimuth.draw(rng)))


def seen_from(
    target: NDArray[np.float64], distance: float, height: float, azimuth: float
) -> NDArray[np.float64]:
    """(3,) the point ``distance`` from a target and ``height`` above it, metres.

    ``azimuth`` is in radians, 0 in front (-y) of the target and positive to the right.
    """
    ground = math.sqrt(max(distance**2 - height**2, 0.01))
    return target + np.array([math.sin(azimuth) * ground, -math.cos(azimuth) * ground, height])


def is_free(position: NDArray[np.float64], target: NDArray[np.float64], scene: Arrangement) -> bool:
    """Is a camera at ``position`` in the room, in nothing, and its view of ``target`` open?"""
    if not (scene.left + 0.1 < position[0] < scene.right - 0.1 and position[1] < scene.back - 0.1):
        return False
    if position[2] < 0.2:
        return False
    near_target = position + 0.8 * (target - position)
    for thing in scene.floor:
        box = thing.box()
        aimed_at = all(
            low - 0.5 <= t <= high + 0.5
            for low, t, high in zip(box.low, target, box.high, strict=True)
        )
        end = position if aimed_at else near_target
        if segment_hits_box(position, end, box, margin=0.12):
            return False
    for thing in (*scene.small, scene.support):
        if segment_hits_box(position, position, thing.box(), margin=0.15):
            return False
    # A small thing right in front of the lens would fill the picture.
    early = position + 0.45 * (target - position)
    return not any(segment_hits_box(position, early, t.box(), margin=0.03) for t in scene.small)
