"""Renders sequences in Blender: one scene, many cameras; resumable. Needs bpy."""

from __future__ import annotations

import logging
import math
import random
import time
from pathlib import Path
from typing import Any

import numpy as np

from training.household.categories import read_categories
from training.household.render import bpy_render, bpy_scene
from training.household.render.annotate import depth_to_millimetres, drop_small
from training.household.render.arrangement import Arrangement
from training.household.render.bpy_models import ModelLibrary
from training.household.render.camera_path import Key, between, pose_of
from training.household.render.cameras import Array, pinhole, segment_hits_box
from training.household.render.demo import DEMOS
from training.household.render.develop import Development, develop
from training.household.render.frame_io import frame_done, write_frame
from training.household.render.looks import sample_look
from training.household.render.runner import (
    ANY_HUE,
    arrange_scene,
    development_of,
    frame_meta,
)
from training.household.render.sampling import SceneSpec
from training.household.render.sequences import (
    FOV_DEGREES,
    FRAMES_PER_SECOND,
    Sequence,
    sequence_scene,
)

LOG = logging.getLogger(__name__)
CLEAR_M = 0.05


def render_sequence(
    name: str,
    sequence: Sequence,
    library: ModelLibrary,
    *,
    out: Path,
    threads: int,
    scratch: Path,
    step: int = 1,
) -> int:
    """Render the frames of a sequence that are not there yet; returns how many were.

    Args:
        name: folder of the sequence in ``out``.
        sequence: see :mod:`training.household.render.sequences`.
        library: the models.
        out: frames go to ``out/name/PATH_NUMBER.*``.
        threads: of the renderer.
        scratch: folder for temporary files.
        step: every how many frames (more than 1 for a look at a path).

    Raises:
        ValueError: the target found no place, or a camera is inside a thing.
    """
    spec = sequence_scene(sequence, read_categories())
    rng = random.Random(spec.seed)
    arrangement = arrange_scene(spec, library, rng)
    target, centre = _target(sequence, arrangement)
    poses = {
        f"{path}_{frame:03d}": (frame, pose)
        for path, keys in sequence.paths.items()
        for frame, pose in enumerate(_poses(path, keys, centre, arrangement))
        if frame % step == 0
    }
    folder = out / name
    todo = {frame: item for frame, item in poses.items() if not frame_done(folder, frame)}
    LOG.info("%s: %d of %d frames to render", name, len(todo), len(poses))
    if not todo:
        return 0
    look = sample_look(rng, focus_height=arrangement.focus[2])
    bpy_scene.clear_scene()
    any_hue = 0.0 if spec.name in DEMOS else ANY_HUE
    placements = bpy_scene.build_scene(arrangement, look, library, rng, any_hue=any_hue)
    bpy_render.configure(
        width=spec.width, height=spec.height, samples=spec.samples, threads=threads, seed=spec.seed
    )
    development = development_of(spec, random.Random(spec.seed * 1000))
    facts = {
        "sequence": name,
        "intent": sequence.intent,
        "target": target,
        "questions": [{"intent": sequence.intent, "kind": sequence.kind, "instances": [target]}],
    }
    started = time.monotonic()
    for number, (frame, (index, pose)) in enumerate(todo.items(), start=1):
        planes, meta = _render(spec, frame, index, pose, development, scratch)
        picture, depth_mm, ids = planes
        meta = frame_meta(
            spec, frame, frame[:-4], (ids, depth_mm), (pose, meta), placements, library
        )
        meta |= {"time_s": round(index / FRAMES_PER_SECOND, 4), **facts}
        write_frame(folder, frame, color=picture, depth_mm=depth_mm, ids=ids, meta=meta)
        each = (time.monotonic() - started) / number
        LOG.info(
            "%s/%s: %.1f s a frame, %.0f min left", name, frame, each,
            each * (len(todo) - number) / 60,
        )  # fmt: skip
    return len(todo)


def _target(sequence: Sequence, arrangement: Arrangement) -> tuple[int, Array]:
    """Instance id and centre (3,) of the target."""
    for number, placement in enumerate(arrangement.instances(), start=1):
        if placement.category == sequence.target:
            return number, placement.box().centre()
    raise ValueError(f"{sequence.scene}: {sequence.target} found no place")


def _poses(
    path: str, keys: tuple[Key, ...], target: Array, arrangement: Arrangement
) -> list[Array]:
    poses = []
    for frame in range(keys[-1].frame + 1):
        pose = pose_of(between(keys, frame), target)
        if _inside(pose[:3, 3], arrangement):
            raise ValueError(f"{path}: the camera of frame {frame} is in a wall or a thing")
        poses.append(pose)
    return poses


def _inside(position: Array, scene: Arrangement) -> bool:
    """Is a camera in a wall or a thing, or nearly so? (A thing in its view is no harm.)"""
    if not scene.left + CLEAR_M < position[0] < scene.right - CLEAR_M:
        return True
    things = (*scene.small, *scene.floor, scene.support)
    return bool(position[1] > scene.back - CLEAR_M) or any(
        segment_hits_box(position, position, thing.box(), margin=CLEAR_M) for thing in things
    )


def _render(
    spec: SceneSpec, frame: str, index: int, pose: Array, development: Development, scratch: Path
) -> tuple[tuple[Any, Any, Any], Any]:
    """Picture, depth (mm) and ids of one camera; and the camera."""
    camera = pinhole(spec.width, spec.height, FOV_DEGREES)
    obj = bpy_scene.add_camera(pose, math.radians(FOV_DEGREES))
    colour, depth, ids = bpy_render.render_passes(scratch / f"{frame}.exr")
    bpy_scene.remove_camera(obj)
    noise = np.random.default_rng(spec.seed * 1000 + index)
    picture = develop(colour, development, noise)
    return (picture, depth_to_millimetres(depth), drop_small(ids)), camera
