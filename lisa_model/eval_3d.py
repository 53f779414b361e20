"""Masks and 3D points of a model against the instance annotation of a recording.

The true points are estimated from the true masks and the same depth, as the node does it from its
own masks: so the error is that of the mask, not of the depth camera.  They are middles of visible
surfaces.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lisa_model.errors import LisaError
from lisa_model.geometry import Intrinsics, Target3D, TargetConfig, estimate_target
from lisa_model.metrics import MaskScore, bootstrap_interval, c_iou, g_iou, score_mask
from lisa_model.recordings.base import Recording, RecordingError, to_metres
from lisa_model.recordings.questions import Questions

WITHIN_M = (0.05, 0.10, 0.25)


class Segmenter(Protocol):
    """The part of ReasoningSegmenter that is used."""

    def segment(
        self, image: NDArray[np.uint8], intent: str, *, max_new_tokens: int | None = None
    ) -> Any:
        """Return masks (n, H, W) bool and scores (n,)."""


@dataclass(frozen=True)
class EvalConfig:
    """What is asked and how answers are taken.

    Attributes:
        every: only each N-th frame.
        limit: the first N of those only; None for all.
        min_area_px: questions whose true mask is smaller are not asked.
        score_threshold: masks with a lower score are no answer.
        max_new_tokens: longest answer.
    """

    every: int = 1
    limit: int | None = None
    min_area_px: int = 300
    score_threshold: float = 0.3
    max_new_tokens: int = 16

    def __post_init__(self) -> None:
        for field in ("every", "limit", "min_area_px", "max_new_tokens"):
            value = getattr(self, field)
            if value is not None and value < 1:
                raise ValueError(f"{field} is {value}; must be >= 1")
        if not 0.0 <= self.score_threshold <= 1.0:
            raise ValueError(f"score_threshold is {self.score_threshold}; must be 0..1")


@dataclass(frozen=True)
class Record:
    """One question's outcome.

    Attributes:
        group: see ``Asked``.
        score: of all answered masks joined.
        has_truth_3d: the depth under the true mask gives a point.
        answered_3d: the depth under the best answered mask gives a point.
        error_m: distance to the nearest true point [m]; None unless both are there.
    """

    group: str
    frame: str
    intent: str
    score: MaskScore
    has_truth_3d: bool
    answered_3d: bool
    error_m: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self) | {"iou": self.score.iou}


def evaluate(
    segmenter: Segmenter, recording: Recording, questions: Questions, config: EvalConfig
) -> list[Record]:
    """Ask every question about every chosen frame.

    Raises:
        LisaError: there is no question to ask, or the recording is malformed.
    """
    records: list[Record] = []
    chosen = itertools.islice(recording.frames(), 0, None, config.every)
    for frame in itertools.islice(chosen, config.limit):
        ids = frame.instance_ids
        if ids is None:
            raise RecordingError(
                f"{recording.path}: frame {frame.name} has no instance image. Unpack the annotation"
            )
        depth = to_metres(frame.registered_depth_mm())
        for asked in questions(frame):
            truth = np.isin(ids, asked.instances)
            if int(truth.sum()) < config.min_area_px:
                continue
            result = segmenter.segment(
                frame.color, asked.intent, max_new_tokens=config.max_new_tokens
            )
            masks, scores = _answers(result, config.score_threshold)
            points = [
                point
                for number in asked.instances
                if (point := _point(np.equal(ids, number), depth, frame.color_intrinsics))
                is not None
            ]
            found = None
            if len(masks):
                found = _point(masks[int(np.argmax(scores))], depth, frame.color_intrinsics)
            error = None
            if found is not None and points:
                error = min(float(np.linalg.norm(found - point)) for point in points)
            records.append(
                Record(
                    group=asked.group,
                    frame=frame.name,
                    intent=asked.intent,
                    score=score_mask(np.any(masks, axis=0), truth),
                    has_truth_3d=bool(points),
                    answered_3d=found is not None,
                    error_m=error,
                )
            )
    if not records:
        raise LisaError(
            f"{recording.path}: there is nothing to ask: no frame shows an annotated object of at "
            f"least {config.min_area_px} pixels"
        )
    return records


def summarise(records: Sequence[Record]) -> dict[str, Any]:
    """Return the figures.

    Intervals draw whole groups, for frames of one scan show the same things; of a single group none
    can be given (None).  A missing point counts as one that is not within any distance.
    """
    scores = [record.score for record in records]
    groups: dict[str, list[MaskScore]] = {}
    for record in records:
        groups.setdefault(record.group, []).append(record.score)
    several = len(groups) > 1
    with_truth = [record for record in records if record.has_truth_3d]
    errors = [record.error_m for record in with_truth if record.error_m is not None]
    points: dict[str, Any] = {
        "n": len(with_truth),
        "answered": len(errors),
        "median_error_m": float(np.median(errors)) if errors else None,
        "p90_error_m": float(np.quantile(errors, 0.9)) if errors else None,
    }
    for distance in WITHIN_M:
        near = sum(error <= distance for error in errors)
        points[f"within_{distance:g}_m"] = near / len(with_truth) if with_truth else None
    return {
        "frames": len({record.frame for record in records}),
        "groups": len(groups),
        "masks": {
            "n": len(scores),
            "giou": g_iou(scores),
            "giou_95": bootstrap_interval(list(groups.values())) if several else None,
            "ciou": c_iou(scores),
        },
        "points": points,
    }


def _answers(result: Any, threshold: float) -> tuple[NDArray[np.bool_], NDArray[np.floating[Any]]]:
    masks = np.asarray(result.masks, dtype=np.bool_)
    scores = np.asarray(result.scores)
    kept = (scores >= threshold) & masks.any(axis=(1, 2))
    return masks[kept], scores[kept]


def _point(
    mask: NDArray[np.bool_], depth: NDArray[np.float32], intrinsics: Intrinsics
) -> NDArray[np.float64] | None:
    found = estimate_target(mask, depth, intrinsics, TargetConfig())
    return found.point if isinstance(found, Target3D) else None
