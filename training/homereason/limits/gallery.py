"""A contact sheet of failures, drawn by lot."""

from __future__ import annotations

import hashlib
import itertools
import textwrap
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lisa_model.overlay import PALETTE, outline_mask, resized_mask, tint_mask, write_line
from lisa_model.rgbd import RgbdFrame, load_frame
from training.homereason.limits.finding import ANOTHER_THING, IN_VAIN, Finding

TILES = 24
COLUMNS = 6
MOST_BYTES = 1_000_000
RULE = (
    "Drawn by lot, not chosen: failures of each subset are ordered by the SHA-256 of seed, frame, "
    "kind and text, and the subsets take turns until the sheet is full."
)
_WIDTH, _HEIGHT, _LINE = 320, 240, 15
_HEAD_LINES, _TEXT_LINES, _CHARACTERS, _SCALE = 2, 4, 43, 0.4
_TILE_HEIGHT = _HEIGHT + (_HEAD_LINES + _TEXT_LINES) * _LINE + 8
_QUALITIES = (88, 80, 72, 64, 56, 48)
_ANSWER, _TRUTH = PALETTE[0], (255, 255, 255)


def choose(findings: Sequence[Finding], *, count: int = TILES, seed: int = 0) -> list[Finding]:
    """Failures by ``RULE``, sorted by subset."""
    drawn: dict[str, list[Finding]] = {}
    for one in sorted(findings, key=lambda one: _lot(one, seed)):
        if one.failure is not None:
            drawn.setdefault(one.question.subset, []).append(one)
    rounds = itertools.zip_longest(*(drawn[name] for name in sorted(drawn)))
    turns = [one for some in rounds for one in some if one is not None]
    return sorted(turns[:count], key=lambda one: (one.question.subset, _lot(one, seed)))


def _lot(one: Finding, seed: int) -> str:
    said = "\n".join((str(seed), one.question.frame, one.question.kind, one.question.text))
    return hashlib.sha256(said.encode()).hexdigest()


def describe(one: Finding) -> str:
    """Which failure, with the names of what was marked and meant."""
    meant = " and ".join(one.question.categories)
    if one.failure == ANOTHER_THING:
        return f"{one.marked}, not {meant}"
    if one.failure == IN_VAIN:
        return f"{one.marked}, though no {meant}"
    return f"{one.failure}: {meant}"


def tile(one: Finding, frame: RgbdFrame) -> NDArray[np.uint8]:
    """The picture with the answer (orange) and the outline of what is meant (white), and a caption.

    Returns:
        (330 or so, 320, 3) uint8 RGB, all of the same size.
    """
    size = (_WIDTH, _HEIGHT)
    out = np.full((_TILE_HEIGHT, _WIDTH, 3), 32, np.uint8)
    small = np.asarray(cv2.resize(frame.color, size, interpolation=cv2.INTER_AREA), np.uint8)
    tint_mask(small, resized_mask(one.mask, size), _ANSWER, thickness=1)
    truth = resized_mask(frame.mask(one.question.ids), size)
    outline_mask(small, truth, ((0, 0, 0), 3), (_TRUTH, 1))
    out[:_HEIGHT] = small
    for number, line in enumerate(_caption(one)):
        write_line(out, line, (4, _HEIGHT + (number + 1) * _LINE), scale=_SCALE)
    return out


def _caption(one: Finding) -> list[str]:
    sure = one.outcome.confidence
    score = "" if sure is None else f", score {sure:.2f}"
    head = f"({one.question.subset}) {one.question.kind}: IoU {one.iou:.2f}{score}"
    text = textwrap.wrap(one.question.text, _CHARACTERS)
    if len(text) > _TEXT_LINES:
        text = [*text[: _TEXT_LINES - 1], text[_TEXT_LINES - 1][: _CHARACTERS - 4] + " ..."]
    return [head[:_CHARACTERS], describe(one)[:_CHARACTERS], *text]


def sheet(tiles: Sequence[NDArray[np.uint8]], *, columns: int = COLUMNS) -> NDArray[np.uint8]:
    """Tiles row by row.

    Raises:
        ValueError: there is none.
    """
    if not tiles:
        raise ValueError("a gallery needs at least one failure")
    height, width = tiles[0].shape[:2]
    rows = -(-len(tiles) // columns)
    out = np.zeros((rows * height, min(columns, len(tiles)) * width, 3), np.uint8)
    for number, one in enumerate(tiles):
        top, left = number // columns * height, number % columns * width
        out[top : top + height, left : left + width] = one
    return out


def write_gallery(path: Path, chosen: Sequence[Finding]) -> None:
    """Write the sheet as JPEG below ``MOST_BYTES``, at the best quality that fits.

    Raises:
        OSError: it cannot be written.
        ValueError: there is no failure, or no quality fits.
    """
    picture = sheet([tile(one, load_frame(one.path, depth=False)) for one in chosen])
    for quality in _QUALITIES:
        done, data = cv2.imencode(".jpg", picture[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, quality))
        if not done:
            raise OSError(f"could not encode {path}")
        if len(data) < MOST_BYTES:
            path.write_bytes(data.tobytes())
            return
    raise ValueError(f"{path}: {len(chosen)} tiles do not fit into {MOST_BYTES} bytes; take fewer")
