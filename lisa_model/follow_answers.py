"""What a new answer of the LLM says about the targets that are followed; rules: docs/follow.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lisa_model.follow_frame import SAME_THING, Frame
from lisa_model.follow_target import Sight, Target
from lisa_model.mask_parts import overlap
from lisa_model.segmenter import SegmentationResult


class Marked(NamedTuple):
    """A mask of an answer: its row there, its query (dim,), and what it shows."""

    row: int
    query: NDArray[np.float32]
    sight: Sight


def marked(frame: Frame, answer: SegmentationResult) -> list[Marked]:
    """The masks of an answer about a frame, as later looks will see them; without empty ones."""
    found = []
    rows = zip(answer.queries, answer.masks, answer.scores, strict=True)
    for row, (query, mask, score) in enumerate(rows):
        if int(mask.sum()) < frame.config.min_area_px:
            continue
        close = frame.look_at(query, mask)
        if overlap(mask, close.mask) >= SAME_THING:  # where the two agree, the answer's is better
            found.append(Marked(row, query, replace(close, mask=mask, score=float(score))))
        elif close.area >= frame.config.min_area_px:
            found.append(Marked(row, query, close))
    return found


def take_over(frame: Frame, answers: Sequence[Marked]) -> list[Marked]:
    """Give each target its mask of a new answer; the masks that belong to none are returned."""
    left = list(frame.targets)
    strangers = []
    for one in answers:
        target = _owner(frame, one, left)
        if target is None:
            strangers.append(one)
            continue
        left.remove(target)
        target.query = one.query
        confidence = target.confidence(one.sight, frame.config)
        if target.id not in frame.seen or confidence > frame.seen[target.id]:
            target.see(one.sight, frame.config)
            frame.seen[target.id] = confidence
    return strangers


def _owner(frame: Frame, one: Marked, targets: Sequence[Target]) -> Target | None:
    """The target that a mask of a new answer belongs to."""
    for target in targets:
        if target.id in frame.seen and overlap(target.last.mask, one.sight.mask) >= SAME_THING:
            return target
    for target in targets:
        sure = target.confidence(one.sight, frame.config) >= frame.config.found_above
        meant = target.meant_by(one.query, frame.config)
        gone = target.id not in frame.seen
        if gone and sure and meant and not frame.taken(one.sight, target):
            return target
    return None
