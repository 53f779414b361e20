"""Collects the answers of an evaluation and writes its limits: figures, tables, gallery."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lisa_model.rgbd import RgbdFrame, read_meta
from training.homereason.limits.figures import LEAST_OF_A_CATEGORY, limits
from training.homereason.limits.finding import BACKGROUND, FAILURES, Finding, find
from training.homereason.limits.gallery import RULE, choose, describe, write_gallery
from training.homereason.question import Question
from training.homereason.scoring import GOOD, Outcome
from training.household.evaluate import FOUND
from training.markdown import head, line

SEED = 0
GALLERY = "gallery.jpg"


class Collector:
    """Takes each answer of ``training.homereason.evaluate.evaluate`` as it comes."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def __call__(
        self,
        path: Path,
        frame: RgbdFrame,
        question: Question,
        masks: NDArray[np.bool_],
        outcome: Outcome,
    ) -> None:
        """See :func:`training.homereason.limits.finding.find`."""
        self.findings.append(find(path, frame, question, masks, outcome))


def write_limits(folder: Path, findings: Sequence[Finding], about: Mapping[str, Any]) -> None:
    """Write ``limits.json``, ``limits.md`` and, where there is a failure, ``gallery.jpg``.

    Args:
        findings: all of a run.
        about: benchmark, split, model, protocol and frames, for the head of both files.

    Raises:
        OSError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    chosen = choose(findings, seed=SEED)
    result = dict(about) | limits(findings)
    result["gallery"] = {
        "rule": RULE,
        "seed": SEED,
        "failures": sum(one.failure is not None for one in findings),
        "tiles": [_tile(one) for one in chosen],
        "credits": credits([one.path for one in chosen]),
    }
    if chosen:
        write_gallery(folder / GALLERY, chosen)
    (folder / "limits.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (folder / "limits.md").write_text(markdown(result), encoding="utf-8")


def _tile(one: Finding) -> dict[str, Any]:
    return {
        "frame": one.question.frame,
        "subset": one.question.subset,
        "kind": one.question.kind,
        "text": one.question.text,
        "iou": one.iou,
        "score": one.outcome.confidence,
        "failure": one.failure,
        "said": describe(one),
    }


def credits(frames: Sequence[Path]) -> list[str]:
    """Models that are visible in the frames, as "title by creator (licence)"."""
    seen = set()
    for path in frames:
        for item in read_meta(path)["instances"]:
            if item.get("creator"):
                seen.add(f"{item['title']} by {item['creator']} ({item['licence']})")
    return sorted(seen)


def markdown(result: Mapping[str, Any]) -> str:
    """Tables of :func:`write_limits`' figures."""
    parts = [
        f"# Limits of {result['model']} on {result['benchmark']} {result['split']}",
        f"{result['frames']} frames, {result['protocol']}. Areas in pixels of 640 x 480; found: "
        f"IoU > {FOUND}; good: IoU > {GOOD}; in brackets 95 % intervals (bootstrap over frames).",
        "## Size of the thing asked for",
        "Questions for one thing.",
        _by_area(result["by_area"]),
        _smallest(result["smallest"]),
        "## Which failures",
        _by_failure(result["by_failure"]),
        "## What is taken for what",
        _confusion(result["confusion"]),
        "## Kind of question",
        "Questions that something fits.",
        _figures("kind", result["by_kind"]),
        "## Worst categories",
        f"Lowest gIoU of categories with at least {LEAST_OF_A_CATEGORY} questions for one thing.",
        _figures("category", {row["category"]: row for row in result["worst_categories"]}),
        "## Gallery",
        _gallery(result["gallery"]),
    ]
    return "\n\n".join(parts) + "\n"


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return "None."
    return "\n".join([*head(names), *map(line, rows)])


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _cells(figures: Mapping[str, Any]) -> list[str]:
    giou = "-"
    if figures["n"]:
        low, high = figures["giou_95"]
        giou = f"{figures['giou']:.2f} ({low:.2f}-{high:.2f})"
    return [str(figures["n"]), giou, _share(figures["found"]), _share(figures["good"])]


def _figures(what: str, groups: Mapping[str, Mapping[str, Any]]) -> str:
    return _table(
        [what, "n", "gIoU", "found", "good"], [[name, *_cells(one)] for name, one in groups.items()]
    )


def _by_area(rows: Sequence[Mapping[str, Any]]) -> str:
    names = ["area", "n", "gIoU", "found", "good"]
    names += [f"explicit: {name}" for name in names[1:]]
    return _table(
        names, [[_span(row), *_cells(row["all"]), *_cells(row["explicit"])] for row in rows]
    )


def _span(row: Mapping[str, Any]) -> str:
    return (
        f"from {row['from_px']}" if row["to_px"] is None else f"{row['from_px']} - {row['to_px']}"
    )


def _smallest(result: Mapping[str, Any]) -> str:
    lines = [
        f"From which area on explicit questions succeed ({result['n']} questions). Each bin is "
        f"twice the one before; those of fewer than {result['least_of_a_bin']} questions are "
        "passed over. The limit is the lower edge of the last bin, from the largest down, as long "
        "as every bin reaches the share.",
        "",
    ]
    for one in result["limits"]:
        lines.append(f"- IoU > {one['iou_above']} for {one['level']:.0%}: {_limit(one)}")
    if "smallest_good" in result:
        best = result["smallest_good"]
        lines.append(
            f"- the smallest single one with IoU > {GOOD}: {best['category']}, "
            f"{best['area_px']:.0f} px (one case, no rule)"
        )
    return "\n".join(lines)


def _limit(one: Mapping[str, Any]) -> str:
    if not one["bins"]:
        return "not known, no bin has enough questions"
    if one["from_px"] is None:
        return "at no size"
    more = " (the smallest bin with enough questions)" if one["every_bin"] else ""
    return f"from {one['from_px']:.0f} px on{more}"


def _by_failure(rows: Mapping[str, Mapping[str, int]]) -> str:
    table = _table(
        ["subset", "n", *FAILURES],
        [
            [name, str(row["n"]), *(str(row[failure]) for failure in FAILURES)]
            for name, row in rows.items()
        ],
    )
    return table + "\n\n" + "\n".join(f"- {name}: {text}" for name, text in FAILURES.items())


def _confusion(result: Mapping[str, Any]) -> str:
    return "\n\n".join([
        f"Of {result['asked']} questions for one thing, {result['wrong']} were answered with "
        f"another thing or the {BACKGROUND} (what has most pixels under the mask). Asked: how "
        "often the thing was asked for; beside: of these, with what was marked in view.",
        _pairs(("meant", "marked"), result["pairs"]),
        "Where nothing fits:",
        _pairs(("asked in vain", "marked"), result["in_vain"]),
        "What is marked wrongly most often, in both; beside: questions with it in view that do not "
        "mean it.",
        _table(
            ["marked", "times", "beside"],
            [[row["marked"], str(row["count"]), str(row["beside"])] for row in result["taken"]],
        ),
    ])  # fmt: skip


def _pairs(names: tuple[str, str], rows: Sequence[Mapping[str, Any]]) -> str:
    return _table(
        [*names, "times", "asked", "beside"],
        [
            [
                row["meant"],
                f"another {row['marked']}" if row["marked"] == row["meant"] else row["marked"],
                *(str(row[name]) for name in ("count", "asked", "beside")),
            ]
            for row in rows
        ],
    )


def _gallery(result: Mapping[str, Any]) -> str:
    if not result["tiles"]:
        return "No failures."
    return "\n\n".join([
        f"![{len(result['tiles'])} of {result['failures']} failures]({GALLERY})",
        f"{len(result['tiles'])} of {result['failures']} failures. {result['rule']} Seed "
        f"{result['seed']}. Orange: the answer; white outline: what is meant.",
        "Models in these pictures: " + "; ".join(result["credits"]) + ".",
    ])  # fmt: skip
