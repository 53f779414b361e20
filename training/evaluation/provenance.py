"""What a report says about where its figures come from."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import transformers

from lisa_model.base_weights.manifest import sha256_of
from lisa_model.checkpoint.manifest import MANIFEST_NAME, Manifest, read_manifest
from lisa_model.checkpoint.plan import describe
from lisa_model.checkpoint.reader import open_checkpoint
from lisa_model.config import preset
from lisa_model.llava.config import is_official
from lisa_model.tiny_segmenter import WEIGHTS

_TINY_FILE = "model.safetensors"

DEFINITIONS = {
    "giou": "mean IoU over all questions; LISA's official rule: intersection / (union + 1e-5), 1 "
    "where both are empty",
    "ciou": "summed intersection over summed union",
    "interval": "95 % percentile bootstrap over images, all questions of one drawn together",
}
GRES_DEFINITIONS = {
    "giou": "mean IoU over all expressions (GRES); without a target 1 where nothing is predicted, "
    "or else 0",
    "ciou": "summed intersection over summed union (GRES); what is predicted without a target adds "
    "to the union",
    "n_acc": "of the expressions without a target, the share where nothing is predicted",
    "t_acc": "of the expressions with a target, the share where something is predicted",
    "giou_lisa": "gIoU by LISA's official rule",
    "interval": DEFINITIONS["interval"],
}


def weights_of(model: str) -> dict[str, Any]:
    """Bytes of a model's weight files, and their SHA-256 where it costs little.

    That is for lisa-tiny, whose file is small, and for folders with a manifest (`lisa convert`,
    `lisa merge`), whose sums are as written there; else it is None.

    Args:
        model: preset name or folder, which has been opened already.
    """
    folder = Path(model).expanduser()
    if not is_official(folder):
        file = (folder if folder.is_dir() else WEIGHTS / preset(model).name) / _TINY_FILE
        return {"files": {file.name: file.stat().st_size}, "sha256": {file.name: sha256_of(file)}}
    files = describe(open_checkpoint(folder))["files"]
    manifest = manifest_of(folder)
    sums = {name: manifest.files[name].sha256 for name in files} if manifest else None
    return {"files": files, "sha256": sums}


def selection_of(model: str) -> dict[str, Any] | None:
    """Which validation chose a merged model's checkpoint, as its manifest says; None if not."""
    manifest = manifest_of(Path(model).expanduser())
    return manifest.training if manifest else None


def manifest_of(folder: Path) -> Manifest | None:
    """The manifest of a folder that this package wrote; None for others."""
    path = folder / MANIFEST_NAME
    return read_manifest(path) if path.is_file() else None


def environment() -> dict[str, Any]:
    """Machine, and versions of what the figures can depend on."""
    try:
        own = version("lisa_ros")
    except PackageNotFoundError:
        own = "not installed"
    return {
        "machine": f"{platform.machine()} {platform.system()}",
        "versions": {
            "lisa_ros": own,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "numpy": np.__version__,
            "opencv": cv2.__version__,
        },
    }
