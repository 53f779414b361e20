"""Cycles settings and one render: linear colour, planar depth and instance index."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray


def configure(*, width: int, height: int, samples: int, threads: int, seed: int) -> None:
    """Sets the renderer up: CPU, few samples, denoised, all passes in one EXR file."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    cycles = scene.cycles
    cycles.device = "CPU"
    cycles.samples = samples
    cycles.seed = seed
    cycles.use_adaptive_sampling = False
    cycles.use_denoising = True
    cycles.denoiser = "OPENIMAGEDENOISE"
    cycles.denoising_input_passes = "RGB_ALBEDO_NORMAL"
    cycles.denoising_prefilter = "FAST"
    cycles.denoising_quality = "FAST"
    cycles.max_bounces = 3
    cycles.diffuse_bounces = 2
    cycles.glossy_bounces = 2
    cycles.transmission_bounces = 3
    cycles.transparent_max_bounces = 8
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.use_fast_gi = True
    cycles.fast_gi_method = "REPLACE"
    cycles.ao_bounces_render = 1
    render = scene.render
    render.use_persistent_data = True
    render.threads_mode, render.threads = "FIXED", threads
    render.resolution_x, render.resolution_y = width, height
    render.resolution_percentage = 100
    layer = scene.view_layers[0]
    layer.use_pass_z = layer.use_pass_object_index = True
    # Otherwise see-through things leave speckles in depth and index.
    layer.pass_alpha_threshold = 0.0
    settings = render.image_settings
    settings.media_type = "MULTI_LAYER_IMAGE"
    settings.file_format = "OPEN_EXR_MULTILAYER"
    settings.color_depth, settings.exr_codec = "32", "NONE"


def render_passes(
    exr: Path,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint8]]:
    """Renders the scene as configured, through the temporary file ``exr``.

    Returns:
        linear colour (H, W, 3) float32, planar depth (H, W) float32 metres (1e10 where nothing
        was hit), instance index (H, W) uint8.

    Raises:
        OSError: Blender wrote no readable file.
    """
    bpy.context.scene.render.filepath = str(exr)
    bpy.ops.render.render(write_still=True)
    channels = _read_channels(exr)
    exr.unlink()
    colour = np.stack([channels[f"Combined.{c}"] for c in "RGB"], axis=-1)
    index = np.rint(channels["Object Index.X"]).astype(np.uint8)
    return np.nan_to_num(colour, posinf=0.0, neginf=0.0), channels["Depth.Z"], index


def _read_channels(path: Path) -> dict[str, NDArray[np.float32]]:
    image = _open_image_io().ImageInput.open(str(path))
    if image is None:
        raise OSError(f"{path}: Blender wrote no readable EXR file")
    channels: dict[str, NDArray[np.float32]] = {}
    part = 0
    # Depending on Blender's settings the passes are channels of one part or parts of their own.
    while image.seek_subimage(part, 0):
        spec = image.spec()
        data = image.read_image(part, 0, 0, spec.nchannels, "float")
        for number, name in enumerate(spec.channelnames):
            channels[name.split(".", 1)[1]] = np.ascontiguousarray(data[:, :, number])
        part += 1
    image.close()
    return channels


def _open_image_io() -> Any:
    # bpy brings OpenImageIO along, in a folder of its own that is not on the module path.
    folder = next(Path(bpy.utils.resource_path("LOCAL")).glob("python/lib/python*/site-packages"))
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    import OpenImageIO

    return OpenImageIO
