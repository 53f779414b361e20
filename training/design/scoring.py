"""A model in one setting on HomeReason: records with the things' areas, and seconds."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lisa_model.config import WEIGHTS_FILE
from lisa_model.language import LanguageModel
from lisa_model.rgbd import RgbdFrame, load_frame
from lisa_model.segmenter import DTYPES
from lisa_model.tiny_segmenter import TinySegmenter
from training.design.settings import FULL
from training.evaluation.timing import first_of_frame
from training.experiments.places import Places
from training.experiments.runs import Run
from training.experiments.stages import DEVICE, MAX_NEW_TOKENS, asked_of, write_score
from training.homereason import evaluate as homereason
from training.homereason.question import Question
from training.homereason.scoring import Outcome
from training.household.evaluate import reference_area


def open_in(
    folder: str, *, change: Mapping[str, float], presence: float | None, dtype: str
) -> TinySegmenter:
    """A trained model in a setting; see :class:`training.design.settings.Setting`.

    Its calibration is left out: it was fitted to the model's own setting, and would withhold masks
    of others.
    """
    segmenter = TinySegmenter.open(folder, device=torch.device(DEVICE), dtype=DTYPES[dtype])
    model = segmenter.model
    fields: dict[str, Any] = dict(change)
    model.config = replace(model.config, calibration=None, **fields)
    if presence != FULL:
        weigh_presence(model.language, presence)
    return segmenter


def weigh_presence(language: LanguageModel, weight: float | None) -> None:
    """Make a language model blend its [SEG] prompts otherwise.

    Args:
        language: with a codebook; changed in place.
        weight: of log-presence, as a multiple of the model's own; None for gamma's output alone.
    """
    if weight is None:
        language.codebook = None
    else:
        language.presence_weight *= weight


class Areas:
    """Notes what the evaluation watches.

    Attributes:
        areas: of each question's thing, px of 640 x 480; None where not exactly one is meant.
        sizes: (width, height) of the frames.
    """

    def __init__(self) -> None:
        self.areas: list[float | None] = []
        self.sizes: set[tuple[int, int]] = set()

    def __call__(
        self,
        path: Path,
        frame: RgbdFrame,
        question: Question,
        masks: NDArray[np.bool_],
        outcome: Outcome,
    ) -> None:
        """Note one answer."""
        height, width = frame.ids.shape
        self.sizes.add((width, height))
        one = len(question.targets) == 1
        self.areas.append(reference_area(frame.mask(question.ids)) if one else None)


def records(outcomes: Sequence[Outcome], areas: Sequence[float | None]) -> list[dict[str, Any]]:
    """One record a question, for JSON.

    ``new_image``: the first question of a frame, so that its seconds hold the frame's encoding.
    """
    reads = first_of_frame(one.frame for one in outcomes)
    return [
        homereason.as_record(one) | {"area_px": area, "new_image": first}
        for one, area, first in zip(outcomes, areas, reads, strict=True)
    ]


def score_run(run: Run, places: Places) -> None:
    """Write report and records of a score run."""
    settings = run.settings
    asked = asked_of(run, places)
    folder = str(places.folder(run.needs[0])) if run.needs else places.model
    segmenter = open_in(
        folder,
        change=settings["change"],
        presence=settings["presence"],
        dtype=settings["dtype"],
    )
    # What only the first picture costs is no part of the seconds; a mirrored one is not kept.
    first, questions = next(iter(asked.items()))
    mirrored = np.ascontiguousarray(load_frame(first, depth=False).color[:, ::-1])
    segmenter.segment(mirrored, questions[0].text)
    watching = Areas()
    load = [os.getloadavg()[0]]
    outcomes = homereason.evaluate(
        segmenter=segmenter,
        questions=asked,
        max_new_tokens=MAX_NEW_TOKENS,
        watching=watching,
    )
    load.append(os.getloadavg()[0])
    protocol = homereason.PROTOCOL
    report = homereason.report(
        outcomes, split=settings["split"], model=segmenter.name, protocol=protocol
    )
    print(homereason.table(report), flush=True)
    report |= {
        "config": segmenter.model.config.to_dict(),
        "sizes": sorted(watching.sizes),
        "weights_mb": (Path(folder) / WEIGHTS_FILE).stat().st_size / 1e6,
        "threads": torch.get_num_threads(),
        "load": load,
    }
    write_score(run, places, report, records(outcomes[homereason.MODEL], watching.areas))
