"""Images in and masks out, exactly as the official LISA code does it.

Pillow resizes the uint8 pixels (with antialiasing and rounding); a resize of float tensors gives
other values.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

# SAM's pixel statistics (segment-anything); of 0..255 values.
SAM_MEAN = (123.675, 116.28, 103.53)
SAM_STD = (58.395, 57.12, 57.375)


def clip_pixels(
    image: NDArray[np.uint8],
    *,
    resize: int,
    crop: int,
    mean: Sequence[float],
    std: Sequence[float],
) -> Tensor:
    """What CLIP sees: the middle of the image.

    The shortest edge is resized to ``resize`` (bicubic), a square of ``crop`` cut from the centre:
    the ends of the long side are invisible to the LLM.

    Args:
        image: (H, W, 3) uint8 RGB.

    Returns:
        (3, crop, crop) float32.
    """
    height, width = image.shape[:2]
    short, long = min(height, width), max(height, width)
    scaled = int(resize * long / short)
    size = (resize, scaled) if width <= height else (scaled, resize)  # (width, height)
    small = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))
    top, left = (small.shape[0] - crop) // 2, (small.shape[1] - crop) // 2
    if min(top, left) < 0:
        raise ValueError(f"crop {crop} is larger than the resized image {small.shape[:2]}")
    cut = small[top : top + crop, left : left + crop].astype(np.float32) / np.float32(255.0)
    normal = (cut - np.asarray(mean, np.float32)) / np.asarray(std, np.float32)
    return torch.from_numpy(np.ascontiguousarray(normal.transpose(2, 0, 1)))


def sam_resize(image: NDArray[np.uint8], target: int) -> NDArray[np.uint8]:
    """Resize the longest side to ``target`` (bilinear); smaller images are enlarged.

    Args:
        image: (H, W, 3) uint8 RGB.
    """
    height, width = image.shape[:2]
    scale = target / max(height, width)
    size = (int(width * scale + 0.5), int(height * scale + 0.5))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))


def sam_pixels(
    image: NDArray[np.uint8],
    target: int,
    *,
    mean: Sequence[float] = SAM_MEAN,
    std: Sequence[float] = SAM_STD,
) -> tuple[Tensor, tuple[int, int]]:
    """What SAM sees: the whole image, normalised and padded with zeros at the right and bottom.

    Args:
        image: (H, W, 3) uint8 RGB.
        target: side of the input.
        mean, std: of each channel's values, 0 to 255; another image encoder has its own.

    Returns:
        (3, target, target) float32 and the resized image's (height, width).
    """
    small = sam_resize(image, target)
    height, width = small.shape[:2]
    pixels = np.zeros((3, target, target), np.float32)
    table = _normalised(tuple(mean), tuple(std))
    for channel, plane in enumerate(cv2.split(small)):
        pixels[channel, :height, :width] = cv2.LUT(plane, table[channel])
    return torch.from_numpy(pixels), (height, width)


@lru_cache(maxsize=8)
def _normalised(mean: tuple[float, ...], std: tuple[float, ...]) -> NDArray[np.float32]:
    """(3, 256) what each value of a channel becomes: looked up, not computed for every pixel."""
    values = torch.arange(256, dtype=torch.float32)
    return ((values - torch.tensor(mean).view(3, 1)) / torch.tensor(std).view(3, 1)).numpy()


def postprocess_masks(
    low_resolution: Tensor, *, target: int, resized: tuple[int, int], original: tuple[int, int]
) -> Tensor:
    """Mask logits in the size of the user's image.

    Args:
        low_resolution: (n, 1, h, w) of the mask decoder.
        target: SAM's input side.
        resized: (height, width) of the image within that input, see :func:`sam_pixels`.
        original: (height, width) of the user's image.

    Returns:
        (n, height, width) float32.
    """
    height, width = resized
    big = F.interpolate(
        low_resolution.float(), (target, target), mode="bilinear", align_corners=False
    )
    cut = big[..., :height, :width]
    return F.interpolate(cut, original, mode="bilinear", align_corners=False)[:, 0]
