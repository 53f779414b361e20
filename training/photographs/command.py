"""``lisa eval photographs``."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from lisa_model.segmenter import ReasoningSegmenter
from training.household.evaluate import FREE_GENERATION
from training.photographs.answers import ask_all, summarise
from training.photographs.folder import read_folder
from training.photographs.packaged import read_packaged
from training.photographs.page import PAGE, Page, head, table


def run(
    *,
    folder: Path | None,
    out: Path,
    model: str = "lisa-tiny",
    options: Mapping[str, Any] | None = None,
    max_new_tokens: int | None = 32,
) -> dict[str, Any]:
    """Ask, print the table and write the page; see ``lisa eval photographs --help``.

    Args:
        folder: a user's photographs, see :mod:`training.photographs.folder`; None for those that
            packages carry.
        out: where the page goes.
        options: of :meth:`ReasoningSegmenter.from_pretrained`.

    Returns:
        what ``photographs.json`` holds, without the single answers.

    Raises:
        DataError: list or pictures cannot be used, saying what to do.
        OSError: the page cannot be written.
    """
    photographs = read_packaged() if folder is None else read_folder(folder)
    first = next(photographs)  # a wrong list is told before the model is opened
    segmenter = ReasoningSegmenter.from_pretrained(model, **(options or {}))
    page = Page(out)
    for some in ask_all(segmenter, chain([first], photographs), max_new_tokens=max_new_tokens):
        page.add(some)
    report = {
        "model": segmenter.name,
        "dtype": str(segmenter.dtype).removeprefix("torch."),
        "protocol": FREE_GENERATION,
        "machine": f"{platform.machine()} {platform.system()}, Python {platform.python_version()}",
        "summary": summarise(page.photographs),
    }
    page.write(report)
    print(table(page.photographs))
    print(f"\n{head(report)}\n\n{out / PAGE}")
    return report
