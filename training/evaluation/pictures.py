"""The worst answers as pictures: image, truth and prediction side by side."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lisa_model.metrics import IGNORE
from lisa_model.overlay import PALETTE, tint_mask, write_line
from training.evaluation.contender import Contender
from training.evaluation.items import Benchmark
from training.evaluation.records import Record

_TRUTH, _IGNORED, _ANSWER = PALETTE[2], (128, 128, 128), PALETTE[0]
_SIDE = 640  # pixels of the longer side of each of the three
_LINE, _CHARACTER = 22, 9  # pixels of a line of text and of a character in it


def worst(records: Sequence[Record], count: int) -> list[Record]:
    """The ``count`` records of the lowest IoU."""
    return sorted(records, key=lambda record: (record.iou, record.order))[:count]


def write_pictures(
    folder: Path, records: Sequence[Record], benchmark: Benchmark, contender: Contender
) -> list[Path]:
    """Ask again what these records are of, and draw it.

    Args:
        records: of this contender.

    Raises:
        OSError: a picture cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    protocol = re.sub(r"\W+", "-", contender.protocol)
    written = []
    for place, record in enumerate(records, start=1):
        item = benchmark.read(record.number)
        ask = item.asks[record.part]
        (reply,) = contender.answer(item.image, [ask])
        picture = draw(item.image, item.truths[record.part], reply.mask, caption(record))
        stem = re.sub(r"\W+", "-", Path(record.image).stem)
        path = folder / f"{protocol}-{place:03d}-{stem}-{record.part}.jpg"
        if not cv2.imwrite(str(path), picture[..., ::-1]):
            raise OSError(f"could not write {path}")
        written.append(path)
    return written


def caption(record: Record) -> str:
    """IoU, question and answer."""
    answer = f" -> {record.answer}" if record.answer else ""
    return f"IoU {record.iou:.3f}: {record.question}{answer}"


def draw(
    image: NDArray[np.uint8],
    truth: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    text: str,
) -> NDArray[np.uint8]:
    """Image, truth (pixels that are not scored in grey) and prediction, below a text.

    Args:
        image: (H, W, 3) uint8 RGB.
        truth: (H, W) uint8.
        mask: (H, W) bool.

    Returns:
        (h, 3 w, 3) uint8 RGB, with the lines of text on top.
    """
    scale = _SIDE / max(image.shape[:2])
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    smooth = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_LINEAR
    shown = cv2.resize(image, (width, height), interpolation=smooth)

    def fitted(one: NDArray[np.bool_]) -> NDArray[np.bool_]:
        size = (width, height)
        return cv2.resize(one.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0

    wanted, answered = shown.copy(), shown.copy()
    tint_mask(wanted, fitted(truth == IGNORE), _IGNORED, thickness=1)
    tint_mask(wanted, fitted(truth == 1), _TRUTH)
    tint_mask(answered, fitted(mask), _ANSWER)
    row = np.concatenate([shown, wanted, answered], axis=1)
    lines = textwrap.wrap(text, min(120, max(20, row.shape[1] // _CHARACTER)))[:4]
    strip = np.full((_LINE * len(lines) + 4, row.shape[1], 3), 40, np.uint8)
    for number, line in enumerate(lines):
        write_line(strip, line, (6, _LINE * number + 17), scale=0.45)
    return np.concatenate([strip, row], axis=0)
