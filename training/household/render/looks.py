"""What rooms look like: surface styles and lights, drawn at random. Pure."""

from __future__ import annotations

import colorsys
import random
from dataclasses import dataclass

Colour = tuple[float, float, float]
FLOOR_KINDS = ("wood", "wood", "tiles", "checker", "plaster", "carpet")
WALL_KINDS = ("plain", "plain", "plaster", "stripes", "tiles", "blotches")
TOP_KINDS = ("plain", "wood", "marble", "wood", "tiles")


@dataclass(frozen=True, kw_only=True)
class Style:
    """A surface: pattern, two linear RGB colours, pattern size in metres, roughness, angle."""

    kind: str
    colour_a: Colour
    colour_b: Colour
    size: float
    roughness: float
    angle: float


@dataclass(frozen=True, kw_only=True)
class Light:
    """kind "area", "sun" or "point"; position and target in metres; power in W (sun: W/m2)."""

    kind: str
    position: Colour
    target: Colour
    power: float
    colour: Colour
    size: float


@dataclass(frozen=True, kw_only=True)
class Look:
    """All of a room's surfaces and lights."""

    floor: Style
    walls: tuple[Style, Style, Style]
    top: Style
    body: Style
    rug: Style | None
    ambient: float
    ambient_colour: Colour
    lights: tuple[Light, ...]


def sample_colour(rng: random.Random, *, vivid: float, light: tuple[float, float]) -> Colour:
    """A linear RGB colour with saturation below ``vivid`` and value within ``light``."""
    return colorsys.hsv_to_rgb(rng.random(), rng.uniform(0, vivid), rng.uniform(*light))


def wood_colours(rng: random.Random) -> tuple[Colour, Colour]:
    """Two browns from birch to wenge."""
    hue, value = rng.uniform(0.05, 0.11), rng.uniform(0.08, 0.6)
    a = colorsys.hsv_to_rgb(hue, rng.uniform(0.4, 0.75), value)
    return a, (a[0] * 0.62, a[1] * 0.58, a[2] * 0.55)


def sample_style(
    rng: random.Random, kinds: tuple[str, ...], *, light: tuple[float, float]
) -> Style:
    """One surface of one of the given kinds."""
    kind = rng.choice(kinds)
    if kind == "wood":
        a, b = wood_colours(rng)
        size = rng.uniform(0.08, 0.25)
    else:
        a = sample_colour(rng, vivid=0.45, light=light)
        contrast = (
            rng.uniform(0.75, 0.95) if kind in ("plaster", "blotches") else rng.uniform(0.5, 0.9)
        )
        b = (a[0] * contrast, a[1] * contrast, a[2] * contrast)
        size = rng.uniform(0.1, 0.6)
    return Style(
        kind=kind,
        colour_a=a,
        colour_b=b,
        size=size,
        roughness=rng.uniform(0.25, 0.9),
        angle=rng.choice((0.0, 1.5708, rng.uniform(0, 3.14))),
    )


def sample_light_colour(rng: random.Random) -> Colour:
    """From warm (about 2700 K) to cold (about 8000 K) white, linear RGB."""
    t = rng.random()
    return (1.0, 0.68 + 0.32 * min(1.0, t * 1.6), 0.38 + 0.72 * t)


def sample_lights(rng: random.Random, *, focus_height: float) -> tuple[Light, ...]:
    """One to three lights; the focus of the scene is near x = y = 0."""
    centre = (0.0, 0.0, focus_height)
    choices = {
        "ceiling": Light(
            kind="area",
            position=(rng.uniform(-1, 1), rng.uniform(-1.2, 0.4), 2.5),
            target=(rng.uniform(-0.3, 0.3), 0.0, focus_height),
            power=rng.uniform(30, 120),
            colour=sample_light_colour(rng),
            size=rng.uniform(0.3, 1.4),
        ),
        "window": Light(
            kind="area",
            position=(rng.choice((-1, 1)) * rng.uniform(1.3, 2.2), rng.uniform(-2.0, 0.0), 1.6),
            target=centre,
            power=rng.uniform(60, 240),
            colour=sample_light_colour(rng),
            size=rng.uniform(0.8, 1.8),
        ),
        "sun": Light(
            kind="sun",
            position=(rng.uniform(-2, 2), rng.uniform(-3, -0.8), rng.uniform(1.8, 3.5)),
            target=(0.0, 0.0, 0.0),
            power=rng.uniform(2, 7),
            colour=sample_light_colour(rng),
            size=rng.uniform(0.02, 0.2),
        ),
        "lamp": Light(
            kind="point",
            position=(
                rng.uniform(-1, 1),
                rng.uniform(-1, 0.3),
                focus_height + rng.uniform(0.7, 1.3),
            ),
            target=centre,
            power=rng.uniform(20, 70),
            colour=sample_light_colour(rng),
            size=rng.uniform(0.05, 0.2),
        ),
    }
    names = rng.choices(
        (("ceiling",), ("window",), ("ceiling", "window"), ("sun",), ("ceiling", "lamp"),
         ("window", "lamp"), ("sun", "ceiling")),
        weights=(3, 4, 4, 2, 2, 1, 1),
    )[0]  # fmt: skip
    return tuple(choices[name] for name in names)


def sample_look(rng: random.Random, *, focus_height: float) -> Look:
    """A whole room."""
    wall = sample_style(rng, WALL_KINDS, light=(0.25, 0.9))
    accent = sample_style(rng, WALL_KINDS, light=(0.1, 0.9)) if rng.random() < 0.4 else wall
    return Look(
        floor=sample_style(rng, FLOOR_KINDS, light=(0.08, 0.7)),
        walls=(wall, accent, wall),
        top=sample_style(rng, TOP_KINDS, light=(0.04, 0.9)),
        body=sample_style(rng, ("plain", "wood"), light=(0.05, 0.9)),
        rug=sample_style(rng, ("carpet", "stripes", "checker", "blotches"), light=(0.05, 0.8))
        if rng.random() < 0.35
        else None,
        ambient=rng.uniform(0.25, 0.9),
        ambient_colour=sample_light_colour(rng),
        lights=sample_lights(rng, focus_height=focus_height),
    )
