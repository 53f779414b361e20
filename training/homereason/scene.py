"""A frame as the questions see it: things with colour, place and size."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lisa_model.geometry import Intrinsics, back_project
from lisa_model.rgbd import RgbdFrame, load_frame
from training.homereason.colours import named, shares
from training.homereason.knowledge import COUNTER
from training.household.taxonomy import load_categories

# Pixels a target needs at 640 x 480: about 12 x 12, the least that a person can point at.
MIN_AREA = 150
REFERENCE_PIXELS = 640 * 480
# A thing at the border of the picture is asked for only if at least this share of the picture shows
# it: then it can be recognised although part of it is outside.
CUT_SHARE = 0.012
# Where the renderer says how much of the thing is in view: at least this share.
VISIBLE_SHARE = 0.4


@dataclass(frozen=True, kw_only=True)
class Thing:
    """One visible instance.

    Attributes:
        id: value in the id image.
        category, model: of the taxonomy.
        area: visible pixels at 640 x 480 (scaled where the frame is smaller or larger).
        box: x0, y0, x1, y1 as shares of the picture's width and height.
        point: middle of the visible surface, metres, camera optical frame; None without depth.
        size: extent along the world's axes (x, y, z up), metres; None where unknown.
        measured: ``size`` is that of the whole thing, not only of what is visible.
        floor_box: x0, y0, x1, y1 of the thing in plan, metres, world; None where unknown.
        scale: size multiplier of the model; None where unknown.
        support: category it stands on, ``floor`` or ``counter``; "" where unknown.
        support_id: instance it stands on; None where that is the room or unknown.
        clear: large enough and not mostly cut off, so that it may be asked for.
        whole: does not touch the border of the picture.
        colours: see :func:`training.homereason.colours.named`.
    """

    id: int
    category: str
    model: str = ""
    area: float
    box: tuple[float, float, float, float]
    point: tuple[float, float, float] | None = None
    size: tuple[float, float, float] | None = None
    measured: bool = False
    floor_box: tuple[float, float, float, float] | None = None
    scale: float | None = None
    support: str = ""
    support_id: int | None = None
    clear: bool = True
    whole: bool = True
    colours: Mapping[str, bool | None] = field(default_factory=dict)

    @property
    def role(self) -> str:
        """``small``, ``floor`` or ``support``."""
        return load_categories()[self.category].role


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A frame without its pixels.

    Attributes:
        name: of the frame.
        things: what is visible, in id order.
        present: categories of everything in the scene, also hidden or below the visible limit, and
            ``counter`` where there is one.
    """

    name: str
    things: tuple[Thing, ...]
    present: frozenset[str]

    @property
    def visible(self) -> frozenset[str]:
        """Categories in view, and ``counter`` where there is one."""
        counter = {COUNTER} & self.present
        return frozenset({thing.category for thing in self.things} | counter)

    def of(self, *categories: str) -> list[Thing]:
        """Visible things of these categories."""
        return [thing for thing in self.things if thing.category in categories]


def read_scene(path: Path) -> Scene:
    """Read a frame (any of its files) with colours and sizes.

    Raises:
        FileNotFoundError, ValueError: a file is missing or malformed, named in the message.
    """
    frame = load_frame(path)
    return scene_of(frame.meta, frame)


def scene_of(meta: Mapping[str, Any], frame: RgbdFrame | None = None) -> Scene:
    """A scene from the frame's JSON and, for colours and sizes, its pixels.

    Args:
        meta: the frame's JSON.
        frame: the same frame with its images; without it colours and sizes stay unknown.

    Raises:
        ValueError: a category is not in the taxonomy.
    """
    width, height = int(meta["width"]), int(meta["height"])
    facts = {int(item["id"]): item for item in meta["instances"]}
    for item in (*facts.values(), *meta.get("hidden", ())):
        if item["category"] not in load_categories():
            raise ValueError(f"{meta['name']}: there is no category {item['category']!r}")
    points = None
    if frame is not None:
        points = _world_points(frame)
    things = tuple(
        _thing(item, width, height, meta, frame, points)
        for _, item in sorted(facts.items())
        if item.get("box_xyxy") and int(item["area"]) > 0
    )
    present = {str(item["category"]) for item in facts.values()}
    present |= {str(item["category"]) for item in meta.get("hidden", ())}
    present |= {_by_model()[one] for one in meta.get("models", ()) if one in _by_model()}
    if any(item.get("support") == COUNTER for item in facts.values()):
        present.add(COUNTER)
    return Scene(name=str(meta["name"]), things=things, present=frozenset(present))


@cache
def _by_model() -> dict[str, str]:
    return {model: one.id for one in load_categories().values() for model in one.models}


def _thing(
    item: Mapping[str, Any],
    width: int,
    height: int,
    meta: Mapping[str, Any],
    frame: RgbdFrame | None,
    points: NDArray[np.float64] | None,
) -> Thing:
    x0, y0, x1, y1 = item["box_xyxy"]
    area = int(item["area"]) * REFERENCE_PIXELS / (width * height)
    whole = x0 > 0 and y0 > 0 and x1 < width and y1 < height
    share = item.get("visible_share")
    if share is not None:
        clear = area >= MIN_AREA and float(share) >= VISIBLE_SHARE
    else:
        sides = sum((x0 <= 0, y0 <= 0, x1 >= width, y1 >= height))
        enough = whole or (sides == 1 and area >= CUT_SHARE * REFERENCE_PIXELS)
        clear = area >= MIN_AREA and enough
    point = item.get("point_m")
    world = item.get("world_box")
    size: tuple[float, float, float] | None = None
    floor_box: tuple[float, float, float, float] | None = None
    if world is not None:
        low, high = ([float(v) for v in corner] for corner in world)
        size = (high[0] - low[0], high[1] - low[1], high[2] - low[2])
        floor_box = (low[0], low[1], high[0], high[1])
    colours: Mapping[str, bool | None] = {}
    if frame is not None:
        mask = frame.ids == int(item["id"])
        if mask.any():
            # The edge mixes with the background.
            inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
            painted = item.get("colour_name")
            found = shares(frame.color[inner if inner.sum() >= 30 else mask])
            colours = named(found, str(painted) if painted else None)
            if size is None and points is not None:
                size = _visible_size(points[mask & (frame.depth > 0)])
    return Thing(
        id=int(item["id"]),
        category=str(item["category"]),
        model=str(item.get("model", "")),
        area=area,
        box=(x0 / width, y0 / height, x1 / width, y1 / height),
        point=tuple(float(v) for v in point) if point else None,  # type: ignore[arg-type]
        size=size,
        measured=world is not None,
        floor_box=floor_box,
        scale=float(item["scale"]) if "scale" in item else None,
        support=str(item.get("support", "")),
        support_id=item.get("support_id"),
        clear=clear,
        whole=whole,
        colours=colours,
    )


def _world_points(frame: RgbdFrame) -> NDArray[np.float64]:
    pose = np.asarray(frame.meta["camera"]["world_from_optical"], dtype=np.float64)
    k: Intrinsics = frame.intrinsics
    points = back_project(frame.depth, k)
    return points @ pose[:3, :3].T + pose[:3, 3]


def _visible_size(points: NDArray[np.float64]) -> tuple[float, float, float] | None:
    if len(points) < 20:
        return None
    low, high = np.percentile(points, (2.0, 98.0), axis=0)
    x, y, z = (float(v) for v in high - low)
    return x, y, z


def read_json(path: Path) -> dict[str, Any]:
    """The frame's JSON."""
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return values
