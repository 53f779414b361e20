"""Works through a plan in Blender: resumable, logs speed and time left. Needs bpy."""

from __future__ import annotations

import logging
import math
import os
import random
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.household.render import bpy_render, bpy_scene
from training.household.render.annotate import (
    depth_to_millimetres,
    describe_instances,
    drop_small,
)
from training.household.render.arrangement import Arrangement, Placement, arrange
from training.household.render.bpy_models import ModelLibrary
from training.household.render.cameras import Pinhole
from training.household.render.demo import DEMOS
from training.household.render.develop import Development, develop
from training.household.render.frame_io import write_frame
from training.household.render.looks import sample_look
from training.household.render.plan import Job
from training.household.render.sampling import COUNTER, SceneSpec
from training.household.render.surface import Surface, box_surface
from training.household.render.viewpoints import sample_view

LOG = logging.getLogger(__name__)
ARRANGE_TRIES = 6
ANY_HUE = 0.28


@dataclass(kw_only=True)
class Progress:
    """Counts of one run."""

    total: int
    done: int = 0
    failed: int = 0
    started: float = 0.0

    def line(self) -> str:
        """Speed and time left in words."""
        spent = time.monotonic() - self.started
        each = spent / max(self.done, 1)
        left = (self.total - self.done - self.failed) * each
        return (
            f"{self.done}/{self.total} frames, {self.failed} failed, {each:.2f} s a frame, "
            f"{left / 60:.0f} min left"
        )


RenderJob = Callable[[Job, list[int], ModelLibrary, int, Path, Progress], None]


def run(
    jobs: Sequence[Job],
    library: ModelLibrary,
    *,
    threads: int,
    scratch: Path,
    most_scenes: int,
    render: RenderJob | None = None,
) -> Progress:
    """Renders the unfinished frames of up to ``most_scenes`` scenes.

    A scene that cannot be built or rendered is logged with its reason, counted and left out.
    ``render`` renders the given views of a job and counts them (default: as in ``data/household``).
    """
    render = render or _render_job
    todo = [(job, views) for job in jobs if (views := job.pending())]
    progress = Progress(total=sum(len(v) for _, v in todo), started=time.monotonic())
    LOG.info("%d of %d scenes to render", len(todo), len(jobs))
    for job, views in todo[:most_scenes]:
        before = progress.done
        try:
            render(job, views, library, threads, scratch, progress)
        except (ValueError, RuntimeError, OSError, KeyError) as error:
            lost = len(views) - (progress.done - before)
            progress.failed += lost
            LOG.error("%s: %d frame(s) left out: %s", job.scene.name, lost, error)
        LOG.info("%s: %s", job.scene.name, progress.line())
    return progress


def _render_job(
    job: Job, views: list[int], library: ModelLibrary, threads: int, scratch: Path, p: Progress
) -> None:
    spec = job.scene
    rng = random.Random(spec.seed)
    arrangement = arrange_scene(spec, library, rng)
    look = sample_look(rng, focus_height=arrangement.focus[2])
    bpy_scene.clear_scene()
    demo = spec.name in DEMOS
    instances = bpy_scene.build_scene(
        arrangement, look, library, rng, any_hue=0.0 if demo else ANY_HUE
    )
    bpy_render.configure(
        width=spec.width, height=spec.height, samples=spec.samples, threads=threads, seed=spec.seed
    )
    config = DEMOS[spec.name].view if demo else None
    for view in views:
        # A generator of its own, so that a view does not depend on which ones were done before.
        view_rng = random.Random(spec.seed * 1000 + view)
        pose, camera = sample_view(
            spec.views[view], arrangement, width=spec.width, height=spec.height, rng=view_rng,
            config=config,
        )  # fmt: skip
        obj = bpy_scene.add_camera(pose, 2 * math.atan(spec.width / 2 / camera.fx))
        exr = scratch / f"{os.getpid()}_{spec.name}_{view}.exr"
        colour, depth, index = bpy_render.render_passes(exr)
        bpy_scene.remove_camera(obj)
        noise = np.random.default_rng(spec.seed * 1000 + view)
        picture = develop(colour, development_of(spec, view_rng), noise)
        _write(job, view, picture, depth, index, (pose, camera), instances, library)
        p.done += 1


def arrange_scene(spec: SceneSpec, library: ModelLibrary, rng: random.Random) -> Arrangement:
    """Where everything of a scene stands, by the real sizes of its models.

    Raises:
        ValueError: too few things found a place.
    """
    things = (*spec.small, *spec.floor)
    sizes = {t.model: library.get(t.model).size for t in things}
    surface, support_size = _support(spec, library, rng)
    last: ValueError | None = None
    for _ in range(ARRANGE_TRIES):
        try:
            return arrange(spec, sizes, surface, support_size, rng)
        except ValueError as error:
            last = error
    raise last or ValueError("no arrangement was tried")


def _support(
    spec: SceneSpec, library: ModelLibrary, rng: random.Random
) -> tuple[Surface, tuple[float, float, float]]:
    if spec.support.category == COUNTER:
        size = (rng.uniform(1.1, 2.4), rng.uniform(0.5, 0.75), rng.uniform(0.75, 0.98))
        return box_surface(*size), size
    return library.surface(spec.support.model), library.get(spec.support.model).size


def development_of(spec: SceneSpec, rng: random.Random) -> Development:
    """How a scene's pictures are developed; the demo scenes plainly."""
    if spec.name in DEMOS:
        return Development(key=0.22)
    return Development(
        key=rng.uniform(0.13, 0.27),
        white_balance=(rng.uniform(0.93, 1.07), 1.0, rng.uniform(0.9, 1.1)),
        noise=rng.choice((0.0, rng.uniform(0, 3))),
    )


def _write(
    job: Job,
    view: int,
    picture: Any,
    depth: Any,
    index: Any,
    view_geometry: tuple[Any, Pinhole],
    placements: list[Placement],
    library: ModelLibrary,
) -> None:
    spec = job.scene
    name = spec.frame_names()[view]
    ids, depth_mm = drop_small(index), depth_to_millimetres(depth)
    meta = frame_meta(
        spec, name, spec.views[view], (ids, depth_mm), view_geometry, placements, library
    )
    if not meta["instances"]:
        raise ValueError(f"{name}: no instance is visible")
    write_frame(job.folder, name, color=picture, depth_mm=depth_mm, ids=ids, meta=meta)


def frame_meta(
    spec: SceneSpec,
    name: str,
    view: str,
    planes: tuple[Any, Any],
    view_geometry: tuple[Any, Pinhole],
    placements: list[Placement],
    library: ModelLibrary,
) -> dict[str, Any]:
    """A frame's JSON.

    Args:
        spec: its scene.
        name: of the frame.
        view: kind of view, such as "near".
        planes: ids (H, W) uint8 and depth (H, W) uint16 millimetres.
        view_geometry: world_from_optical (4, 4) and intrinsics.
        placements: instance i + 1 is placement i.
        library: knows the models' titles and creators.
    """
    models = {p.model for p in placements}
    facts = facts_of(placements, library)
    return meta_of(spec, name, view, planes, view_geometry, facts, models)


def facts_of(placements: Sequence[Placement], library: ModelLibrary) -> dict[int, dict[str, Any]]:
    """What is known of each instance (id -> fields) without looking at the picture."""
    facts: dict[int, dict[str, Any]] = {}
    for number, placement in enumerate(placements, start=1):
        if not placement.model:  # made by the renderer itself, such as a shelf unit
            facts[number] = {
                "category": placement.category,
                "model": "",
                "title": placement.category,
                "creator": "",
                "licence": "",
                "support": placement.support,
            }
            continue
        entry = library.entry(placement.model)
        facts[number] = {
            "category": placement.category,
            "model": placement.model,
            "title": entry.name,
            "creator": entry.creator,
            "licence": entry.licence,
            "support": placement.support,
        }
    return facts


def meta_of(
    spec: SceneSpec,
    name: str,
    view: str,
    planes: tuple[Any, Any],
    view_geometry: tuple[Any, Pinhole],
    facts: dict[int, dict[str, Any]],
    models: Collection[str],
) -> dict[str, Any]:
    """A frame's JSON from what is known of its instances (see :func:`frame_meta`)."""
    (ids, depth_mm), (pose, camera) = planes, view_geometry
    instances, shapes = describe_instances(ids, depth_mm, camera, facts)
    return {
        "version": 1,
        "name": name,
        "split": spec.split,
        "scene": str(spec.seed),
        "room": spec.room,
        "view": view,
        "width": spec.width,
        "height": spec.height,
        "camera": {
            "fx": camera.fx,
            "fy": camera.fy,
            "cx": camera.cx,
            "cy": camera.cy,
            "world_from_optical": [[round(float(v), 6) for v in row] for row in pose],
        },
        "instances": instances,
        "models": sorted(models),
        "imagePath": f"{name}.jpg",
        "imageWidth": spec.width,
        "imageHeight": spec.height,
        "shapes": shapes,
    }
