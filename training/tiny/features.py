"""Frozen-encoder features, computed once and kept: the whole frame and zoomed crops of it."""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from lisa_model.config import LisaConfig
from lisa_model.mask_head import UPSCALE
from lisa_model.rgbd import RgbdFrame, load_frame
from lisa_model.vision import STEM_SCALE, VisionTower, encoder_input, patch_grid, resize
from lisa_model.zoom import CropWindow, zoom_window
from training.tiny.camera_faults import FAULTY_SHARE, with_faults


@dataclass(frozen=True, kw_only=True)
class View:
    """One cached view (whole frame or crop), without its arrays.

    Attributes:
        path: file of the frame's views.
        number: of the view in that file; 0 is the whole frame.
        frame: name of the frame.
        shape: (h, w) of the patch grid.
        window: x0, y0, x1, y1 in the frame, as shares of its sides.
        instances: the frame's instance dictionaries that are large and whole enough here to ask
            for.
    """

    path: Path
    number: int
    frame: str
    shape: tuple[int, int]
    window: tuple[float, float, float, float]
    instances: list[dict[str, Any]]

    @property
    def zoomed(self) -> bool:
        """Whether it is a crop."""
        return self.number > 0

    def read(self, *, mirrored: bool = False) -> LoadedView:
        """Read the arrays from disk.

        Args:
            mirrored: swap left and right (frozen features mirror well enough).
        """
        with np.load(self.path) as data:
            vision, rgb, ids = (data[f"{name}{self.number}"] for name in ("vision", "rgb", "ids"))
        window = self.window
        if mirrored:
            vision, rgb, ids = vision[:, :, ::-1], rgb[:, ::-1], ids[:, ::-1]
            window = (1.0 - window[2], window[1], 1.0 - window[0], window[3])
        return LoadedView(view=self, vision=vision, rgb=rgb, ids=ids, window=window)


@dataclass(frozen=True, kw_only=True)
class LoadedView:
    """A view with its arrays, mirrored or not.

    Attributes:
        view: what it is of.
        vision: (C, h, w) float16 patch features.
        rgb: (8h, 8w, 3) uint8 for the stem.
        ids: (8h, 8w) uint8 instance id, 0 background.
        window: as the view's, mirrored when the arrays are.
    """

    view: View
    vision: NDArray[np.float16]
    rgb: NDArray[np.uint8]
    ids: NDArray[np.uint8]
    window: tuple[float, float, float, float]

    @property
    def instances(self) -> list[dict[str, Any]]:
        """Of the view."""
        return self.view.instances


def random_window(frame: RgbdFrame, rng: random.Random) -> CropWindow:
    """A window like the second pass of inference would take, around a random visible thing.

    Small things are zoomed at inference, so they are drawn more often; the window is jittered as
    the first pass would misplace it.
    """
    items = [item for item in frame.instances if item.area >= 40]
    weights = [1.0 / max(item.area, 400) ** 0.25 for item in items]
    item = rng.choices(items, weights)[0]
    x0, y0, x1, y1 = item.box_xyxy
    jitter = 0.25 * max(x1 - x0, y1 - y0)
    box = (
        x0 + rng.uniform(-jitter, jitter),
        y0 + rng.uniform(-jitter, jitter),
        x1 + rng.uniform(-jitter, jitter),
        y1 + rng.uniform(-jitter, jitter),
    )
    height, width = frame.ids.shape
    return zoom_window(box, height=height, width=width, context=rng.uniform(1.6, 3.2))


def _views(
    frame: RgbdFrame, config: LisaConfig, crops: int, rng: random.Random
) -> list[tuple[bool, CropWindow, tuple[int, int]]]:
    height, width = frame.ids.shape
    whole = CropWindow(0, 0, width, height)
    out = [(False, whole, patch_grid(height, width, config.patches))]
    for _ in range(crops if frame.instances else 0):
        window = random_window(frame, rng)
        grid = patch_grid(window.height, window.width, config.zoom_patches)
        out.append((True, window, grid))
    return out


@torch.inference_mode()
def cache_split(
    *,
    folder: Path,
    out: Path,
    config: LisaConfig,
    tower: VisionTower,
    crops: int,
    watch: bool,
    faulty_share: float = FAULTY_SHARE,
    shard: tuple[int, int] = (0, 1),
    limit: int | None = None,
) -> None:
    """Write one ``.npz`` per frame of ``folder`` into ``out`` (resumable; skips what is there).

    Args:
        crops: zoomed views per frame.
        watch: wait for further frames of a render in progress until ``folder/DONE`` appears.
        faulty_share: of views, 0..1, whose picture is made worse as cameras do.
        shard: (k, n): every nth frame from k, so that several processes share the work.
        limit: only so many frames, the first by name; None for all.
    """
    out.mkdir(parents=True, exist_ok=True)
    started, made = time.time(), 0
    while True:
        names = sorted(folder.glob("*.json"))[:limit][shard[0] :: shard[1]]
        fresh = [p for p in names if not (out / f"{p.stem}.npz").exists()]
        for path in fresh:
            frame = load_frame(path)
            rng = random.Random(f"crops/{frame.name}")
            arrays: dict[str, Any] = {}
            views = _views(frame, config, crops, rng)
            for number, (zoomed, window, grid) in enumerate(views):
                color = window.cut(frame.color)
                if rng.random() < faulty_share:
                    color = with_faults(color, rng)
                pixels = encoder_input(color, grid, config.patch_size).unsqueeze(0)
                with torch.autocast(pixels.device.type, torch.bfloat16):
                    vision = tower(pixels)[0]
                ids = cv2.resize(
                    window.cut(frame.ids),
                    (grid[1] * STEM_SCALE, grid[0] * STEM_SCALE),
                    interpolation=cv2.INTER_NEAREST,
                )
                arrays[f"vision{number}"] = vision.half().numpy()
                arrays[f"rgb{number}"] = resize(color, grid[0] * STEM_SCALE, grid[1] * STEM_SCALE)
                arrays[f"ids{number}"] = ids
                arrays[f"window{number}"] = np.array([*window.xyxy, int(zoomed)])
            arrays["meta"] = np.frombuffer(
                json.dumps({"name": frame.name, "instances": frame.meta["instances"]}).encode(),
                dtype=np.uint8,
            )
            part = out / f"{path.stem}.part"
            with part.open("wb") as handle:
                np.savez(handle, **arrays)
            part.rename(out / f"{path.stem}.npz")
            made += 1
            if made % 50 == 0:
                print(f"{folder.name}: {made} frames, {(time.time() - started) / made:.2f} s each")
        if not watch or (not fresh and (folder / "DONE").exists()):
            return
        if not fresh:
            time.sleep(5)


def open_views(path: Path, whole_min: int = 60, zoom_min: int = 150) -> list[View]:
    """All views of one cached frame; their arrays stay on disk.

    Args:
        path: file written by :func:`cache_split`.
        whole_min, zoom_min: smallest instance (pixels of the 8x grid) kept as a question there.
    """
    with np.load(path) as data:
        meta = json.loads(bytes(data["meta"]))
        _, _, width, height, _ = (int(v) for v in data["window0"])
        views = []
        for number in range(sum(key.startswith("vision") for key in data.files)):
            x0, y0, x1, y1, _ = (int(v) for v in data[f"window{number}"])
            ids = data[f"ids{number}"]
            scale = ids.size / ((x1 - x0) * (y1 - y0))
            counts = np.bincount(ids.ravel(), minlength=256)
            kept = []
            for item in meta["instances"]:
                inside = counts[item["id"]]
                cover = inside / max(item["area"] * scale, 1.0)
                if inside >= (zoom_min if number else whole_min) and cover > 0.6:
                    kept.append(item)
            views.append(
                View(
                    path=path,
                    number=number,
                    frame=meta["name"],
                    shape=(ids.shape[0] // STEM_SCALE, ids.shape[1] // STEM_SCALE),
                    window=(x0 / width, y0 / height, x1 / width, y1 / height),
                    instances=kept,
                )
            )
        return views


def target_masks(ids: NDArray[np.uint8], instances: list[tuple[int, ...]]) -> torch.Tensor:
    """Soft masks (n, 4h, 4w) float32 in [0, 1] at the decoder's resolution."""
    step = STEM_SCALE // UPSCALE
    height, width = ids.shape
    out = np.empty((len(instances), height // step, width // step), dtype=np.float32)
    for row, wanted in enumerate(instances):
        mask = np.isin(ids, wanted)
        out[row] = mask.reshape(height // step, step, width // step, step).mean((1, 3))
    return torch.from_numpy(out)
