"""Loads catalogue models into Blender once, normalised, and measures their tops."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix, Vector
from mathutils.bvhtree import BVHTree

from training.household.assets import extract_model
from training.household.catalogue import ModelEntry
from training.household.render.bpy_materials import prepare_material
from training.household.render.overrides import Pose, pose_of
from training.household.render.surface import NoSurfaceError, Surface, surface_from_heights

LOG = logging.getLogger(__name__)
# OBJ (y up) to Blender (z up): (x, y, z) -> (x, -z, y).
Z_UP = Matrix(((1, 0, 0), (0, 0, -1), (0, 1, 0)))


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """A normalised mesh: base centred at the origin, metres; ``size`` is its box."""

    mesh: Any
    size: tuple[float, float, float]


class ModelLibrary:
    """Keeps every model loaded so far; a model is imported once a process."""

    def __init__(self, *, furniture: Path, cache: Path, catalogue: dict[str, ModelEntry]) -> None:
        self._furniture = furniture
        self._cache = cache
        self._catalogue = catalogue
        self._models: dict[str, LoadedModel] = {}
        self._surfaces: dict[str, Surface] = {}
        self._tops: dict[str, Surface | None] = {}

    def entry(self, key: str) -> ModelEntry:
        """The catalogue entry of a model."""
        return self._catalogue[key]

    def get(self, key: str) -> LoadedModel:
        """The model, imported where needed.

        Raises:
            ValueError: the OBJ has no faces.
        """
        if key not in self._models:
            entry = self._catalogue[key]
            path = extract_model(self._furniture, entry, self._cache)
            mesh = _import_obj(path, key)
            _normalise(mesh, entry, pose_of(key))
            for material in mesh.materials:
                prepare_material(material)
            size = _bounds(mesh)[1] - _bounds(mesh)[0]
            self._models[key] = LoadedModel(
                mesh=mesh, size=(float(size[0]), float(size[1]), float(size[2]))
            )
            LOG.debug("loaded %s (%s): %d faces", key, entry.name, len(mesh.polygons))
        return self._models[key]

    def surface(self, key: str, *, cell: float = 0.015) -> Surface:
        """The usable top of a model, found by casting rays down on it.

        Raises:
            NoSurfaceError: it has none.
        """
        if key not in self._surfaces:
            heights, x0, y0 = _cast_heights(self.get(key), cell)
            self._surfaces[key] = surface_from_heights(heights, x0=x0, y0=y0, cell=cell)
        return self._surfaces[key]

    def top(self, key: str, *, cell: float = 0.01) -> Surface | None:
        """The level area of a small thing such as a tray, 50 square centimetres at least."""
        if key not in self._tops:
            heights, x0, y0 = _cast_heights(self.get(key), cell)
            try:
                self._tops[key] = surface_from_heights(
                    heights, x0=x0, y0=y0, cell=cell, minimum_height=0.0, minimum_area=0.005
                )
            except NoSurfaceError:
                self._tops[key] = None
        return self._tops[key]


def _import_obj(path: Path, key: str) -> Any:
    before = set(bpy.data.objects)
    bpy.ops.wm.obj_import(
        filepath=str(path), forward_axis="Y", up_axis="Z", use_split_objects=False
    )
    new = [o for o in bpy.data.objects if o not in before]
    meshes = [o for o in new if o.type == "MESH" and len(o.data.polygons)]
    if not meshes:
        raise ValueError(f"model {key}: {path.name} has no faces")
    if len(meshes) > 1:
        with bpy.context.temp_override(
            active_object=meshes[0], object=meshes[0], selected_editable_objects=meshes,
            selected_objects=meshes,
        ):  # fmt: skip
            bpy.ops.object.join()
    mesh = meshes[0].data
    mesh.transform(meshes[0].matrix_world)
    mesh.name = key
    mesh.use_fake_user = True
    bpy.data.batch_remove([o for o in bpy.data.objects if o not in before])
    return mesh


def _bounds(mesh: Any) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    points = np.empty(len(mesh.vertices) * 3, dtype=np.float32)
    mesh.vertices.foreach_get("co", points)
    rows = points.reshape(-1, 3)
    return rows.min(axis=0), rows.max(axis=0)


def _normalise(mesh: Any, entry: ModelEntry, pose: Pose) -> None:
    r = entry.rotation
    rotation = Matrix((r[0:3], r[3:6], r[6:9]))
    mesh.transform((Z_UP @ rotation).to_4x4())
    low, high = _bounds(mesh)
    extent = np.maximum(high - low, 1e-6)
    factors = [s * pose.scale / e for s, e in zip(entry.size_m, extent, strict=True)]
    mesh.transform(Matrix.Diagonal((*factors, 1.0)))
    if pose.lie:
        axis, angle = ("X", -math.pi / 2) if pose.lie == "back" else ("Y", math.pi / 2)
        mesh.transform(Matrix.Rotation(angle, 4, axis))
    low, high = _bounds(mesh)
    middle = (low + high) / 2
    mesh.transform(Matrix.Translation((-middle[0], -middle[1], -low[2])))
    mesh.update()


def _cast_heights(model: LoadedModel, cell: float) -> tuple[np.ndarray[Any, Any], float, float]:
    """Heights (rows, columns) over the model in plan, NaN beside it; x0 and y0."""
    mesh = model.mesh
    vertices = [v.co for v in mesh.vertices]
    tree = BVHTree.FromPolygons(vertices, [tuple(p.vertices) for p in mesh.polygons])
    columns, rows = int(model.size[0] / cell), int(model.size[1] / cell)
    x0, y0 = -(columns - 1) / 2 * cell, -(rows - 1) / 2 * cell
    heights = np.full((rows, columns), np.nan)
    top = model.size[2] + 1
    for row in range(rows):
        for column in range(columns):
            hit = tree.ray_cast(
                Vector((x0 + column * cell, y0 + row * cell, top)), Vector((0, 0, -1))
            )
            if hit[0] is not None:
                heights[row, column] = hit[0].z
    return heights, x0, y0
