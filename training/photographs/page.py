"""The page of results: HTML with pictures beside it, JSON, and a table in Markdown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lisa_model.overlay import PALETTE, outline_mask, resized_mask, tint_mask
from training.homereason.scoring import GOOD
from training.household.evaluate import FOUND
from training.markdown import line
from training.photographs.answers import Answer, Answered

PAGE, FIGURES, PICTURES = "index.html", "photographs.json", "pictures"
_SIDE = 720  # pixels of the longer side of a picture on the page
_QUALITY = 85
_STYLE = (
    "body{font:15px/1.4 sans-serif;margin:2em auto;max-width:1500px;padding:0 1em}"
    "main{display:flex;flex-wrap:wrap;gap:1em}figure{margin:0;width:460px}img{width:100%}"
    "table{border-collapse:collapse}td,th{border:1px solid #bbb;padding:.2em .6em;text-align:left}"
)


class Page:
    """Takes answered photographs one by one, so that none has to be kept."""

    def __init__(self, folder: Path) -> None:
        """Make the folder.

        Args:
            folder: where ``index.html``, ``photographs.json`` and ``pictures/`` go.
        """
        self._folder = folder
        self.photographs: list[dict[str, Any]] = []
        (folder / PICTURES).mkdir(parents=True, exist_ok=True)

    def add(self, some: Answered) -> None:
        """Write the pictures of one photograph.

        Raises:
            OSError: one cannot be written.
        """
        values = some.as_dict()
        for place, (one, said) in enumerate(
            zip(some.answers, values["answers"], strict=True), start=1
        ):
            said["picture"] = f"{PICTURES}/{len(self.photographs) + 1:03d}_{place:03d}.jpg"
            path = self._folder / said["picture"]
            picture = draw(some.photograph.image, one)
            if not cv2.imwrite(str(path), picture[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, _QUALITY)):
                raise OSError(f"could not write {path}")
        self.photographs.append(values)

    def write(self, report: Mapping[str, Any]) -> None:
        """Write page and figures.

        Args:
            report: model, machine and ``summary``, for the head.

        Raises:
            OSError: a file cannot be written.
        """
        everything = dict(report) | {"photographs": self.photographs}
        path = self._folder / FIGURES
        path.write_text(json.dumps(everything, indent=1) + "\n", encoding="utf-8")
        text = _html(report, self.photographs)
        (self._folder / PAGE).write_text(text, encoding="utf-8")


def draw(image: NDArray[np.uint8], one: Answer) -> NDArray[np.uint8]:
    """The answer's masks in colours, what is meant outlined in white; smaller than a large picture.

    Args:
        image: (H, W, 3) uint8 RGB.
    """
    height, width = image.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    out = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    for number, mask in enumerate(one.masks):
        tint_mask(out, resized_mask(mask, size), PALETTE[number % len(PALETTE)], thickness=1)
    if one.intent.truth is not None:
        truth = resized_mask(one.intent.truth, size)
        outline_mask(out, truth, ((0, 0, 0), 4), ((255, 255, 255), 2))
    return out


def head(report: Mapping[str, Any]) -> str:
    """What was asked of which model, in one paragraph."""
    s = report["summary"]
    asked, vain = s["with_mask"], s["nothing_fits"]
    parts = [f"{report['model']}, {s['intents']} intents on {s['photographs']} photographs"]
    if asked["n"]:
        parts.append(
            f"with a true mask: {asked['n']}, gIoU {asked['giou']:.2f}, IoU > {FOUND} for "
            f"{asked['found']}, IoU > {GOOD} for {asked['good']}"
        )
    if vain["n"]:
        parts.append(f"nothing fits: {vain['n']}, marked nothing {vain['marked_nothing']}")
    parts.append(f"not judged: {s['not_judged']}")
    if s["median_s_first"] is not None:
        parts.append(f"median seconds: {s['median_s_first']:.2f} for the first intent")
    if s["median_s_later"] is not None:
        parts.append(f"{s['median_s_later']:.2f} for the next ones of a photograph")
    return "; ".join(parts) + f". {report['machine']}."


def table(photographs: Sequence[Mapping[str, Any]]) -> str:
    """Every answer as a row, in Markdown.

    Args:
        photographs: of :meth:`Answered.as_dict`.
    """
    lines = ["| photograph | intent | score | IoU | result |", "|---|---|---|---|---|"]
    for cells in _rows(photographs):
        lines.append(line([cell.replace("|", "/") for cell in cells]))
    return "\n".join(lines)


def _rows(photographs: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    return [(some["name"], *_cells(one)) for some in photographs for one in some["answers"]]


def _cells(one: Mapping[str, Any]) -> tuple[str, str, str, str]:
    score = ", ".join(f"{score:.2f}" for score in one["scores"]) or "-"
    iou = "-" if one["iou"] is None else f"{one['iou']:.2f}"
    return one["intent"], score, iou, one["verdict"]


def _figure(one: Mapping[str, Any]) -> str:
    intent, score, iou, verdict = map(escape, _cells(one))
    return (
        f'<figure><img src="{one["picture"]}" alt="{intent}"><figcaption><b>{intent}</b><br>'
        f"{escape(one['answer'])}<br>score {score}, IoU {iou}: {verdict}; {one['seconds']:.2f} s"
        "</figcaption></figure>"
    )


def _section(some: Mapping[str, Any]) -> str:
    figures = "\n".join(map(_figure, some["answers"]))
    return (
        f"<h2>{escape(some['name'])}</h2>\n<p>{escape(some['credit'])}</p>\n"
        f"<main>\n{figures}\n</main>"
    )


def _html(report: Mapping[str, Any], photographs: Sequence[Mapping[str, Any]]) -> str:
    names = ("photograph", "intent", "score", "IoU", "result")
    rows = "\n".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
        for cells in _rows(photographs)
    )
    parts = [
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">',
        f"<title>lisa on photographs</title><style>{_STYLE}</style></head><body>",
        "<h1>lisa on photographs</h1>",
        f"<p>{escape(head(report))}</p>",
        "<p>Colours: the answer's masks; white outline: what is meant, where that is known.</p>",
        *map(_section, photographs),
        "<h2>All answers</h2>",
        "<table><tr>" + "".join(f"<th>{name}</th>" for name in names) + f"</tr>\n{rows}</table>",
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"
