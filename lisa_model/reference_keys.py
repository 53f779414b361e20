"""What patches are like, in numbers that a reference is compared with.

Behind learnt numbers stand plain ones: extent (size and foot) of the thing that a patch shows,
colour, and place. :func:`pulls` and :func:`tints` say what a reference makes of them, :func:`heard`
whether it says anything.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from lisa_model.config import LisaConfig, MaskHeadConfig
from lisa_model.reference import Reference

COLOUR_CHANNELS = 6
PLACE_CHANNELS = 10
# Size and foot of the thing that a patch shows.
EXTENT_CHANNELS = 2
# Extent, colour and place are compared directly, too; beside the learnt keys they would be hardly
# heard.
PLAIN_SCALE = 3.0


def key_dim(head: MaskHeadConfig) -> int:
    """Width of the keys that a reference is compared with; 0 for a head without."""
    if not head.referent_dim:
        return 0
    extent = EXTENT_CHANNELS if head.extent_dim else 0
    return head.referent_dim + extent + COLOUR_CHANNELS + PLACE_CHANNELS


def pulls(reference: Reference) -> Tensor:
    """How a reference's appeal grows to the right, downwards, away from each anchor, with size, and
    downwards with the foot: (n, 6); the last two mean nothing for a head that estimates no extents.

    In :data:`lisa_model.reference.APPEAL_SCALE` logits for half the picture's width or height, or
    for a thing e times as long.
    """
    x = -PLACE_CHANNELS
    size = x - COLOUR_CHANNELS - EXTENT_CHANNELS
    along = reference.which * PLAIN_SCALE / reference.which.shape[1] ** 0.5
    extent = along[:, size : size + EXTENT_CHANNELS]
    return torch.cat([along[:, x : x + 2], reference.reach, extent], dim=1)


def tints(reference: Reference) -> Tensor:
    """How a reference's appeal grows with a patch's mean red, green and blue: (n, 3).

    In :data:`lisa_model.reference.APPEAL_SCALE` logits for a unit of the normalised picture.
    """
    at = -PLACE_CHANNELS - COLOUR_CHANNELS
    return reference.which[:, at : at + 3] * PLAIN_SCALE / reference.which.shape[1] ** 0.5


def heard(reference: Reference, config: LisaConfig) -> Reference:
    """Of n references, those that say something; the others mean whichever thing of their kind.

    What an LLM says is never quite nothing, and among things that may all be of the meant kind a
    whisper would decide.

    Args:
        reference: of the model.
        config: of the model; its ``reference_floor`` is the least strength, of the strongest of the
            :func:`pulls` or of all :func:`tints` together.
    """
    said = reference.float()
    directions = pulls(said)[:, : 6 if config.mask_head.extent_dim else 4]
    strength = torch.maximum(directions.abs().amax(1), tints(said).norm(dim=1))
    loud = (strength >= config.reference_floor).to(reference.which.dtype)[:, None]
    return replace(reference, which=reference.which * loud, reach=reference.reach * loud)


def colour(rgb: Tensor, grid: Sequence[int]) -> Tensor:
    """Mean and deviation of a picture (B, 3, H, W) in each cell of a grid: (B, 6, h, w)."""
    size = (grid[0], grid[1])
    mean = F.adaptive_avg_pool2d(rgb, size)
    variance = F.adaptive_avg_pool2d(rgb.square(), size) - mean.square()
    return torch.cat([mean, variance.clamp(min=0.0).sqrt()], dim=1)


def place(windows: Tensor | None, count: int, grid: Sequence[int], like: Tensor) -> Tensor:
    """Where the cells of a grid are in the whole frame: (count, 10, h, w).

    Centre (x, y), -1 to 1; sine and cosine of once and twice pi times them.

    Args:
        windows: (count, 4) as for :meth:`MaskHead.encode`; None for whole frames.
        count: images.
        grid: rows and columns.
        like: for device and dtype.
    """
    if windows is None:
        windows = like.new_tensor([[0.0, 0.0, 1.0, 1.0]]).expand(count, 4)
    windows = windows.to(like)
    rows, columns = grid
    x = (torch.arange(columns, device=like.device, dtype=like.dtype) + 0.5) / columns
    y = (torch.arange(rows, device=like.device, dtype=like.dtype) + 0.5) / rows
    x = windows[:, 0:1] + x * (windows[:, 2:3] - windows[:, 0:1])
    y = windows[:, 1:2] + y * (windows[:, 3:4] - windows[:, 1:2])
    across = (2 * x - 1)[:, None, :].expand(count, rows, columns)
    down = (2 * y - 1)[:, :, None].expand(count, rows, columns)
    both = torch.stack([across, down], dim=1)
    waves = [wave(turns * math.pi * both) for turns in (1, 2) for wave in (torch.sin, torch.cos)]
    return torch.cat([both, *waves], dim=1)
