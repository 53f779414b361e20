"""Builds a scene in Blender: room, lights, furniture and things."""

from __future__ import annotations

import random
from typing import Any

import bpy
from mathutils import Euler, Matrix, Vector

from training.household.render.arrangement import Arrangement, Placement
from training.household.render.bpy_materials import room_material
from training.household.render.bpy_models import ModelLibrary
from training.household.render.looks import Light, Look, Style
from training.household.render.overrides import HUE_BOUND
from training.household.render.sampling import COUNTER

ROOM_PREFIX = "room_"
WALL_HEIGHT = 2.7
Tint = tuple[float, float, float, float]


def clear_scene() -> None:
    """Removes all objects and everything made for one scene; loaded models stay."""
    data = bpy.data
    ours = [b for b in (*data.meshes, *data.materials) if b.name.startswith(ROOM_PREFIX)]
    # All at once: each single removal looks through everything that is loaded.
    data.batch_remove([*data.objects, *ours, *data.lights, *data.cameras])


def build_scene(
    scene: Arrangement, look: Look, library: ModelLibrary, rng: random.Random, *, any_hue: float
) -> list[Placement]:
    """Fills the emptied Blender scene; instance i of the result has object index i + 1.

    ``any_hue`` is the chance that a small thing gets a hue of any kind (furniture: a third of
    it, since green wood is rare).

    Raises:
        ValueError: more than 255 instances.
    """
    build_room(scene, look)
    for light in look.lights:
        add_light(light)
    set_world(look)
    instances = scene.instances()
    if len(instances) > 255:
        raise ValueError(f"{len(instances)} instances do not fit 8-bit ids")
    for number, placement in enumerate(instances, start=1):
        chance = any_hue if placement in scene.small else any_hue / 3
        add_thing(placement, number, library, tint_of(placement.category, rng, any_hue=chance))
    return instances


def add_camera(pose: Any, fov_radians: float) -> Any:
    """Sets the scene's camera from a world_from_optical pose (4, 4)."""
    data = bpy.data.cameras.new("camera")
    data.sensor_fit = "HORIZONTAL"
    data.angle = fov_radians
    data.clip_start, data.clip_end = 0.02, 100.0
    obj = bpy.data.objects.new("camera", data)
    # Blender cameras look along -z with y up; the optical frame has z forward, y down.
    obj.matrix_world = Matrix(pose.tolist()) @ Matrix.Diagonal((1, -1, -1, 1))
    bpy.context.scene.collection.objects.link(obj)
    bpy.context.scene.camera = obj
    return obj


def link(obj: Any) -> None:
    """Puts an object into the scene."""
    bpy.context.scene.collection.objects.link(obj)


def add_thing(p: Placement, number: int, library: ModelLibrary, tint: Tint) -> Any:
    """Adds a thing with index ``number``; returns the object."""
    obj = bpy.data.objects.new(f"thing_{number}", library.get(p.model).mesh)
    obj.matrix_world = (
        Matrix.Translation((p.x, p.y, p.z))
        @ Matrix.Rotation(p.yaw, 4, "Z")
        @ Matrix.Scale(p.scale, 4)
    )
    obj.pass_index = number
    obj.color = tint
    link(obj)
    return obj


def tint_of(category: str, rng: random.Random, *, any_hue: float) -> Tint:
    """Brightness and slight tint (RGB factors) and hue (0.5: unchanged) of a thing."""
    brightness = rng.uniform(0.75, 1.1)
    tint = [brightness * rng.uniform(0.94, 1.04) for _ in range(3)]
    hue = 0.5
    if category not in HUE_BOUND:
        draw = rng.random()
        if draw < any_hue:
            hue += rng.uniform(-0.5, 0.5)
        elif draw < 0.7:
            hue += rng.uniform(-0.05, 0.05)
    return (tint[0], tint[1], tint[2], min(max(hue, 0.0), 1.0))


def add_plane(name: str, size: tuple[float, float], matrix: Any, style: Style) -> None:
    """Adds a rectangle (metres) of the room, turned and moved by ``matrix``."""
    w, h = size[0] / 2, size[1] / 2
    mesh = bpy.data.meshes.new(ROOM_PREFIX + name)
    mesh.from_pydata([(-w, -h, 0), (w, -h, 0), (w, h, 0), (-w, h, 0)], [], [(0, 1, 2, 3)])
    mesh.materials.append(room_material(style, ROOM_PREFIX + name))
    obj = bpy.data.objects.new(ROOM_PREFIX + name, mesh)
    obj.matrix_world = matrix
    link(obj)


def build_room(scene: Arrangement, look: Look) -> None:
    """Floor, three walls, rug, and the counter where that is the support."""
    turn = Euler((1.5708, 0, 0)).to_matrix().to_4x4()
    side = Euler((1.5708, 0, 1.5708)).to_matrix().to_4x4()
    half = WALL_HEIGHT / 2
    add_plane("floor", (16, 16), Matrix.Translation((0, 0, 0)), look.floor)
    width = scene.right - scene.left
    middle = (scene.right + scene.left) / 2
    add_plane(
        "back", (width, WALL_HEIGHT), Matrix.Translation((middle, scene.back, half)) @ turn,
        look.walls[0],
    )  # fmt: skip
    length = 7.0
    for name, x, style in (
        ("left", scene.left, look.walls[1]),
        ("right", scene.right, look.walls[2]),
    ):
        matrix = Matrix.Translation((x, scene.back - length / 2, half)) @ side
        add_plane(name, (length, WALL_HEIGHT), matrix, style)
    if look.rug:
        add_plane("rug", (2.6, 1.9), Matrix.Translation((0.1, -0.3, 0.0004)), look.rug)
    if scene.support.category == COUNTER:
        w, d, h = scene.support.size
        add_plane("top", (w, d), Matrix.Translation((0, 0, h)), look.top)
        edge = 0.04
        add_plane("edge", (w, edge), Matrix.Translation((0, -d / 2, h - edge / 2)) @ turn, look.top)
        for name, x in (("side_l", -w / 2), ("side_r", w / 2)):
            add_plane(name, (d, h), Matrix.Translation((x, 0, h / 2)) @ side, look.body)
        front = Matrix.Translation((0, -d / 2 + 0.02, (h - edge) / 2)) @ turn
        add_plane("front", (w, h - edge), front, look.body)


def add_light(light: Light) -> None:
    """Adds a light that cameras do not see."""
    kinds = {"area": "AREA", "sun": "SUN", "point": "POINT"}
    data = bpy.data.lights.new("light", kinds[light.kind])
    data.energy, data.color = light.power, light.colour
    if light.kind == "area":
        data.shape, data.size = "SQUARE", light.size
    elif light.kind == "sun":
        data.angle = light.size
    else:
        data.shadow_soft_size = light.size
    obj = bpy.data.objects.new("light", data)
    direction = Vector(light.target) - Vector(light.position)
    obj.matrix_world = (
        Matrix.Translation(light.position) @ direction.to_track_quat("-Z", "Y").to_matrix().to_4x4()
    )
    obj.visible_camera = False
    link(obj)


def set_world(look: Look) -> None:
    """The even light from all sides."""
    world = bpy.context.scene.world
    world.use_nodes = True
    background = next(n for n in world.node_tree.nodes if n.type == "BACKGROUND")
    background.inputs["Color"].default_value = (*look.ambient_colour, 1.0)
    background.inputs["Strength"].default_value = look.ambient
    world.light_settings.distance = 1.5


def remove_camera(obj: Any) -> None:
    """Removes a camera made by :func:`add_camera`."""
    bpy.data.batch_remove([obj, obj.data])
