"""gIoU and cIoU over seeds and questions, with paired bootstrap intervals. Pure.

Seeds and whole frames are drawn with replacement, both at once: questions of a frame share its
picture, and a seed stands for a training that could have gone otherwise. Two rows are drawn alike,
so that what makes a frame or a seed hard for both cancels in their difference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lisa_model.metrics import MaskScore
from training.experiments.errors import ExperimentError

DRAWS = 10_000
LEVEL = 0.95
Measure = Literal["giou", "ciou"]
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Sums over the questions of each frame, for S seeds and F frames.

    Attributes:
        seeds: (S,).
        questions: (frame, kind, text) of each question, in order.
        count: (F,) questions of a frame.
        iou: (S, F) summed IoU.
        intersection, union: (S, F) summed pixels.
    """

    seeds: tuple[int, ...]
    questions: tuple[tuple[str, str, str], ...]
    count: Floats
    iou: Floats
    intersection: Floats
    union: Floats

    def value(self, measure: Measure) -> float:
        """Mean over the seeds."""
        ones, each = np.ones((1, len(self.count))), np.ones((1, len(self.seeds)))
        return float(self._values(measure, ones, each)[0])

    def _values(self, measure: Measure, frames: Floats, seeds: Floats) -> Floats:
        """(D,) values of D draws.

        Args:
            frames: (D, F) how often each frame was drawn.
            seeds: (D, S) how often each seed was drawn.
        """
        if measure == "giou":
            each = (frames @ self.iou.T) / (frames @ self.count)[:, None]
        else:
            # 1e-10 as in lisa_model.metrics.c_iou.
            each = (frames @ self.intersection.T) / (frames @ self.union.T + 1e-10)
        return (each * seeds).sum(1) / seeds.sum(1)


def scores(
    records: Mapping[int, Sequence[Mapping[str, Any]]],
    keep: Callable[[Mapping[str, Any]], bool] = lambda _: True,
) -> Scores:
    """Scores from the records of each seed (lines of the evaluation's records file).

    Args:
        keep: which records count.

    Raises:
        ExperimentError: there is nothing, or the seeds were not asked the same.
    """
    seeds = tuple(sorted(records))
    rows = {seed: [one for one in records[seed] if keep(one)] for seed in seeds}
    if not seeds or not rows[seeds[0]]:
        raise ExperimentError("there are no questions to score")
    asked = [(one["frame"], one["kind"], one["text"]) for one in rows[seeds[0]]]
    for seed in seeds:
        if [(one["frame"], one["kind"], one["text"]) for one in rows[seed]] != asked:
            raise ExperimentError(f"seed {seed} was asked other questions than seed {seeds[0]}")
    frames = {name: k for k, name in enumerate(dict.fromkeys(frame for frame, _, _ in asked))}
    owner = np.array([frames[frame] for frame, _, _ in asked])

    def summed(value: Callable[[MaskScore], float]) -> Floats:
        out = np.zeros((len(seeds), len(frames)))
        for row, seed in enumerate(seeds):
            found = [value(MaskScore(**one["score"])) for one in rows[seed]]
            np.add.at(out[row], owner, found)
        return out

    return Scores(
        seeds=seeds,
        questions=tuple(asked),
        count=np.bincount(owner, minlength=len(frames)).astype(np.float64),
        iou=summed(lambda one: one.iou),
        intersection=summed(lambda one: one.intersection),
        union=summed(lambda one: one.union),
    )


def interval(one: Scores, measure: Measure, *, draws: int = DRAWS) -> tuple[float, float]:
    """95% interval of a row's value."""
    frames, seeds = _draws(one, draws)
    return _quantiles(one._values(measure, frames, seeds))


def difference(
    better: Scores, worse: Scores, measure: Measure, *, draws: int = DRAWS
) -> tuple[float, tuple[float, float]]:
    """Difference of two rows, and its paired 95% interval.

    Raises:
        ExperimentError: they have not the same seeds and questions.
    """
    if better.seeds != worse.seeds or better.questions != worse.questions:
        raise ExperimentError(
            "a paired difference needs the same seeds and questions on both sides"
        )
    frames, seeds = _draws(better, draws)
    values = better._values(measure, frames, seeds) - worse._values(measure, frames, seeds)
    return better.value(measure) - worse.value(measure), _quantiles(values)


def _draws(one: Scores, draws: int) -> tuple[Floats, Floats]:
    """How often each frame (D, F) and each seed (D, S) is drawn; the same for the same sizes."""
    rng = np.random.default_rng(0)
    frames, seeds = len(one.count), len(one.seeds)
    return (
        rng.multinomial(frames, np.full(frames, 1 / frames), size=draws).astype(np.float64),
        rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws).astype(np.float64),
    )


def _quantiles(values: Floats) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
