"""Is one thing left of, in front of, nearest to ... another? True, False, or None: too close.

Boxes are shares of the picture, points metres in the camera optical frame (z forward). A relation
counts as proved only with the margins below; a question is asked only where the wanted thing is
proved True and every rival proved False.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from training.homereason.scene import Thing
from training.household.taxonomy import load_categories

# Middles this far apart, as a share of the picture's width: less is not clearly left or right.
SIDE_GAP = 0.05
# A thing left of another may reach this share of the narrower one's width under it.
SIDE_OVERLAP = 0.2
# Depths apart by this much (metres, and share of the nearer one): the visible surfaces' middles of
# things of 10 cm shift by a few centimetres with the view.
DEPTH_GAP_M = 0.12
DEPTH_GAP_SHARE = 0.12
# "In front of" also means: in the same direction. Share of the narrower box that must overlap.
ALIGNED = 0.4
# Nearest and farthest: the second must be this many times as far, and this much (metres) farther.
NEAREST_RATIO = 1.5
FARTHEST_RATIO = 1.3
DISTANCE_GAP_M = 0.1
# Next to: gaps between the surfaces, metres.
BESIDE_M = 0.12
NOT_BESIDE_M = 0.35
# Between: how near the line in the picture (share of its length), and where along it.
BETWEEN_OFF = 0.2
BETWEEN_NOT_OFF = 0.55
BETWEEN_FROM, BETWEEN_TO = 0.25, 0.75
BETWEEN_DEPTH_M = 0.3
# Sizes: ratio of the true sizes, and of those that are only seen in part or guessed from one side.
SIZE_RATIO = 1.35
SIZE_RATIO_SEEN = 1.8
# The same of two things of one model, which differ by nothing else.
SCALE_RATIO = 1.25
# Under: share of the lower thing's plan that lies within the upper one's.
UNDER_SHARE = 0.5

Relation = Callable[[Thing, Thing], bool | None]


def left_of(a: Thing, b: Thing) -> bool | None:
    """Is ``a`` left of ``b`` in the picture?"""
    gap = _middle(b)[0] - _middle(a)[0]
    if gap <= -SIDE_GAP:
        return False
    if gap >= SIDE_GAP and a.box[2] - b.box[0] <= SIDE_OVERLAP * min(_width(a), _width(b)):
        return True
    return None


def right_of(a: Thing, b: Thing) -> bool | None:
    """Is ``a`` right of ``b`` in the picture?"""
    return left_of(b, a)


def closer(a: Thing, b: Thing) -> bool | None:
    """Is ``a`` closer to the camera than ``b``, along the optical axis?"""
    if a.point is None or b.point is None:
        return None
    near, far = a.point[2], b.point[2]
    margin = max(DEPTH_GAP_M, DEPTH_GAP_SHARE * min(near, far))
    if far - near >= margin:
        return True
    return False if near - far >= margin else None


def further(a: Thing, b: Thing) -> bool | None:
    """Is ``a`` further from the camera than ``b``?"""
    return closer(b, a)


def in_front_of(a: Thing, b: Thing) -> bool | None:
    """Is ``a`` between the camera and ``b``: closer, and in the same direction?"""
    near = closer(a, b)
    if near is not True:
        return near
    share = _side_overlap(a, b)
    if share >= ALIGNED:
        return True
    return False if share <= 0.0 else None


def behind(a: Thing, b: Thing) -> bool | None:
    """Is ``a`` further away than ``b``, in the same direction?"""
    return in_front_of(b, a)


def next_to(a: Thing, b: Thing) -> bool | None:
    """Is ``a`` right beside ``b``, on the same support?"""
    gap = surface_gap(a, b)
    if gap is None:
        return None
    if a.support != b.support or a.support_id != b.support_id:
        return False if gap >= NOT_BESIDE_M else None
    if gap <= BESIDE_M:
        return True
    return False if gap >= NOT_BESIDE_M else None


def on(a: Thing, b: Thing) -> bool | None:
    """Does ``a`` stand on ``b``? Known from how the scene was built."""
    if a.support_id == b.id:
        return True
    if stacked(a):
        return None  # what stands on a tray on the table may be said to stand on the table
    if a.support_id is not None:
        return False
    if not a.support:
        return None
    return a.support == b.category


def stacked(thing: Thing) -> bool:
    """Does it stand on another small thing, such as a tray?"""
    category = load_categories().get(thing.support)
    return category is not None and category.role == "small"


def under(a: Thing, b: Thing) -> bool | None:
    """Is ``a`` on the floor below ``b``, a table? From the plan; None where that is unknown."""
    if a.support != "floor":
        return False
    if a.floor_box is None or b.floor_box is None:
        return None
    share = _plan_overlap(a.floor_box, b.floor_box)
    if share >= UNDER_SHARE:
        return True
    return False if share <= 0.02 else None


def between(a: Thing, b: Thing, c: Thing) -> bool | None:
    """Is ``a`` between ``b`` and ``c``, in the picture and not far before or behind them?"""
    (ax, ay), (bx, by), (cx, cy) = _middle(a), _middle(b), _middle(c)
    dx, dy = cx - bx, cy - by
    length = math.hypot(dx, dy)
    if length < 4 * SIDE_GAP:
        return None
    along = ((ax - bx) * dx + (ay - by) * dy) / length**2
    off = abs((ax - bx) * dy - (ay - by) * dx) / length**2
    if along <= 0.0 or along >= 1.0 or off >= BETWEEN_NOT_OFF:
        return False
    if a.point is None or b.point is None or c.point is None:
        return None
    expected = b.point[2] + along * (c.point[2] - b.point[2])
    level = abs(a.point[2] - expected) <= BETWEEN_DEPTH_M
    if BETWEEN_FROM <= along <= BETWEEN_TO and off <= BETWEEN_OFF and level:
        return True
    return None


def larger(a: Thing, b: Thing) -> bool | None:
    """Is ``a`` the larger thing in the world (not in the picture): longer, and of more volume?

    Of two things of one model the size multipliers tell, whatever way the things are turned.
    """
    if a.model and a.model == b.model and a.scale is not None and b.scale is not None:
        if a.scale >= SCALE_RATIO * b.scale:
            return True
        return False if b.scale >= SCALE_RATIO * a.scale else None
    if a.size is None or b.size is None:
        return None
    verdicts = {_ratio(measure(a.size), measure(b.size), a, b) for measure in (max, _mean_edge)}
    return verdicts.pop() if len(verdicts) == 1 else None


def smaller(a: Thing, b: Thing) -> bool | None:
    """Is ``a`` the smaller thing in the world?"""
    return larger(b, a)


def taller(a: Thing, b: Thing) -> bool | None:
    """Is ``a`` higher from foot to top? Only for things that stand on the same support."""
    if a.size is None or b.size is None or a.support != b.support:
        return None
    return _ratio(a.size[2], b.size[2], a, b)


def nearest(anchor: Thing, things: Sequence[Thing]) -> Thing | None:
    """The thing clearly nearest to ``anchor``, both by middles and by surfaces; None if none is."""
    if len(things) < 2:
        return None
    best: Thing | None = None
    for measure in (middle_distance, surface_gap):
        ranked = _ranked(anchor, things, measure)
        if ranked is None:
            return None
        (first, winner), (second, _) = ranked[:2]
        if second < NEAREST_RATIO * first or second - first < DISTANCE_GAP_M:
            return None
        if best is not None and winner.id != best.id:
            return None
        best = winner
    return best


def farthest(anchor: Thing, things: Sequence[Thing]) -> Thing | None:
    """The thing clearly farthest from ``anchor``, by middles and by surfaces; None if none is."""
    if len(things) < 2:
        return None
    best: Thing | None = None
    for measure in (middle_distance, surface_gap):
        ranked = _ranked(anchor, things, measure)
        if ranked is None:
            return None
        (second, _), (first, winner) = ranked[-2:]
        if first < FARTHEST_RATIO * second or first - second < DISTANCE_GAP_M:
            return None
        if best is not None and winner.id != best.id:
            return None
        best = winner
    return best


def extreme(things: Sequence[Thing], relation: Relation) -> Thing | None:
    """The thing that stands in ``relation`` to every other one; None if none does."""
    if len(things) < 2:
        return None
    for one in things:
        if all(relation(one, other) is True for other in things if other.id != one.id):
            return one
    return None


def middle_distance(a: Thing, b: Thing) -> float | None:
    """Metres between the middles of the visible surfaces."""
    if a.point is None or b.point is None:
        return None
    return math.dist(a.point, b.point)


def surface_gap(a: Thing, b: Thing) -> float | None:
    """Metres between the surfaces, taking half the horizontal extent off each side; at least 0."""
    distance = middle_distance(a, b)
    if distance is None or a.size is None or b.size is None:
        return None
    return max(0.0, distance - (max(a.size[:2]) + max(b.size[:2])) / 2)


def _ranked(
    anchor: Thing, things: Sequence[Thing], measure: Callable[[Thing, Thing], float | None]
) -> list[tuple[float, Thing]] | None:
    out = []
    for thing in things:
        value = measure(anchor, thing)
        if value is None:
            return None
        out.append((value, thing))
    return sorted(out, key=lambda pair: (pair[0], pair[1].id))


def _ratio(first: float, second: float, a: Thing, b: Thing) -> bool | None:
    # What leaves the picture, or was only measured where it is visible, may be larger.
    if not (a.measured and b.measured) and not (a.whole and b.whole):
        return None
    needed = SIZE_RATIO if a.measured and b.measured else SIZE_RATIO_SEEN
    if first >= needed * second:
        return True
    return False if second >= needed * first else None


def _mean_edge(size: tuple[float, float, float]) -> float:
    # Edge of the cube of the same volume; flat things are counted as 1 cm thick.
    return math.prod(max(edge, 0.01) for edge in size) ** (1 / 3)


def _middle(thing: Thing) -> tuple[float, float]:
    x0, y0, x1, y1 = thing.box
    return (x0 + x1) / 2, (y0 + y1) / 2


def _width(thing: Thing) -> float:
    return thing.box[2] - thing.box[0]


def _side_overlap(a: Thing, b: Thing) -> float:
    shared = min(a.box[2], b.box[2]) - max(a.box[0], b.box[0])
    return shared / max(1e-9, min(_width(a), _width(b)))


def _plan_overlap(
    a: tuple[float, float, float, float], b: tuple[float, float, float, float]
) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    depth = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or depth <= 0:
        return 0.0
    return width * depth / max(1e-9, (a[2] - a[0]) * (a[3] - a[1]))
