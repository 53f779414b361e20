"""CLIP as LLaVA uses it: patch features of a layer before the last, which is never computed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModel

from lisa_model.checkpoint.loading import load_into
from lisa_model.checkpoint.reader import open_checkpoint
from lisa_model.errors import WeightsCorruptError, WeightsMissingError
from lisa_model.llava.preprocessing import clip_pixels

# OpenAI's CLIP; used when a tower has no preprocessor_config.json.
_MEAN = (0.48145466, 0.4578275, 0.40821073)
_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class ClipPreprocessing:
    """How an image becomes the tower's input; see :func:`clip_pixels`."""

    resize: int
    crop: int
    mean: tuple[float, ...] = _MEAN
    std: tuple[float, ...] = _STD

    @classmethod
    def from_folder(cls, folder: Path, image_size: int) -> ClipPreprocessing:
        """Read preprocessor_config.json; sizes may be numbers or dictionaries in it."""
        path = folder / "preprocessor_config.json"
        if not path.is_file():
            return cls(resize=image_size, crop=image_size)
        values = json.loads(path.read_text("utf-8"))

        def side(name: str) -> int:
            value = values.get(name, image_size)
            if isinstance(value, dict):
                value = value.get("shortest_edge", value.get("height", image_size))
            return int(value)

        return cls(
            resize=side("size"),
            crop=side("crop_size"),
            mean=tuple(values.get("image_mean", _MEAN)),
            std=tuple(values.get("image_std", _STD)),
        )


class ClipTower(nn.Module):
    """Frozen CLIP vision transformer up to the layer whose output LLaVA reads."""

    def __init__(
        self, *, config: CLIPVisionConfig, layers: int, preprocessing: ClipPreprocessing
    ) -> None:
        super().__init__()
        kept = CLIPVisionConfig(**(config.to_dict() | {"num_hidden_layers": layers}))
        kept._attn_implementation = "sdpa"
        self.clip: Any = CLIPVisionModel(kept)
        self.preprocessing = preprocessing
        self.hidden_size = int(config.hidden_size)
        self.patches = (int(config.image_size) // int(config.patch_size)) ** 2

    @classmethod
    def from_folder(
        cls,
        folder: Path,
        *,
        select_layer: int = -2,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> ClipTower:
        """Open a CLIP folder (config.json and weights, with or without its text side).

        Args:
            folder: such as openai/clip-vit-large-patch14 as it was downloaded.
            select_layer: ``mm_vision_select_layer``, an index into CLIP's hidden states.

        Raises:
            WeightsMissingError, WeightsCorruptError: naming file, tensor and remedy.
        """
        path = folder / "config.json"
        if not path.is_file():
            raise WeightsMissingError(
                f"{path} is missing: the vision tower must be a folder of the CLIP model that "
                "config.json's mm_vision_tower names (config.json, weights, "
                "preprocessor_config.json)"
            )
        values = json.loads(path.read_text("utf-8"))
        config = CLIPVisionConfig(**values.get("vision_config", values))
        total = int(config.num_hidden_layers)
        layers = select_layer if select_layer >= 0 else total + 1 + select_layer
        if not 0 <= layers <= total:
            raise WeightsCorruptError(
                f"{path} has {total} layers; mm_vision_select_layer {select_layer} is not in them"
            )
        preprocessing = ClipPreprocessing.from_folder(folder, int(config.image_size))
        with torch.device("meta"):
            tower = cls(config=config, layers=layers, preprocessing=preprocessing)
        # An index of positions, no weight: made anew where the tower runs.
        embeddings = tower.clip.embeddings
        embeddings.position_ids = torch.arange(tower.patches + 1).unsqueeze(0)
        tower.clip.post_layernorm = nn.Identity()
        load_into(
            tower,
            open_checkpoint(folder),
            dtype=dtype,
            device=device,
            rename=_official_name,
            ignore=lambda name: not _needed(name, layers),
        )
        return tower.to(device).eval()

    def pixels(self, image: NDArray[np.uint8]) -> Tensor:
        """(H, W, 3) uint8 RGB -> (3, crop, crop) float32."""
        p = self.preprocessing
        return clip_pixels(image, resize=p.resize, crop=p.crop, mean=p.mean, std=p.std)

    @torch.no_grad()
    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, s, s) -> (B, patches, hidden_size), without the class token."""
        states = self.clip.embeddings(pixels.to(self.clip.pre_layrnorm.weight.dtype))
        states = self.clip.pre_layrnorm(states)
        return self.clip.encoder(inputs_embeds=states).last_hidden_state[:, 1:]


def _official_name(name: str) -> str:
    """Key of the saved tower -> our module's key."""
    return "clip." + name.removeprefix("vision_model.")


def _needed(name: str, layers: int) -> bool:
    """Whether a key of the saved tower (after renaming) is part of the kept layers."""
    parts = name.split(".")
    if parts[1] == "encoder":
        return int(parts[3]) < layers
    return parts[1] in ("embeddings", "pre_layrnorm") and parts[-1] != "position_ids"
