"""A mask head of a few numbers, for tests."""

from __future__ import annotations

from dataclasses import replace

import torch

from lisa_model.config import MaskHeadConfig, preset
from lisa_model.mask_head import MaskHead

OUT_DIM = 16


def small_head(
    *, vision_dim: int, referent_dim: int = 0, naming_dim: int = 0, extent_dim: int = 0
) -> MaskHead:
    """The same weights on every call; prompts have ``OUT_DIM`` numbers."""
    torch.manual_seed(0)
    sizes = MaskHeadConfig(
        dim=32,
        num_heads=4,
        mlp_dim=32,
        stem_dim=8,
        referent_dim=referent_dim,
        naming_dim=naming_dim,
        extent_dim=extent_dim,
    )
    config = replace(preset("lisa-tiny"), vision_dim=vision_dim, out_dim=OUT_DIM, mask_head=sizes)
    return MaskHead(config=config)
