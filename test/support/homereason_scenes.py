"""Small hand-made scenes for the tests of HomeReason."""

from training.homereason.colours import NAMES
from training.homereason.scene import Scene, Thing


def thing(number, category, x=0.5, *, width=0.1, z=1.0, y=0.5, colour=None, size=0.1, **more):
    """A thing with its middle at share ``x`` of the width, ``z`` metres away."""
    box = (x - width / 2, y - 0.05, x + width / 2, y + 0.05)
    values = {
        "area": 2000.0,
        "box": box,
        "point": ((x - 0.5) * z, (y - 0.5) * z, z),
        "size": (size, size, size),
        "measured": True,
        "support": "dining_table",
        "colours": {name: name == colour for name in NAMES} if colour else {},
    }
    return Thing(id=number, category=category, **(values | more))


def scene(*things, hidden=(), name="frame"):
    """A scene of these things and hidden categories."""
    present = {one.category for one in things} | set(hidden)
    return Scene(name=name, things=tuple(things), present=frozenset(present))
