"""From records to figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lisa_model.metrics import MaskScore, bootstrap_interval, c_iou, g_iou
from training.evaluation.gres import GresScore, lisa_giou, n_acc, t_acc
from training.evaluation.records import Record

Statistic = Callable[[Sequence[MaskScore]], float]
MEASURES: dict[str, Statistic] = {"giou": g_iou, "ciou": c_iou}
GRES_MEASURES: dict[str, Statistic] = {**MEASURES, "n_acc": n_acc, "t_acc": t_acc}


def groups_of(benchmark: str) -> dict[str, Callable[[Record], bool]]:
    """Which records are put together: ReasonSeg has short queries (phrases) and long ones."""
    overall: dict[str, Callable[[Record], bool]] = {"overall": lambda _: True}
    if benchmark != "reasonseg":
        return overall
    return {
        "short": lambda record: not record.is_sentence,
        "long": lambda record: record.is_sentence,
        **overall,
    }


def score_of(record: Record, benchmark: str) -> MaskScore:
    """The score that a record was made from."""
    if benchmark == "grefcoco":
        return GresScore(record.intersection, record.union, record.wanted, record.given)
    return MaskScore(record.intersection, record.union)


def summarise(records: Sequence[Record], benchmark: str, *, samples: int = 1000) -> dict[str, Any]:
    """Figures of one contender and protocol, by group.

    Intervals are percentile bootstraps over images (95 %): all questions of one are drawn together.

    Args:
        records: in any order; their order does not change the figures.
        samples: of the bootstrap.
    """
    return {
        name: _figures(sorted(filter(wanted, records), key=lambda r: r.order), benchmark, samples)
        for name, wanted in groups_of(benchmark).items()
    }


def _figures(records: Sequence[Record], benchmark: str, samples: int) -> dict[str, Any]:
    by_image: dict[int, list[MaskScore]] = {}
    for record in records:
        by_image.setdefault(record.number, []).append(score_of(record, benchmark))
    scores = [score for group in by_image.values() for score in group]
    out: dict[str, Any] = {"n": len(scores), "images": len(by_image)}
    if not scores:
        return out
    general = benchmark == "grefcoco"
    for name, statistic in (GRES_MEASURES if general else MEASURES).items():
        value = statistic(scores)
        if math.isnan(value):
            # Nothing in the split that it is a share of.
            out[name], out[f"{name}_95"] = None, None
            continue
        out[name] = value
        out[f"{name}_95"] = _interval(list(by_image.values()), statistic, samples)
    if general:
        out["giou_lisa"] = lisa_giou(scores)
        out["without_target"] = sum(not record.wanted for record in records)
    out["marked"] = float(np.mean([record.marked for record in records]))
    out["seconds_median"] = float(np.median([record.seconds for record in records]))
    return out


def _interval(
    groups: Sequence[Sequence[MaskScore]], statistic: Statistic, samples: int
) -> list[float] | None:
    low, high = bootstrap_interval(groups, statistic, samples=samples)
    # A draw can hold no expression of the kind that a share is of.
    return None if math.isnan(low) or math.isnan(high) else [low, high]
