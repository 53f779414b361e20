"""Stages that several experiments have, and the command line that carries out one run."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lisa_model.config import LisaConfig
from training.experiments.places import RECORDS, REPORT, RUN_FILE, Places, parse_places
from training.experiments.runs import Run, parse_run
from training.homereason.question import Question

DEVICE = "cpu"
# Longest answer when scored.
MAX_NEW_TOKENS = 32

Carried = Callable[[Run, Places], None]


def train_vision(run: Run, places: Places, config: LisaConfig) -> None:
    """The mask head, from names."""
    from training.tiny import stage_vision

    stage_vision.train(
        config=config,
        features=places.features,
        out=places.folder(run.id) / "vision.pt",
        steps=run.settings["steps"],
        align_steps=run.settings["align_steps"],
        seed=run.seed,
    )


def train_text(run: Run, places: Places, config: LisaConfig, **more: Any) -> None:
    """The LLM without images.

    Args:
        more: of :func:`training.tiny.stage_text.train`.
    """
    from training.tiny import stage_text

    stage_text.train(
        config=config,
        out=places.folder(run.id) / "text.pt",
        steps=run.settings["steps"],
        batch=32,
        seed=run.seed,
        validate=False,
        compiled=places.compiled,
        **more,
    )


def asked_of(run: Run, places: Places) -> dict[Path, list[Question]]:
    """The questions that a score run asks, by frame."""
    from training.homereason.evaluate import load_questions

    settings = run.settings
    return load_questions(places.frames, settings["split"], places.scored, limit=settings["limit"])


def write_score(
    run: Run, places: Places, report: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Write the report of a score run, with the run, and one record a question."""
    from training.homereason.evaluate import write_records

    folder = places.folder(run.id)
    write_records(folder / RECORDS, rows)
    text = json.dumps({**report, "run": run.as_dict()}, indent=1)
    (folder / REPORT).write_text(text + "\n", encoding="utf-8")


def carry_out(stages: Mapping[str, Carried], description: str | None) -> None:
    """Command line: carry out the run of a file."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("run", type=Path, help=f"{RUN_FILE} of the run's folder")
    args = parser.parse_args()
    values = json.loads(args.run.read_text(encoding="utf-8"))
    run = parse_run(values["run"])
    stages[run.stage](run, parse_places(values["places"]))
