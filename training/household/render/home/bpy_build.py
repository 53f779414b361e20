"""Builds a HomeReason scene in Blender, and measures what was built."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from training.household.render import bpy_scene
from training.household.render.arrangement import Placement
from training.household.render.bpy_materials import room_material
from training.household.render.bpy_models import ModelLibrary
from training.household.render.cameras import Box
from training.household.render.home import bpy_paint
from training.household.render.home.looks import HomeLook, Window
from training.household.render.home.paint import PAINT_BOUND, paint_colour
from training.household.render.home.placer import HomePlacement
from training.household.render.home.stand import HomeArrangement
from training.household.render.home.visible import surface_points
from training.household.render.looks import Colour, Style
from training.household.render.sampling import COUNTER

ANY_HUE = 0.15
FINISH_SHARE = 0.35
SPLASH_M = 0.55
FRAME_M = 0.05
CUBE = ((0, 3, 2, 1), (4, 5, 6, 7), (0, 1, 5, 4), (2, 3, 7, 6), (1, 2, 6, 5), (3, 0, 4, 7))


@dataclass(frozen=True, kw_only=True)
class Built:
    """One instance as it was built: its paint, exact world box, points on its surface (n, 3)."""

    placement: Placement
    paint: str
    box: Box
    points: NDArray[np.float64]


class Measures:
    """Vertices, surface points and paintability of the models, each computed once."""

    def __init__(self, library: ModelLibrary) -> None:
        self._library = library
        self._paintable: dict[str, bool] = {}
        self._points: dict[str, NDArray[np.float64]] = {}
        self._vertices: dict[str, NDArray[np.float64]] = {}

    def paintable(self, key: str) -> bool:
        """Whether a model can be painted; prepares it."""
        if key not in self._paintable:
            self._paintable[key] = bpy_paint.prepare_paint(self._library.get(key).mesh)
        return self._paintable[key]

    def of(self, key: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Vertices (v, 3) and surface points (n, 3) of a model, metres, in its own frame."""
        if key not in self._points:
            vertices, triangles = _triangles(self._library.get(key).mesh)
            self._vertices[key] = vertices
            self._points[key] = surface_points(vertices, triangles)
        return self._vertices[key], self._points[key]


def build_home(
    scene: HomeArrangement,
    look: HomeLook,
    library: ModelLibrary,
    measures: Measures,
    rng: random.Random,
) -> list[Built]:
    """Fills the emptied Blender scene; instance i of the result has object index i + 1.

    Raises:
        ValueError: more than 255 instances.
    """
    instances = scene.instances()
    if len(instances) > 255:
        raise ValueError(f"{len(instances)} instances do not fit 8-bit ids")
    bpy_scene.build_room(scene, look.room)
    for light in look.room.lights:
        bpy_scene.add_light(light)
    bpy_scene.set_world(look.room)
    if look.window is not None:
        _add_window(scene, look.window)
    if look.splash is not None and scene.kind == COUNTER:
        _add_splash(scene, look.splash)
    built = []
    for number, placement in enumerate(instances, start=1):
        if placement.model:
            built.append(_add(placement, number, library, measures, scene, rng))
        else:
            built.append(_add_shelf(scene, placement, number, look))
    return built


def _add(
    p: Placement,
    number: int,
    library: ModelLibrary,
    measures: Measures,
    scene: HomeArrangement,
    rng: random.Random,
) -> Built:
    chance = ANY_HUE if p in scene.small else ANY_HUE / 3
    if p.category in PAINT_BOUND:
        chance = 0.0
    tint = bpy_scene.tint_of(p.category, rng, any_hue=chance)
    name = p.paint if isinstance(p, HomePlacement) and measures.paintable(p.model) else ""
    obj = bpy_scene.add_thing(p, number, library, (1.0, 1.0, 1.0, 0.5) if name else tint)
    if name:
        bpy_paint.paint(obj, paint_colour(name, rng))
    if p.category not in PAINT_BOUND and rng.random() < FINISH_SHARE:
        bpy_paint.finish(obj, rng, metal=not name)
    vertices, points = measures.of(p.model)
    matrix = np.array(obj.matrix_world)
    corners = vertices @ matrix[:3, :3].T + matrix[:3, 3]
    return Built(
        placement=p,
        paint=name,
        box=_box(corners),
        points=points @ matrix[:3, :3].T + matrix[:3, 3],
    )


def _add_shelf(scene: HomeArrangement, p: Placement, number: int, look: HomeLook) -> Built:
    if scene.shelf is None:
        raise ValueError(f"{p.category} has no model and is no shelf")
    boxes = scene.shelf.boxes()
    boards, back = (boxes[:-1], boxes[-1:]) if scene.shelf.back else (boxes, [])
    obj = _boxes("shelf", [(boards, _material(look.shelf)), (back, _material(look.shelf_back))])
    obj.pass_index = number
    vertices, triangles = _triangles(obj.data)
    return Built(
        placement=p, paint="", box=_box(vertices), points=surface_points(vertices, triangles)
    )


def _add_window(scene: HomeArrangement, window: Window) -> None:
    """A lit picture of the outside in a white frame, on a wall."""
    w, h, f = window.width, window.height, FRAME_M
    sill = window.sill
    if scene.shelf is not None and window.wall == "back":
        return  # the shelf hides it
    half = [Box(low=(-w / 2, -0.004, a), high=(w / 2, 0.0, b))
            for a, b in ((sill, sill + 0.35 * h), (sill + 0.35 * h, sill + h))]  # fmt: skip
    bars = [
        Box(low=(x - f / 2, -0.03, sill - f / 2), high=(x + f / 2, 0.0, sill + h + f / 2))
        for x in (-w / 2, 0.0, w / 2)
    ]
    bars += [
        Box(low=(-w / 2, -0.03, z - f / 2), high=(w / 2, 0.0, z + f / 2)) for z in (sill, sill + h)
    ]
    white = Style(
        kind="plain", colour_a=(0.75, 0.75, 0.73), colour_b=(0.7, 0.7, 0.7), size=1.0,
        roughness=0.5, angle=0.0,
    )  # fmt: skip
    obj = _boxes(
        "window",
        [
            ([half[0]], _glow(window.land, window.strength)),
            ([half[1]], _glow(window.sky, window.strength)),
            (bars, _material(white)),
        ],
    )
    if window.wall == "back":
        x = scene.left + window.along * (scene.right - scene.left)
        obj.matrix_world = Matrix.Translation((x, scene.back - 0.002, 0))
    else:
        sign = 1 if window.wall == "left" else -1
        wall = scene.left if window.wall == "left" else scene.right
        y = scene.back - 0.6 - 1.6 * window.along
        turn = Matrix.Rotation(sign * np.pi / 2, 4, "Z")
        obj.matrix_world = Matrix.Translation((wall + sign * 0.002, y, 0)) @ turn


def _add_splash(scene: HomeArrangement, style: Style) -> None:
    """Tiles on the wall behind a counter that stands at it."""
    width, depth, height = scene.support.size
    if scene.back - depth / 2 > 0.12:
        return
    turn = Matrix.Rotation(np.pi / 2, 4, "X")
    place = Matrix.Translation((0, scene.back - 0.004, height + SPLASH_M / 2))
    bpy_scene.add_plane("splash", (width + 0.3, SPLASH_M), place @ turn, style)


def _material(style: Style) -> Any:
    return room_material(style, bpy_scene.ROOM_PREFIX + "home")


def _glow(colour: Colour, strength: float) -> Any:
    material = bpy.data.materials.new(bpy_scene.ROOM_PREFIX + "glow")
    material.use_nodes = True
    # It is looked at; the room has lights of its own, and lighting by it would be noisy.
    material.cycles.emission_sampling = "NONE"
    shader = next(n for n in material.node_tree.nodes if n.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (0, 0, 0, 1)
    shader.inputs["Emission Color"].default_value = (*colour, 1)
    shader.inputs["Emission Strength"].default_value = strength
    return material


def _boxes(name: str, parts: list[tuple[list[Box], Any]]) -> Any:
    """One object of boxes; each part has a material."""
    vertices: list[tuple[float, float, float]] = []
    faces: list[tuple[int, ...]] = []
    materials: list[int] = []
    mesh = bpy.data.meshes.new(bpy_scene.ROOM_PREFIX + name)
    for number, (boxes, material) in enumerate(parts):
        mesh.materials.append(material)
        for box in boxes:
            (x0, y0, z0), (x1, y1, z1) = box.low, box.high
            start = len(vertices)
            vertices += [(x0, y0, z0), (x1, y0, z0), (x1, y1, z0), (x0, y1, z0),
                         (x0, y0, z1), (x1, y0, z1), (x1, y1, z1), (x0, y1, z1)]  # fmt: skip
            faces += [tuple(start + k for k in face) for face in CUBE]
            materials += [number] * len(CUBE)
    mesh.from_pydata(vertices, [], faces)
    mesh.polygons.foreach_set("material_index", materials)
    obj = bpy.data.objects.new(bpy_scene.ROOM_PREFIX + name, mesh)
    bpy_scene.link(obj)
    return obj


def _triangles(mesh: Any) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    mesh.calc_loop_triangles()
    vertices = np.empty(len(mesh.vertices) * 3, dtype=np.float32)
    mesh.vertices.foreach_get("co", vertices)
    triangles = np.empty(len(mesh.loop_triangles) * 3, dtype=np.int32)
    mesh.loop_triangles.foreach_get("vertices", triangles)
    return vertices.reshape(-1, 3).astype(float), triangles.reshape(-1, 3).astype(np.int64)


def _box(points: NDArray[np.float64]) -> Box:
    low, high = (tuple(float(v) for v in f(points, axis=0)) for f in (np.min, np.max))
    return Box(low=low, high=high)  # type: ignore[arg-type]
