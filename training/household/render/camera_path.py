"""Smooth camera paths around a target: keys in words of a manipulator, poses in between. Pure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np

from training.household.render.cameras import Array, world_from_optical


@dataclass(frozen=True, kw_only=True)
class Key:
    """The camera at one frame of a path.

    Attributes:
        frame: number of the frame, from 0.
        azimuth: degrees around the target; 0 in front of it (towards -y), positive to the right.
        distance: metres from the target.
        height: metres above the target, less than ``distance``.
        pan: degrees to the right, away from the target.
        tilt: degrees up, away from the target.
    """

    frame: int
    azimuth: float
    distance: float
    height: float
    pan: float = 0.0
    tilt: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.height < self.distance:
            raise ValueError(f"height {self.height} must be in 0 .. distance {self.distance}")


def ease(share: float) -> float:
    """0..1 to 0..1 with no speed and no acceleration at both ends (quintic smoothstep)."""
    return share**3 * (share * (6 * share - 15) + 10)


def between(keys: Sequence[Key], frame: int) -> Key:
    """The camera at a frame; before the first and after the last key it stands still."""
    if frame <= keys[0].frame:
        return keys[0]
    for early, late in itertools.pairwise(keys):
        if frame <= late.frame:
            share = ease((frame - early.frame) / (late.frame - early.frame))
            a, b = np.array(astuple(early)), np.array(astuple(late))
            _, azimuth, distance, height, pan, tilt = (a + share * (b - a)).tolist()
            return Key(
                frame=frame,
                azimuth=azimuth,
                distance=distance,
                height=height,
                pan=pan,
                tilt=tilt,
            )
    return keys[-1]


def pose_of(key: Key, target: Array) -> Array:
    """World_from_optical (4, 4) of a camera that stands and looks as ``key`` says.

    Args:
        key: see :class:`Key`.
        target: (3,) metres, world frame.

    Raises:
        ValueError: it would look straight up or down.
    """
    azimuth = math.radians(key.azimuth)
    ground = math.sqrt(key.distance**2 - key.height**2)
    offset = np.array([math.sin(azimuth) * ground, -math.cos(azimuth) * ground, key.height])
    position = np.asarray(target, float) + offset
    # Heading from the x axis, elevation from the ground; a turn to the right lowers the heading.
    heading = math.atan2(-offset[1], -offset[0]) - math.radians(key.pan)
    elevation = math.atan2(-key.height, ground) + math.radians(key.tilt)
    if abs(elevation) > math.radians(85):
        raise ValueError(f"frame {key.frame}: the camera looks straight up or down")
    flat = math.cos(elevation)
    forward = np.array([flat * math.cos(heading), flat * math.sin(heading), math.sin(elevation)])
    return world_from_optical(position, position + forward)
