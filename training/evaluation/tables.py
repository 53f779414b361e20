"""Markdown tables like those of the papers, next to the papers' figures."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from training.markdown import head, line

_FILE = Path(__file__).parent / "published.yaml"
_LABELS = {"giou": "gIoU", "ciou": "cIoU", "n_acc": "N-acc", "t_acc": "T-acc"}


@cache
def published() -> dict[str, Any]:
    """published.yaml: sources, and tables of figures in percent."""
    values: dict[str, Any] = yaml.safe_load(_FILE.read_text("utf-8"))
    return values


def columns(report: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(key in published.yaml, group, measure) of a report's columns."""
    name, split = report["benchmark"], report["split"]
    if name == "reasonseg":
        groups = ("short", "long", "overall") if split == "test" else ("overall",)
        return [(f"{split}/{g}/{m}", g, m) for g in groups for m in ("giou", "ciou")]
    if name == "grefcoco":
        return [(f"{split}/{m}", "overall", m) for m in ("giou", "ciou", "n_acc", "t_acc")]
    return [(f"{report['set']}/{split}/{m}", "overall", m) for m in ("ciou", "giou")]


def markdown(report: dict[str, Any]) -> str:
    """A report as a Markdown table, in percent: the papers' rows, then ours with intervals."""
    wanted = columns(report)
    heads = [_LABELS[m] if g == "overall" else f"{g} {_LABELS[m]}" for _, g, m in wanted]
    table = published()["tables"][report["benchmark"]]
    rows, sources = [], dict[str, int]()
    for row in table["rows"]:
        figures = dict(zip(table["columns"], row["values"], strict=True))
        cells = [figures.get(key) for key, _, _ in wanted]
        if any(cell is not None for cell in cells):
            number = sources.setdefault(row["source"], len(sources) + 1)
            shown = ["-" if cell is None else f"{cell:.1f}" for cell in cells]
            rows.append([row["name"], f"published [{number}]", "", *shown])
    for result in report["results"]:
        counts = result["groups"]["overall"]
        cells = [_cell(result["groups"][group], measure) for _, group, measure in wanted]
        who = f"**{result['contender']}**"
        rows.append([who, result["protocol"], f"{counts['images']}", *cells])
    lines = [*head(["method", "protocol", "images", *heads]), *map(line, rows)]
    title = f"{report['set']} {report['split']}: {report['counts']['scored_images']} of "
    title += f"{report['counts']['images']} images scored"
    notes = [f"[{n}] {_source(key)}" for key, n in sources.items()]
    return "\n".join([title, "", *lines, *(["", *notes] if notes else [])]) + "\n"


def _cell(figures: dict[str, Any], measure: str) -> str:
    value = figures.get(measure)
    if value is None:
        return "-"
    interval = figures.get(f"{measure}_95")
    between = f" ({100 * interval[0]:.1f}-{100 * interval[1]:.1f})" if interval else ""
    return f"{100 * value:.1f}{between}"


def _source(key: str) -> str:
    source = published()["sources"][key]
    return f"{source['title']}, {source['url']}"
