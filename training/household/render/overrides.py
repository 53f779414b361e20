"""Hand-made corrections of catalogue entries: odd sizes, poses, where a thing may stand."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Pose:
    """``scale`` multiplies the catalogue size; ``lie`` tips the model over.

    ``lie``: "" as catalogued; "back" turns by 90 degrees about x (what was up points to the
    back, the former depth is the new height); "side" by 90 degrees about y (what was up points
    to the right, the former width is the new height).
    """

    scale: float = 1.0
    lie: str = ""


NEUTRAL = Pose()

# Catalogue sizes that are far from the real thing were found by listing all of them.
MODEL_POSES: dict[str, Pose] = {
    "SC350": Pose(scale=0.35),  # pliers, 60 cm
    "KL25": Pose(scale=0.5),  # bowls, 40-45 cm
    "SC13": Pose(scale=0.55),
    "SC266": Pose(scale=0.7),  # angle grinder, 51 cm
    "SC257": Pose(scale=0.8),
    "SC264": Pose(scale=0.9),
    "BY49": Pose(scale=1.3),  # mobile phones of 2010 to today's size
    "B070": Pose(scale=1.2),
    "SC102": Pose(scale=0.65),  # coffee machine, 58 cm
    "SC342": Pose(scale=0.8),
    "B028": Pose(scale=0.65),  # oven, 60 cm
    "SC17": Pose(scale=0.7),  # kitchen tools, 45 cm
    "SC18": Pose(scale=0.7),
    "SC19": Pose(scale=0.7),
    "SC20": Pose(scale=0.7),
    "BY110": Pose(scale=0.7),
    "SC392": Pose(scale=0.65),  # steak, 32 cm
    "SC355": Pose(scale=0.85),
    "KL32": Pose(scale=0.7),
    "SC41": Pose(scale=0.8),
    "SC42": Pose(scale=0.75),
    "SC43": Pose(scale=0.65),
    "SC44": Pose(scale=0.7),
    "SC192": Pose(scale=0.75),
    "BY108": Pose(scale=0.8),
    "SC100": Pose(scale=0.75),
    "BY109": Pose(scale=0.75),
    "B0124": Pose(scale=0.75),
    "B043": Pose(scale=0.7),
    "B044": Pose(scale=0.6),
    "BY73": Pose(scale=0.7),
    "BY103": Pose(scale=0.7),
    "SC174": Pose(scale=0.6),
    "SC138": Pose(scale=0.9),
    "SC209": Pose(scale=0.7),
    "SC358": Pose(scale=0.6),
    "BY9": Pose(scale=0.85),
    "BY83": Pose(scale=0.85),
    "B0135": Pose(scale=0.8),
    "BY25": Pose(scale=1.1),
    "SC255": Pose(scale=1.2),  # finger ring
    "BY115": Pose(scale=0.85),
    "B080": Pose(lie="back"),  # folded umbrella lies
}

# Models that do not show what their category says (found by looking at all of them).
EXCLUDED_MODELS = frozenset(
    {
        "SC16",  # "sushi tray" is an empty tray
        "B083",  # "number lock" is a wall keypad
        "B020",  # knives on a wall rail
        "SC38",  # "round" table that is square
    }
)
# Floor things that stand with their back to a wall.
AGAINST_WALL = frozenset(
    {"bookcase", "wardrobe", "fridge", "piano", "washing_machine", "bed", "broom", "water_cooler"}
)
# Floor-role things that stand on furniture instead.
ON_SUPPORT = frozenset({"television"})
# Small things that may as well lie on the floor.
SMALL_ON_FLOOR = (
    "basketball",
    "soccer_ball",
    "sneakers",
    "slippers",
    "moccasins",
    "backpack",
    "cardboard_box",
    "briefcase",
    "toy_car",
    "teddy_bear",
    "helmet",
    "gift",
)
# Things whose hue belongs to them: only brightness and a slight tint vary.
HUE_BOUND = frozenset(
    {
        "fruit_bowl",
        "apples",
        "salad",
        "milk",
        "bread",
        "butter",
        "hamburger",
        "hot_dog",
        "french_fries",
        "birthday_cake",
        "cupcake",
        "steak",
        "roast_chicken",
        "sushi",
        "cactus",
        "succulent",
        "bonsai",
        "flowers",
        "orchid",
        "money",
        "basketball",
        "soccer_ball",
        "rubiks_cube",
        "potted_plant",
        "cat",
        "dog",
        "newspaper",
        "cardboard_box",
        "piano",
        "chessboard",
        "wine_bottle",
        "beer_bottle",
        "teddy_bear",
        "fire_extinguisher",
    }
)


def pose_of(model: str) -> Pose:
    """The correction of a model (neutral where none is listed)."""
    return MODEL_POSES.get(model, NEUTRAL)
