"""Named colours that things are painted in, and which things keep their own look or size. Pure."""

from __future__ import annotations

import colorsys
import random

from training.household.render.looks import Colour
from training.household.render.overrides import HUE_BOUND

# sRGB hue (degrees), saturation and value, each a range within what people call by the name.
_HSV: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "red": ((-5, 5), (0.82, 0.95), (0.62, 0.85)),
    "orange": ((23, 29), (0.9, 1.0), (0.88, 1.0)),
    "yellow": ((51, 59), (0.82, 0.98), (0.88, 1.0)),
    "green": ((100, 142), (0.65, 0.88), (0.55, 0.8)),
    "blue": ((210, 230), (0.7, 0.88), (0.7, 0.95)),
    "purple": ((264, 277), (0.5, 0.7), (0.7, 0.9)),
    "pink": ((314, 326), (0.52, 0.68), (0.88, 1.0)),
    "white": ((30, 60), (0.0, 0.03), (0.92, 0.97)),
    "black": ((0, 360), (0.0, 0.1), (0.06, 0.13)),
}
PAINTS = tuple(_HSV)
# White things look yellow in warm light and grey in the shade: no good to tell two apart by.
PAIR_PAINTS = tuple(name for name in PAINTS if name != "white")
# These keep their own material: paint would make metal, wood, glass or print look like plastic.
PAINT_BOUND = HUE_BOUND | {
    "chopping_board",
    "cocktail_glass",
    "doll",
    "drinking_glass",
    "fork",
    "glasses",
    "jigsaw",
    "keys",
    "kitchen_knife",
    "knife_block",
    "microwave",
    "mobile_phone",
    "moka_pot",
    "oil_cruets",
    "picture_frame",
    "playing_cards",
    "ring",
    "small_oven",
    "spoon",
    "sunglasses",
    "television",
    "tablet",
    "wardrobe",
    "washing_machine",
    "bed",
    "bookcase",
}  # fmt: skip
# These have one size in the world, or nearly so.
SIZE_BOUND = frozenset(
    {
        "basketball",
        "calendar",
        "coffee_machine",
        "cordless_phone",
        "desk_phone",
        "dvd_player",
        "fork",
        "game_console",
        "game_controller",
        "glasses",
        "keys",
        "laptop",
        "lipstick",
        "marker",
        "microwave",
        "mobile_phone",
        "moccasins",
        "money",
        "newspaper",
        "pencil",
        "playing_cards",
        "printer",
        "projector",
        "ring",
        "rubiks_cube",
        "ruler",
        "small_oven",
        "sneakers",
        "soccer_ball",
        "spoon",
        "stapler",
        "sunglasses",
        "table_tennis_bat",
        "tablet",
        "television",
        "tennis_racket",
        "toaster",
        "tv_remote",
        "womens_shoes",
    }
)
SCALE_LOW, SCALE_HIGH = 0.8, 1.25


def srgb_to_linear(value: float) -> float:
    """One channel in [0, 1], inverse sRGB transfer function (IEC 61966-2-1)."""
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def paint_colour(name: str, rng: random.Random) -> Colour:
    """A linear RGB colour that goes by the name.

    Raises:
        KeyError: not one of ``PAINTS``.
    """
    hue, saturation, value = (rng.uniform(*span) for span in _HSV[name])
    r, g, b = (srgb_to_linear(v) for v in colorsys.hsv_to_rgb(hue % 360 / 360, saturation, value))
    return r, g, b


def draw_scale(category: str, rng: random.Random) -> float:
    """A size multiplier: 0.8 to 1.25, for things of one size 0.96 to 1.04."""
    if category in SIZE_BOUND:
        return rng.uniform(0.96, 1.04)
    return rng.uniform(SCALE_LOW, SCALE_HIGH)
