"""Weights come from a folder that the user names; no hub is ever asked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lisa_model.errors import WeightsMissingError


def local_folder(folder: str | Path | None, option: str) -> str:
    """The folder as transformers take it.

    Args:
        folder: of a model in the layout of transformers.
        option: what the user calls it; named in the error.

    Raises:
        WeightsMissingError: none was given, or it has no config.json.
    """
    if not folder:
        raise WeightsMissingError(f"{option} is missing: give a folder of weights")
    if not (Path(folder) / "config.json").is_file():
        raise WeightsMissingError(
            f"{option}: {folder} has no config.json; give a folder in the layout of transformers "
            "(config.json, weights as safetensors, tokenizer and processor files)"
        )
    return str(folder)


def open_folder(
    model_class: Any,
    part_class: Any,
    folder: str | Path | None,
    option: str,
    *,
    device: str,
    dtype: str,
) -> tuple[Any, Any]:
    """A model of transformers on its device, and the processor or tokenizer that lies beside it.

    Args:
        model_class, part_class: of transformers.
        folder, option: see :func:`local_folder`.
        device, dtype: of the model.

    Raises:
        WeightsMissingError: the folder is not there.
    """
    path = local_folder(folder, option)
    model = model_class.from_pretrained(path, dtype=getattr(torch, dtype), local_files_only=True)
    return model.to(device), part_class.from_pretrained(path, local_files_only=True)


def on_model(inputs: Mapping[str, Tensor], model: Any) -> dict[str, Tensor]:
    """A processor's tensors on the model's device, those of floats in its dtype."""
    return {
        key: value.to(model.device, model.dtype if value.is_floating_point() else value.dtype)
        for key, value in inputs.items()
    }
