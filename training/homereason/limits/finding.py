"""One answer, with what lies under its mask and which failure it is."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lisa_model.rgbd import RgbdFrame
from training.homereason.question import Question
from training.homereason.scoring import GOOD, Outcome
from training.household.evaluate import FOUND, reference_area

BACKGROUND = "background"

NOTHING_MARKED = "nothing marked"
ANOTHER_THING = "another thing"
ON_BACKGROUND = "background"
ROUGH_MASK = "right thing, poor mask"
IN_VAIN = "marked, though nothing fits"
FAILURES = {
    NOTHING_MARKED: "something fits, and the answer marks nothing",
    ANOTHER_THING: f"IoU at most {FOUND}; most of the mask lies on a thing that is not meant",
    ON_BACKGROUND: f"IoU at most {FOUND}; most of the mask lies on floor, wall or ceiling",
    ROUGH_MASK: f"IoU at most {GOOD}, but above {FOUND} or with most of the mask on what is meant",
    IN_VAIN: "nothing fits, and the answer marks something",
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One question's outcome, and what explains it.

    Attributes:
        path: the frame's JSON.
        question: what was asked.
        outcome: how it was scored.
        area_px: of all that is meant, in pixels of 640 x 480.
        marked: category of the instance that has most pixels under the mask, or ``BACKGROUND`` when
            no instance has as many as the background; None where nothing is marked.
        on_target: that instance is meant.
        in_view: category of each instance of the frame.
        packed: the answer's mask, see :attr:`mask`.
        shape: (H, W) of the mask.
    """

    path: Path
    question: Question
    outcome: Outcome
    area_px: float
    marked: str | None
    on_target: bool
    in_view: tuple[str, ...]
    packed: bytes
    shape: tuple[int, int]

    @property
    def iou(self) -> float:
        """Of all masks joined against all targets joined."""
        return self.outcome.score.iou

    @property
    def one_target(self) -> bool:
        """The question asks for exactly one thing, which is there."""
        return len(self.question.targets) == 1

    @property
    def mask(self) -> NDArray[np.bool_]:
        """All masks of the answer joined, (H, W) bool."""
        bits = np.frombuffer(zlib.decompress(self.packed), dtype=np.uint8)
        height, width = self.shape
        return np.unpackbits(bits, count=height * width).reshape(self.shape).astype(bool)

    @property
    def failure(self) -> str | None:
        """One of ``FAILURES``; None when the answer is good."""
        if not self.outcome.fits:
            return None if self.outcome.refused else IN_VAIN
        if self.iou > GOOD:
            return None
        if self.outcome.refused:
            return NOTHING_MARKED
        if self.iou > FOUND or self.on_target:
            return ROUGH_MASK
        return ON_BACKGROUND if self.marked == BACKGROUND else ANOTHER_THING


def find(
    path: Path, frame: RgbdFrame, question: Question, masks: NDArray[np.bool_], outcome: Outcome
) -> Finding:
    """Look at what lies under an answer's masks.

    Args:
        path: the frame's JSON.
        frame: the frame; background has id 0.
        masks: (n, H, W) bool, n may be 0.
        outcome: the answer's score.
    """
    mask: NDArray[np.bool_] = np.asarray(masks.any(axis=0), dtype=bool)
    names = {one.id: one.category for one in frame.instances}
    marked, number = _under(mask, frame.ids, names)
    return Finding(
        path=path,
        question=question,
        outcome=outcome,
        area_px=reference_area(frame.mask(question.ids)),
        marked=marked,
        on_target=number in question.ids,
        in_view=tuple(names.values()),
        packed=zlib.compress(np.packbits(mask).tobytes()),
        shape=(mask.shape[0], mask.shape[1]),
    )


def _under(
    mask: NDArray[np.bool_], ids: NDArray[np.uint8], names: dict[int, str]
) -> tuple[str | None, int]:
    if not mask.any():
        return None, 0
    counts = np.bincount(ids[mask], minlength=256)
    number = max(names, key=lambda one: int(counts[one]), default=0)
    known = sum(int(counts[one]) for one in names)
    if number == 0 or counts[number] <= counts.sum() - known:
        return BACKGROUND, 0
    return names[number], number
