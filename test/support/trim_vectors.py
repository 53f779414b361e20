"""Make the repository's copy of the reference vectors: complete where it fits, else what does.

    python test/support/trim_vectors.py SOURCE test/vectors

SOURCE holds the complete sets, one folder each (meta.json, model.safetensors, hf/, clip-tiny/,
mini/, eval_*.npz, ...). What is left out can be computed from what stays, or is too large; the
README beside the copy says what that means for the tests.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

# Computed again from image_rgb, or from other arrays of the same file.
DERIVED = ("sam_pixels", "fcs_out", "pred_masks_bin", "dense_pe")
# A set whose weights are larger goes without its mask decoder.
WEIGHT_LIMIT = 8_000_000
LEFT_OUT = ("mask_decoder.transformer.", "mask_decoder.output_hyper", "mask_decoder.iou_pred")


def trim_npz(source: Path, target: Path, *, small: bool) -> None:
    """Copy arrays; large uint8 images of a big set become a checksum."""
    kept = {}
    with np.load(source) as data:
        for key in data.files:
            value = data[key]
            if key in DERIVED:
                continue
            if key == "sam_resized":
                kept["sam_resized_sha256"] = np.frombuffer(
                    hashlib.sha256(np.ascontiguousarray(value).tobytes()).digest(), np.uint8
                )
            elif key == "clip_pixels" and (not small or source.stem == "train_batch"):
                kept["clip_pixels_slice"] = value[..., ::7, ::7]
            elif key == "low_res_masks" and not small:
                kept["low_res_masks_slice"] = value[..., ::4, ::4]
            else:
                kept[key] = value
    np.savez_compressed(target, **kept)


def trim(source: Path, target: Path) -> None:
    """Copy one set."""
    target.mkdir(parents=True, exist_ok=True)
    small = (source / "model.safetensors").stat().st_size <= WEIGHT_LIMIT
    for folder in ("hf", "clip-tiny", "mini") if small else ("hf", "clip-tiny"):
        shutil.copytree(
            source / folder,
            target / folder,
            dirs_exist_ok=True,
            # The same tensors as model.safetensors.
            ignore=shutil.ignore_patterns("pytorch_model.bin"),
        )
    shutil.copy(source / "meta.json", target)
    for path in sorted(source.glob("*.npz")):
        if small or path.stem == f"eval_{_most_masks(source)}":
            trim_npz(path, target / path.name, small=small)
    for path in sorted(source.glob("*.safetensors")):
        if not small and path.stem != "model":
            continue  # of no use without the decoder
        tensors = load_file(path)
        if not small:
            tensors = {k: t for k, t in tensors.items() if not any(p in k for p in LEFT_OUT)}
        save_file(tensors, target / path.name)


def _most_masks(source: Path) -> str:
    """Name of the question with the most [SEG]."""
    cases = json.loads((source / "meta.json").read_text("utf-8"))["cases"]
    return max(cases, key=lambda case: case["mask_shape"][0])["name"]


def main() -> None:
    """Copy every set of the folder given first into the one given second."""
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    for meta in sorted(source.glob("*/meta.json")):
        trim(meta.parent, target / meta.parent.name)


if __name__ == "__main__":
    main()
