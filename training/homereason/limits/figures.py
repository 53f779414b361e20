"""The figures of the limits: size, confusion, kind, category. Pure."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lisa_model.metrics import MaskScore, bootstrap_interval, g_iou
from training.homereason.limits.finding import (
    ANOTHER_THING,
    BACKGROUND,
    FAILURES,
    IN_VAIN,
    ON_BACKGROUND,
    Finding,
)
from training.homereason.scoring import GOOD
from training.household.evaluate import AREA_EDGES, FOUND, REFERENCE_AREA

LEVELS = (0.5, 0.8)
LEAST_OF_A_BIN = 30  # questions from which on a bin's share is used
LEAST_OF_A_CATEGORY = 10
MOST_PAIRS = 15
WORST = 10
# Each bin is twice as large as the one before; no target of HomeReason is below 150 px.
DOUBLING_FROM = 150.0
DOUBLING_EDGES = (
    0.0,
    *(
        DOUBLING_FROM * 2**k
        for k in range(math.floor(math.log2(REFERENCE_AREA / DOUBLING_FROM)) + 2)
    ),
)


def figures(findings: Sequence[Finding]) -> dict[str, Any]:
    """n, gIoU with its interval (whole frames are drawn), and shares above both IoUs."""
    if not findings:
        return {"n": 0, "giou": None, "giou_95": None, "found": None, "good": None}
    groups: dict[str, list[MaskScore]] = {}
    for one in findings:
        groups.setdefault(one.outcome.frame, []).append(one.outcome.score)
    scores = [score for group in groups.values() for score in group]
    return {
        "n": len(scores),
        "giou": g_iou(scores),
        "giou_95": bootstrap_interval(list(groups.values())),
        "found": float(np.mean([score.iou > FOUND for score in scores])),
        "good": float(np.mean([score.iou > GOOD for score in scores])),
    }


def by_area(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Questions for one thing, by the thing's area in px of 640 x 480; the last bin is open."""
    asked = [one for one in findings if one.one_target]
    rows = []
    for low, high in itertools.pairwise(AREA_EDGES):
        inside = [one for one in asked if low <= one.area_px < high]
        explicit = [one for one in inside if one.question.kind == "explicit"]
        rows.append({
            "from_px": low,
            "to_px": high if high <= REFERENCE_AREA else None,
            "all": figures(inside),
            "explicit": figures(explicit),
        })  # fmt: skip
    return rows


def smallest_area(
    areas: Sequence[float], hits: Sequence[bool], level: float, *, least: int = LEAST_OF_A_BIN
) -> dict[str, Any]:
    """The area from which on a share of the questions succeeds, bin by bin.

    Walks from the largest bin down while the share is at least ``level``; bins of fewer than
    ``least`` questions are passed over.

    Args:
        areas: px of 640 x 480.
        hits: whether each succeeded.
        level: share in 0..1.

    Returns:
        ``from_px``: lower edge of the last bin that held, None when the largest failed or no bin
        has enough; ``every_bin``: no bin with enough questions failed, so that the limit lies at or
        below ``from_px``; ``bins``: those with enough questions, from small to large.
    """
    values, good = np.asarray(areas, dtype=np.float64), np.asarray(hits, dtype=bool)
    bins = []
    for low, high in itertools.pairwise(DOUBLING_EDGES):
        inside = (values >= low) & (values < high)
        if inside.sum() >= least:
            share = float(good[inside].mean())
            bins.append({"from_px": low, "to_px": high, "n": int(inside.sum()), "share": share})
    held = list(itertools.takewhile(lambda one: one["share"] >= level, reversed(bins)))
    return {
        "level": level,
        "from_px": held[-1]["from_px"] if held else None,
        "every_bin": bool(bins) and len(held) == len(bins),
        "bins": bins,
    }


def smallest(findings: Sequence[Finding]) -> dict[str, Any]:
    """From which area on explicit questions succeed, and the smallest single success."""
    asked = [one for one in findings if one.question.kind == "explicit" and one.one_target]
    areas = [one.area_px for one in asked]
    out: dict[str, Any] = {"n": len(asked), "least_of_a_bin": LEAST_OF_A_BIN, "limits": []}
    for threshold in (FOUND, GOOD):
        hits = [one.iou > threshold for one in asked]
        for level in LEVELS:
            out["limits"].append({"iou_above": threshold} | smallest_area(areas, hits, level))
    good = [one for one in asked if one.iou > GOOD]
    if good:
        first = min(good, key=lambda one: one.area_px)
        out["smallest_good"] = {
            "area_px": first.area_px,
            "category": first.question.categories[0],
            "iou": first.iou,
        }
    return out


def confusion(findings: Sequence[Finding]) -> dict[str, Any]:
    """Which thing was marked in the place of which.

    Only questions for one thing. ``in_vain``: what was asked for where nothing fits.

    Returns:
        ``pairs`` and ``in_vain``, the most frequent first: meant, marked, ``count``, ``asked`` (how
        often the meant one was asked for), ``beside`` (of these, with the marked one in view).
        ``taken``: what was marked wrongly in both, whatever was meant: marked, ``count``,
        ``beside`` (questions with it in view that do not mean it).
    """
    single = [one for one in findings if one.one_target]
    vain = [one for one in findings if not one.question.targets]
    wrong = [one for one in single if one.failure in (ANOTHER_THING, ON_BACKGROUND)]
    return {
        "wrong": len(wrong),
        "asked": len(single),
        "pairs": _pairs(wrong, single),
        "in_vain": _pairs([one for one in vain if one.failure == IN_VAIN], vain),
        "taken": _taken(
            [*wrong, *(one for one in vain if one.failure == IN_VAIN)], [*single, *vain]
        ),
    }


def _taken(wrong: Sequence[Finding], asked: Sequence[Finding]) -> list[dict[str, Any]]:
    def is_other(one: Finding, marked: str) -> bool:
        return not one.question.targets or _meant(one) != marked

    counts = Counter(one.marked for one in wrong if one.marked and is_other(one, one.marked))
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST_PAIRS]
    return [
        {
            "marked": marked,
            "count": count,
            "beside": sum(
                is_other(one, marked) and marked in (BACKGROUND, *one.in_view) for one in asked
            ),
        }
        for marked, count in most
    ]


def _pairs(wrong: Sequence[Finding], asked: Sequence[Finding]) -> list[dict[str, Any]]:
    rows = []
    found = Counter((_meant(one), one.marked or "") for one in wrong)
    for (meant, marked), count in sorted(found.items(), key=lambda item: (-item[1], item[0])):
        same = [one for one in asked if _meant(one) == meant]
        needed = 2 if marked == meant and same[0].question.targets else 1
        beside = [one for one in same if one.in_view.count(marked) >= needed]
        rows.append({
            "meant": meant,
            "marked": marked,
            "count": count,
            "asked": len(same),
            "beside": len(same) if marked == BACKGROUND else len(beside),
        })  # fmt: skip
    return rows[:MOST_PAIRS]


def _meant(one: Finding) -> str:
    return one.question.categories[0]


def by_failure(findings: Sequence[Finding]) -> dict[str, Any]:
    """Counts of each failure, by subset."""
    subsets = sorted({one.question.subset for one in findings})
    return {
        subset: {
            "n": sum(one.question.subset == subset for one in findings),
            **{
                name: sum(one.failure == name for one in findings if one.question.subset == subset)
                for name in FAILURES
            },
        }
        for subset in subsets
    }


def grouped(
    findings: Sequence[Finding], key: Callable[[Finding], str]
) -> dict[str, dict[str, Any]]:
    """:func:`figures` of each group, in the order of the names."""
    groups: dict[str, list[Finding]] = {}
    for one in findings:
        groups.setdefault(key(one), []).append(one)
    return {name: figures(some) for name, some in sorted(groups.items())}


def by_kind(findings: Sequence[Finding]) -> dict[str, dict[str, Any]]:
    """:func:`figures` of each kind of question that something fits."""
    return grouped([one for one in findings if one.outcome.fits], lambda one: one.question.kind)


def worst_categories(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """The ten categories of the lowest gIoU, of questions for one thing."""
    groups = Counter(_meant(one) for one in findings if one.one_target)
    enough = [
        one for one in findings if one.one_target and groups[_meant(one)] >= LEAST_OF_A_CATEGORY
    ]
    rows = [{"category": name} | some for name, some in grouped(enough, _meant).items()]
    return sorted(rows, key=lambda row: (row["giou"], row["category"]))[:WORST]


def limits(findings: Sequence[Finding]) -> dict[str, Any]:
    """All figures."""
    return {
        "by_area": by_area(findings),
        "smallest": smallest(findings),
        "confusion": confusion(findings),
        "by_failure": by_failure(findings),
        "by_kind": by_kind(findings),
        "worst_categories": worst_categories(findings),
    }
