"""Rooms of HomeReason: moods of light, exposure, window, splash-back, shelf. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.household.render.develop import LUMINANCE, Development
from training.household.render.looks import Colour, Light, Look, Style, sample_look, sample_style

MOODS = {"usual": 0.55, "evening": 0.15, "side": 0.15, "coloured": 0.15}
WINDOW_SHARE = 0.35
# All but a fifth of a picture stays below this linear value (1: white).
BRIGHT_PERCENT, BRIGHTEST = 80.0, 0.8
# Never so strong that white things take the colour's name.
ACCENTS: tuple[Colour, ...] = ((1.0, 0.55, 0.45), (0.6, 0.75, 1.0), (0.65, 1.0, 0.7),
                               (1.0, 0.6, 0.95), (1.0, 0.72, 0.4))  # fmt: skip
SKIES: tuple[tuple[Colour, Colour, float], ...] = (
    ((0.5, 0.7, 1.0), (0.12, 0.25, 0.08), 3.0),
    ((0.9, 0.95, 1.0), (0.5, 0.5, 0.48), 4.0),
    ((0.75, 0.85, 1.0), (0.25, 0.22, 0.2), 2.5),
    ((0.03, 0.04, 0.09), (0.01, 0.01, 0.012), 1.0),
)  # upper and lower colour, strength; the last is night


@dataclass(frozen=True, kw_only=True)
class Window:
    """``along`` is the middle's place on the wall, 0 to 1; sizes and sill height in metres."""

    wall: str
    along: float
    width: float
    height: float
    sill: float
    sky: Colour
    land: Colour
    strength: float


@dataclass(frozen=True, kw_only=True)
class HomeLook:
    """A room's look, with what HomeReason's rooms have besides; ``mood`` is one of ``MOODS``."""

    room: Look
    mood: str
    shelf: Style
    shelf_back: Style
    splash: Style | None
    window: Window | None


def sample_home_look(rng: random.Random, *, focus_height: float) -> HomeLook:
    """A whole room."""
    room = sample_look(rng, focus_height=focus_height)
    mood = rng.choices(tuple(MOODS), tuple(MOODS.values()))[0]
    shelf = sample_style(rng, ("plain", "wood", "wood"), light=(0.05, 0.9))
    return HomeLook(
        room=_in_mood(room, mood, rng, focus_height),
        mood=mood,
        shelf=shelf,
        shelf_back=sample_style(rng, ("plain",), light=(0.2, 0.9)) if rng.random() < 0.4 else shelf,
        splash=sample_style(rng, ("tiles", "tiles", "plain", "marble"), light=(0.15, 0.9))
        if rng.random() < 0.6
        else None,
        window=_window(rng, mood) if rng.random() < WINDOW_SHARE else None,
    )


def _in_mood(room: Look, mood: str, rng: random.Random, focus_height: float) -> Look:
    if mood == "evening":
        lamp = Light(
            kind="point",
            position=(rng.uniform(-1.2, 1.2), rng.uniform(-1, 0.2), focus_height + 0.9),
            target=(0.0, 0.0, focus_height),
            power=rng.uniform(15, 45),
            colour=(1.0, rng.uniform(0.66, 0.8), rng.uniform(0.4, 0.6)),
            size=rng.uniform(0.08, 0.25),
        )
        return replace(room, ambient=rng.uniform(0.12, 0.3), lights=(lamp,))
    if mood == "side":
        side = Light(
            kind=rng.choice(("area", "sun")),
            position=(rng.choice((-1, 1)) * rng.uniform(1.6, 2.4), rng.uniform(-1.2, 0.0),
                      focus_height + rng.uniform(0.3, 0.9)),
            target=(0.0, 0.0, focus_height),
            power=0.0,
            colour=(1.0, rng.uniform(0.88, 1.0), rng.uniform(0.75, 1.05)),
            size=rng.uniform(0.05, 0.5),
        )  # fmt: skip
        power = rng.uniform(3, 7) if side.kind == "sun" else rng.uniform(90, 200)
        return replace(room, ambient=rng.uniform(0.15, 0.3), lights=(replace(side, power=power),))
    if mood == "coloured":
        accent = Light(
            kind="point",
            position=(rng.uniform(-1, 1), rng.uniform(-0.9, 0.3), focus_height + 0.8),
            target=(0.0, 0.0, focus_height),
            power=rng.uniform(12, 35),
            colour=rng.choice(ACCENTS),
            size=rng.uniform(0.05, 0.2),
        )
        return replace(room, lights=(*room.lights[:1], accent))
    return room


def _window(rng: random.Random, mood: str) -> Window:
    sky, land, strength = SKIES[-1] if mood == "evening" else rng.choice(SKIES[:-1])
    return Window(
        wall=rng.choice(("back", "back", "left", "right")),
        along=rng.uniform(0.25, 0.75),
        width=rng.uniform(0.7, 1.4),
        height=rng.uniform(0.8, 1.2),
        sill=rng.uniform(1.0, 1.35),
        sky=sky,
        land=land,
        strength=strength * rng.uniform(0.7, 1.2),
    )


def home_development(mood: str, linear: NDArray[np.float32], rng: random.Random) -> Development:
    """How a picture is developed: exposed too little or too much in a seventh of them.

    Args:
        mood: of the light.
        linear: (H, W, 3) what is developed; bounds the exposure, so that black things do not
            drive all others into white.
        rng: draws exposure, white balance and noise.
    """
    draw = rng.random()
    if mood == "evening":
        key = rng.uniform(0.07, 0.14)
    elif draw < 0.07:
        key = rng.uniform(0.08, 0.12)
    elif draw < 0.14:
        key = rng.uniform(0.28, 0.34)
    else:
        key = rng.uniform(0.13, 0.27)
    luminance = np.maximum(linear, 0) @ LUMINANCE
    mean_log = float(np.exp(np.log(luminance + 1e-4).mean()))
    bright = float(np.percentile(luminance, BRIGHT_PERCENT)) * key / max(mean_log, 1e-4)
    return Development(
        key=key * min(1.0, BRIGHTEST / max(bright, 1e-6)),
        white_balance=(rng.uniform(0.93, 1.07), 1.0, rng.uniform(0.9, 1.1)),
        noise=rng.choice((0.0, rng.uniform(0, 3))),
    )
