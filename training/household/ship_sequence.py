"""Copies a rendered sequence into the package, smaller: colour and the target's mask, no depth.

Run: ``python -m training.household.ship_sequence data/sequences/living_room``
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lisa_model.rgbd import load_frame
from training.household.assets import furniture_folder
from training.household.attribution import attribution_markdown, models_in_frames
from training.household.catalogue import read_catalogue

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "benchmarks" / "data" / "follow"
HEIGHT, WIDTH = 288, 384
JPEG_QUALITY = 88
KEPT = ("version", "name", "split", "scene", "room", "sequence", "intent", "target", "time_s")


def smaller(
    color: NDArray[np.uint8], mask: NDArray[np.bool_], height: int, width: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A picture (H, W, 3) and a mask (H, W) at another size; a pixel belongs to the majority."""
    share = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    picture = cv2.resize(color, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(picture, dtype=np.uint8), share >= 0.5


def smaller_camera(camera: dict[str, Any], scale: float) -> dict[str, Any]:
    """Intrinsics for a picture that is ``scale`` times as large; pixel centres are integers."""
    return {
        "fx": camera["fx"] * scale,
        "fy": camera["fy"] * scale,
        "cx": (camera["cx"] + 0.5) * scale - 0.5,
        "cy": (camera["cy"] + 0.5) * scale - 0.5,
        "world_from_optical": camera["world_from_optical"],
    }


def ship_frame(path: Path, folder: Path) -> None:
    """Write one frame into ``folder``, in the household layout without depth."""
    frame = load_frame(path, depth=False)
    target = int(frame.meta["target"])
    color, mask = smaller(frame.color, frame.mask((target,)), HEIGHT, WIDTH)
    meta = {key: frame.meta[key] for key in KEPT}
    meta["camera"] = smaller_camera(frame.meta["camera"], WIDTH / frame.color.shape[1])
    meta["instances"] = []  # the id image holds the target only
    stem = folder / path.stem
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    ids = np.where(mask, np.uint8(target), np.uint8(0))
    written = cv2.imwrite(f"{stem}.jpg", np.ascontiguousarray(color[..., ::-1]), quality)
    written &= cv2.imwrite(f"{stem}.ids.png", ids)
    if not written:
        raise OSError(f"could not write {stem}.jpg and .ids.png")
    stem.with_suffix(".json").write_text(json.dumps(meta) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sequence", type=Path, help="folder of rendered frames")
    parser.add_argument("--assets", type=Path, default=Path("data/household_assets"))
    parser.add_argument("--out", type=Path, default=FOLDER)
    args = parser.parse_args(arguments)
    catalogue = read_catalogue(furniture_folder(args.assets))
    sources = sorted(args.sequence.glob("*.json"))
    args.out.mkdir(parents=True, exist_ok=True)
    for path in sources:
        ship_frame(path, args.out)
    text = attribution_markdown(models_in_frames(sources), catalogue)
    (args.out / "ATTRIBUTION.md").write_text(text, encoding="utf-8")
    size = sum(file.stat().st_size for file in args.out.iterdir())
    print(f"{len(sources)} frames, {size / 2**20:.1f} MiB in {args.out}")


if __name__ == "__main__":
    main()
