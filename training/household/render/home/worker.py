"""Renders HomeReason's scenes in Blender. Needs bpy."""

from __future__ import annotations

import math
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from training.household.render import bpy_render, bpy_scene
from training.household.render.annotate import depth_to_millimetres, drop_small
from training.household.render.arrangement import LARGEST_SHARE, Size
from training.household.render.bpy_models import ModelLibrary
from training.household.render.develop import develop
from training.household.render.frame_io import write_frame
from training.household.render.home.bpy_build import Built, Measures, build_home
from training.household.render.home.looks import HomeLook, home_development, sample_home_look
from training.household.render.home.meta import hidden_things, home_facts, seen_well
from training.household.render.home.placer import Level
from training.household.render.home.planning import CARRIERS, HomeSpec
from training.household.render.home.shelf import SIDE_M, draw_shelf
from training.household.render.home.stand import HomeArrangement, arrange_home
from training.household.render.home.views import sample_home_view
from training.household.render.home.visible import visible_share
from training.household.render.plan import Job
from training.household.render.runner import ARRANGE_TRIES, Progress, facts_of, meta_of
from training.household.render.sampling import COUNTER
from training.household.render.surface import Surface, box_surface

VIEW_TRIES = 3
CROWDED_SHARE = 0.6


def home_renderer() -> Callable[[Job, list[int], ModelLibrary, int, Path, Progress], None]:
    """The function that renders a job's views (see ``runner.run``)."""
    known: dict[int, Measures] = {}

    def render(
        job: Job, views: list[int], library: ModelLibrary, threads: int, scratch: Path, p: Progress
    ) -> None:
        measures = known.setdefault(id(library), Measures(library))
        _render_job(job, views, library, measures, threads, scratch, p)

    return render


def _render_job(
    job: Job,
    views: list[int],
    library: ModelLibrary,
    measures: Measures,
    threads: int,
    scratch: Path,
    progress: Progress,
) -> None:
    spec = job.scene
    if not isinstance(spec, HomeSpec):
        raise ValueError(f"{spec.name} is no scene of HomeReason")
    rng = random.Random(spec.seed)
    scene = arrange_scene(spec, library, rng)
    look = sample_home_look(rng, focus_height=scene.focus[2])
    bpy_scene.clear_scene()
    built = build_home(scene, look, library, measures, rng)
    bpy_render.configure(
        width=spec.width, height=spec.height, samples=spec.samples, threads=threads, seed=spec.seed
    )
    bpy.context.scene.cycles.use_auto_tile = False
    for view in views:
        _render_view(job, spec, view, scene, look, built, library, scratch)
        progress.done += 1


def _render_view(
    job: Job,
    spec: HomeSpec,
    view: int,
    scene: HomeArrangement,
    look: HomeLook,
    built: list[Built],
    library: ModelLibrary,
    scratch: Path,
) -> None:
    name = spec.frame_names()[view]
    # A generator of its own, so that a view does not depend on which ones were done before.
    rng = random.Random(spec.seed * 1000 + view)
    for _ in range(VIEW_TRIES):
        pose, camera = sample_home_view(
            spec.views[view], scene, width=spec.width, height=spec.height, rng=rng
        )
        obj = bpy_scene.add_camera(pose, 2 * math.atan(spec.width / 2 / camera.fx))
        exr = scratch / f"{os.getpid()}_{name}.exr"
        colour, depth, index = bpy_render.render_passes(exr)
        bpy_scene.remove_camera(obj)
        ids, depth_mm = drop_small(index), depth_to_millimetres(depth)
        facts = _facts(scene, built, library)
        for number in np.unique(ids)[np.unique(ids) > 0]:
            share = visible_share(built[number - 1].points, int(number), ids, pose, camera)
            facts[int(number)]["visible_share"] = round(share, 3)
        models = {b.placement.model for b in built} - {""}
        kind = spec.views[view]
        meta = meta_of(spec, name, kind, (ids, depth_mm), (pose, camera), facts, models)
        if seen_well(meta) >= 2:
            break
    else:
        raise ValueError(f"{name}: no camera saw two things well")
    meta["hidden"] = hidden_things(facts, [item["id"] for item in meta["instances"]])
    noise = np.random.default_rng(spec.seed * 1000 + view)
    picture = develop(colour, home_development(look.mood, colour, rng), noise)
    write_frame(job.folder, name, color=picture, depth_mm=depth_mm, ids=ids, meta=meta)


def _facts(
    scene: HomeArrangement, built: list[Built], library: ModelLibrary
) -> dict[int, dict[str, Any]]:
    facts = facts_of([b.placement for b in built], library)
    for number, one in enumerate(built, start=1):
        facts[number] |= home_facts(scene, number, paint=one.paint, box=one.box)
    return facts


def arrange_scene(spec: HomeSpec, library: ModelLibrary, rng: random.Random) -> HomeArrangement:
    """Where everything of a scene stands, by the real sizes of its models.

    Raises:
        ValueError: too few things found a place.
    """
    sizes = {t.model: library.get(t.model).size for t in (*spec.small, *spec.floor)}
    tops = _tops(spec, library)
    last: ValueError | None = None
    for attempt in range(2 * ARRANGE_TRIES):
        levels, size, shelf = _support(spec, library, rng)
        # A few big things on a bedside table: better than no scene.
        largest = LARGEST_SHARE if attempt < ARRANGE_TRIES else CROWDED_SHARE
        try:
            return arrange_home(spec, sizes, levels, size, tops, rng, shelf=shelf, largest=largest)
        except ValueError as error:
            last = error
    raise last or ValueError("no arrangement was tried")


def _tops(spec: HomeSpec, library: ModelLibrary) -> dict[str, Surface]:
    if spec.carrier < 0 or spec.stack or spec.small[spec.carrier].category not in CARRIERS:
        return {}
    model = spec.small[spec.carrier].model
    top = library.top(model)
    return {} if top is None else {model: top}


def _support(
    spec: HomeSpec, library: ModelLibrary, rng: random.Random
) -> tuple[list[Level], Size, Any]:
    crowded = len(spec.small) >= 15
    if spec.kind == COUNTER:
        size = (rng.uniform(1.6 if crowded else 1.1, 2.4), rng.uniform(0.5, 0.75),
                rng.uniform(0.75, 0.98))  # fmt: skip
        return [Level(surface=box_surface(*size))], size, None
    if spec.kind == "floor":
        return [Level(surface=box_surface(2.2, 1.6, 0.0, cell=0.03))], (0.0, 0.0, 0.0), None
    if spec.kind == "shelf":
        shelf = draw_shelf(rng, wide=crowded)
        levels = [
            Level(
                surface=box_surface(shelf.width - 2 * SIDE_M - 0.01, shelf.depth - 0.03, board),
                headroom=shelf.headroom,
            )
            for board in shelf.boards
        ]
        return levels, (shelf.width, shelf.depth, shelf.height), shelf
    surface = library.surface(spec.support.model)
    return [Level(surface=surface)], library.get(spec.support.model).size, None
