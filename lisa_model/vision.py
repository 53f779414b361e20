"""The frozen vision tower and its preprocessing.

One DINOv2 pass gives the patch features for both readers: pooled to a few visual tokens for the
LLM, and at full grid for the mask head.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import Dinov2Model

from lisa_model.base_weights import ensure_base_weights
from lisa_model.config import LisaConfig
from lisa_model.errors import InvalidImageError
from lisa_model.mask_head import STEM_SCALE, ImageFeatures
from lisa_model.reference_keys import COLOUR_CHANNELS, PLACE_CHANNELS, colour, place

# ImageNet statistics, as DINOv2 was trained with (facebookresearch/dinov2, data/transforms.py).
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)

MIN_SIDE, MAX_SIDE = 16, 8192


def check_image(image: NDArray[np.uint8]) -> None:
    """Refuse what is not a usable RGB image.

    Raises:
        InvalidImageError: naming what is wrong with ``image``.
    """
    if not isinstance(image, np.ndarray):
        raise InvalidImageError(f"image must be a numpy array, got {type(image).__name__}")
    if image.dtype != np.uint8:
        raise InvalidImageError(f"image dtype must be uint8, got {image.dtype}; convert to 0..255")
    if image.ndim != 3 or image.shape[2] != 3:
        raise InvalidImageError(f"image must be RGB (H, W, 3), got shape {image.shape}")
    if not all(MIN_SIDE <= side <= MAX_SIDE for side in image.shape[:2]):
        raise InvalidImageError(
            f"image sides must be {MIN_SIDE} to {MAX_SIDE} px: {image.shape[1]}x{image.shape[0]}"
        )


def patch_grid(height: int, width: int, patches: int) -> tuple[int, int]:
    """Rows and columns of about ``patches`` nearly square patches for an image's aspect ratio."""
    rows = max(1, round((patches * height / width) ** 0.5))
    columns = max(1, round((patches * width / height) ** 0.5))
    return rows, columns


def resize(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize RGB; area filter when shrinking (no aliasing), bicubic when enlarging."""
    shrink = height * width < image.shape[0] * image.shape[1]
    method = cv2.INTER_AREA if shrink else cv2.INTER_CUBIC
    return np.ascontiguousarray(cv2.resize(image, (width, height), interpolation=method))


def normalise(image: NDArray[np.uint8]) -> Tensor:
    """uint8 (H, W, 3) -> float32 (3, H, W), zero mean and unit variance over ImageNet."""
    pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).float() / 255.0
    return (pixels - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def encoder_input(image: NDArray[np.uint8], grid: tuple[int, int], patch_size: int) -> Tensor:
    """Pixels (3, rows x patch, columns x patch) for the vision tower."""
    return normalise(resize(image, grid[0] * patch_size, grid[1] * patch_size))


def stem_input(image: NDArray[np.uint8], grid: tuple[int, int]) -> Tensor:
    """Pixels (3, 8 x rows, 8 x columns) for the mask head's RGB stem."""
    return normalise(resize(image, grid[0] * STEM_SCALE, grid[1] * STEM_SCALE))


class VisionTower(nn.Module):
    """Frozen DINOv2: pixels -> patch features (B, dim x layers, rows, columns).

    Args:
        model: the whole encoder; blocks that nothing is read of are cut off.
        layers: blocks whose output is read, ascending, counted from 1; empty for the last alone.
            How well each tells what a patch shows: ``training.design.blocks``.

    Raises:
        ValueError: the encoder has fewer blocks.
    """

    def __init__(self, *, model: Dinov2Model, layers: Sequence[int] = ()) -> None:
        super().__init__()
        blocks = len(model.encoder.layer)
        if any(not 1 <= one <= blocks for one in layers):
            raise ValueError(f"the encoder has {blocks} blocks, vision_layers is {tuple(layers)}")
        self.layers = tuple(layers) or (blocks,)
        model.encoder.layer = model.encoder.layer[: max(self.layers)]
        self.model = model.eval().requires_grad_(False)
        self.patch_size = int(model.config.patch_size)

    @classmethod
    def from_config(cls, config: LisaConfig, *, cache_dir: Path | None = None) -> VisionTower:
        """Open a configuration's encoder in float32 (never contacts a hub).

        Args:
            config: which encoder, and which of its blocks.
            cache_dir: where base weights are kept; the user's cache by default.
        """
        folder = ensure_base_weights(config.vision_tower, cache_dir=cache_dir)
        model = Dinov2Model.from_pretrained(str(folder), dtype=torch.float32, local_files_only=True)
        return cls(model=model, layers=config.vision_layers)

    @torch.no_grad()
    def forward(self, pixels: Tensor) -> Tensor:
        """Patch features after the encoder's norm, class token dropped."""
        rows, columns = (side // self.patch_size for side in pixels.shape[-2:])
        weight = self.model.embeddings.patch_embeddings.projection.weight
        hidden = self.model(pixels.to(weight.dtype), output_hidden_states=True).hidden_states
        # As DINOv2's own get_intermediate_layers: the final norm serves every block.
        read = [self.model.layernorm(hidden[one])[:, 1:] for one in self.layers]
        tokens = torch.cat(read, dim=-1)
        return tokens.transpose(1, 2).reshape(len(pixels), -1, rows, columns)


class VisualProjector(nn.Module):
    """Patch features -> a few visual tokens in the LLM's embedding space (LLaVA-1.5 style MLP)."""

    def __init__(self, *, config: LisaConfig) -> None:
        super().__init__()
        self.grid = config.visual_tokens
        self.inputs = config.visual_inputs
        self.length = config.visual_length
        channels = {
            "vision": 2 * config.vision_dim,
            "aligned": config.out_dim,
            "colour": COLOUR_CHANNELS,
            "place": PLACE_CHANNELS,
        }
        self.layers = nn.Sequential(
            nn.Linear(sum(channels[one] for one in self.inputs), config.llm_dim),
            nn.GELU(),
            nn.Linear(config.llm_dim, config.llm_dim),
        )

    def forward(
        self, vision: Tensor, features: ImageFeatures | None = None, rgb: Tensor | None = None
    ) -> Tensor:
        """Visual tokens (B, rows x columns, llm_dim) of whole frames.

        Mean and maximum over each cell: the mean alone loses a thing of one or two patches.

        Args:
            vision: (B, vision_dim, h, w).
            features: what the mask head made of it; needed for the input ``aligned``.
            rgb: (B, 3, H, W) the picture, normalised; needed for the input ``colour``.
        """
        vision = vision.float()
        pooled = [
            F.adaptive_avg_pool2d(vision, self.grid),
            F.adaptive_max_pool2d(vision, self.grid),
        ]
        if "aligned" in self.inputs:
            assert features is not None, "visual_inputs has 'aligned'"
            # As long as the rest: unit vectors of 256 numbers would hardly be heard.
            aligned = features.aligned.float() * features.aligned.shape[1] ** 0.5
            pooled.append(F.adaptive_avg_pool2d(aligned, self.grid))
        if "colour" in self.inputs:
            assert rgb is not None, "visual_inputs has 'colour'"
            pooled.append(colour(rgb.float(), self.grid))
        if "place" in self.inputs:
            pooled.append(place(None, len(vision), self.grid, vision))
        tokens: Tensor = self.layers(torch.cat(pooled, dim=1).flatten(2).transpose(1, 2))
        if self.length:
            tokens = self.length * F.rms_norm(tokens, tokens.shape[-1:])
        return tokens
