"""How long answers take, with and without reading the image anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np


def first_of_frame(frames: Iterable[str]) -> list[bool]:
    """Whether each question is the first about its frame, whose image it reads.

    Args:
        frames: of the questions, in the order they were asked.
    """
    seen: set[str] = set()
    out = []
    for frame in frames:
        out.append(frame not in seen)
        seen.add(frame)
    return out


def median_seconds(timed: Iterable[tuple[str, float]]) -> dict[str, float | None]:
    """Medians over questions, in the order they were asked.

    A model keeps the last image that it has read, so of one frame's questions only the first tells
    how long a robot waits that asks about what it sees now.

    Args:
        timed: each question's frame, and the seconds from question to masks.

    Returns:
        ``median_intent_s`` of first questions of a frame; ``median_further_s`` of the others, None
        without any.
    """
    frames, seconds = zip(*timed, strict=True)
    reads, took = np.array(first_of_frame(frames)), np.array(seconds)
    further = took[~reads]
    return {
        "median_intent_s": float(np.median(took[reads])),
        "median_further_s": float(np.median(further)) if len(further) else None,
    }


def seconds_line(report: Mapping[str, Any]) -> str:
    """Both medians in words, of a report that holds them."""
    line = f"median seconds from intent to mask: {report['median_intent_s']:.2f}"
    if report["median_further_s"] is not None:
        line += f", a further intent on the same image: {report['median_further_s']:.2f}"
    return line
