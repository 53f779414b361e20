"""Samples as small pictures on one sheet, with masks, questions and answers, for people."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lisa_model.llava.tokenizer import IMAGE_TOKEN
from lisa_model.overlay import draw_masks, write_line
from training.data.sample import Sample

TILE_WIDTH, PICTURE_HEIGHT, LINE_HEIGHT = 400, 260, 16
_LINES = 7
TILE_HEIGHT = PICTURE_HEIGHT + _LINES * LINE_HEIGHT + 8
_SCALE = 0.4
_CHARACTERS = 54


def tile(sample: Sample) -> NDArray[np.uint8]:
    """(TILE_HEIGHT, TILE_WIDTH, 3) uint8 RGB: the image with all its masks, and the first turns."""
    out = np.full((TILE_HEIGHT, TILE_WIDTH, 3), 32, np.uint8)
    height, width = sample.image.shape[:2]
    scale = min(TILE_WIDTH / width, PICTURE_HEIGHT / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(sample.image, size, interpolation=cv2.INTER_AREA)
    masks = [
        cv2.resize((mask > 0).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
        for mask in sample.masks
    ]
    if masks:
        small = draw_masks(np.asarray(small, np.uint8), np.stack(masks))
    out[: size[1], : size[0]] = small
    for number, line in enumerate(_text(sample)):
        at = (4, PICTURE_HEIGHT + (number + 1) * LINE_HEIGHT)
        write_line(out, line, at, scale=_SCALE)
    return out


def _text(sample: Sample) -> list[str]:
    lines = [f"{sample.provenance} ({len(sample.masks)} masks)"[-_CHARACTERS:]]
    for conversation in sample.conversations:
        question, answer = conversation[0]
        asked = " ".join(question.replace(IMAGE_TOKEN, "").split())
        for text in (f"Q: {asked}", f"A: {' '.join(answer.split())}"):
            lines += textwrap.wrap(text, _CHARACTERS)
    if len(lines) > _LINES:
        lines = [*lines[: _LINES - 1], f"... {len(sample.conversations)} conversations"]
    return lines


def contact_sheet(samples: Sequence[Sample], *, columns: int = 4) -> NDArray[np.uint8]:
    """Tiles of all samples, row by row.

    Raises:
        ValueError: there is no sample.
    """
    if not samples:
        raise ValueError("a contact sheet needs at least one sample")
    rows = -(-len(samples) // columns)
    out = np.zeros((rows * TILE_HEIGHT, columns * TILE_WIDTH, 3), np.uint8)
    for number, sample in enumerate(samples):
        top, left = number // columns * TILE_HEIGHT, number % columns * TILE_WIDTH
        out[top : top + TILE_HEIGHT, left : left + TILE_WIDTH] = tile(sample)
    return out
