"""Which runs some choices need, in an order in which each finds what it is made from. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from training.design.settings import INFERENCE, OWN, SETTINGS, Setting
from training.design.variants import TRAINED, VARIANTS, Stage, Variant
from training.experiments.errors import ExperimentError
from training.experiments.runs import (
    Data,
    Run,
    check_count,
    check_names,
    checked_seeds,
    each_once,
    frames_name,
)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How long every variant trains; small, and the same for all.

    Attributes:
        vision_steps, align_steps: of the mask head with masks, and before them of patches alone.
        text_steps: of the LLM without images.
        joint_steps: of everything.
    """

    vision_steps: int = 1000
    align_steps: int = 300
    text_steps: int = 300
    joint_steps: int = 200

    def __post_init__(self) -> None:
        for one in fields(self):
            check_count(one.name, getattr(self, one.name))


def plan_inference(choices: Sequence[str], *, data: Data, model: str, concepts: int) -> list[Run]:
    """Scores of one trained model in all settings of some choices, each once.

    Args:
        choices: names in :data:`INFERENCE`.
        model: fingerprint of the model.
        concepts: of its codebook.

    Raises:
        ExperimentError: an unknown choice, or one that the model has nothing of.
    """
    check_names("choice", choices, INFERENCE)
    for choice in choices:
        if not concepts and any(SETTINGS[row].needs_codebook for row in INFERENCE[choice].rows):
            raise ExperimentError(
                f"--choice {choice}: the model has no codebook (concepts: 0); leave it out"
            )

    def run(row: str) -> Run:
        return Run(
            id=inference_id(row, data.split, data.limit),
            stage=Stage.SCORE,
            seed=0,
            needs=(),
            settings=_scored(SETTINGS[row], data) | {"model": model},
        )

    return each_once([run(row) for row in INFERENCE[choice].rows] for choice in choices)


def plan_training(
    choices: Sequence[str], seeds: Sequence[int], *, budget: Budget, data: Data
) -> list[Run]:
    """All runs of some choices, each once, seed by seed; what a run needs stands before it.

    Args:
        choices: names in :data:`TRAINED`.

    Raises:
        ExperimentError: an unknown choice, or no seed.
    """
    check_names("choice", choices, TRAINED)
    return each_once(
        runs_of(VARIANTS[row], seed, budget=budget, data=data)
        for seed in checked_seeds(seeds)
        for choice in choices
        for row in TRAINED[choice].rows
    )


def runs_of(variant: Variant, seed: int, *, budget: Budget, data: Data) -> list[Run]:
    """The runs of one variant and seed, in order."""

    def run(stage: Stage, needs: tuple[str, ...], settings: dict[str, Any]) -> Run:
        settings = {"config": variant.config(stage).to_dict()} | settings
        name = f"seed{seed}/{stage}/{variant.made_as(stage)}"
        return Run(id=name, stage=stage, seed=seed, needs=needs, settings=settings)

    aligned = {"align_steps": budget.align_steps}
    vision = run(Stage.VISION, (), {"steps": budget.vision_steps} | aligned)
    text = run(Stage.TEXT, (), {"steps": budget.text_steps})
    joint = run(
        Stage.JOINT,
        (vision.id, text.id),
        {
            "steps": budget.joint_steps,
            "frozen_head": variant.frozen_head,
            "questions": data.training,
        },
    )
    score = Run(
        id=score_id(variant.name, seed, data.split, data.limit),
        stage=Stage.SCORE,
        seed=seed,
        needs=(joint.id,),
        settings=_scored(OWN, data),
    )
    return [vision, text, joint, score]


def inference_id(setting: str, split: str, limit: int | None) -> str:
    """Id of the run that scores a setting."""
    return f"inference/{frames_name(split, limit)}/{setting}"


def score_id(variant: str, seed: int, split: str, limit: int | None) -> str:
    """Id of the run that scores a variant."""
    return f"seed{seed}/{Stage.SCORE}/{frames_name(split, limit)}/{variant}"


def _scored(setting: Setting, data: Data) -> dict[str, Any]:
    return setting.as_dict() | data.asked()
