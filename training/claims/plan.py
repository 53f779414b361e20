"""Which runs some claims need, in an order in which each finds what it is made from. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from training.claims.registry import CLAIMS, VARIANTS, Base, How, Row, Variant
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


class Stage(StrEnum):
    """What a run does."""

    VISION = "vision"
    TEXT = "text"
    JOINT = "joint"
    FINETUNE = "finetune"
    SCORE = "score"


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How long everything trains; the same for all variants.

    Attributes:
        vision_steps, align_steps: of the mask head with masks, and before them of patches alone.
        text_steps, joint_steps: of a base.
        finetune_steps: of a fine-tuning.
        finetune_questions: of a frame in a fine-tuning, at most.
        reasoning_share: of a fine-tuning's frames that are drawn among those with a sample.
    """

    vision_steps: int = 2000
    align_steps: int = 300
    text_steps: int = 300
    joint_steps: int = 200
    finetune_steps: int = 150
    finetune_questions: int = 6
    reasoning_share: float = 0.8

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name == "reasoning_share":
                if not 0.0 < value <= 1.0:
                    raise ExperimentError(
                        f"reasoning_share must be above 0 and at most 1, got {value}"
                    )
            else:
                check_count(one.name, value)


def plan(claims: Sequence[str], seeds: Sequence[int], *, budget: Budget, data: Data) -> list[Run]:
    """All runs, each once, seed by seed; what a run needs stands before it.

    Args:
        claims: names in :data:`CLAIMS`.

    Raises:
        ExperimentError: an unknown claim, or no seed.
    """
    check_names("claim", claims, CLAIMS)
    return each_once(
        runs_of(row, seed, budget=budget, data=data)
        for seed in checked_seeds(seeds)
        for name in claims
        for row in CLAIMS[name].rows
    )


def runs_of(row: Row, seed: int, *, budget: Budget, data: Data) -> list[Run]:
    """The runs of one row and seed, in order."""
    variant = VARIANTS[row.variant]
    vision = [] if data.own_vision else [_vision(seed, budget)]
    text = _text(variant.base, seed, budget, data)
    joint = _joint(variant.base, seed, budget, data, [*(one.id for one in vision), text.id])
    runs = [*vision, text, joint]
    if variant.finetuned:
        before = [*joint.needs, joint.id]
        runs.append(_finetune(variant, seed, budget, data, before))
    return [*runs, _score(row, seed, data, runs[-1].id)]


def score_id(key: str, seed: int, split: str, limit: int | None) -> str:
    """Id of the run that scores a row."""
    return f"seed{seed}/score/{frames_name(split, limit)}/{key}"


def _vision(seed: int, budget: Budget) -> Run:
    settings = {"steps": budget.vision_steps, "align_steps": budget.align_steps}
    return Run(id=f"seed{seed}/vision", stage=Stage.VISION, seed=seed, needs=(), settings=settings)


def _base_settings(base: Base) -> dict[str, Any]:
    return {
        "base": base.name,
        "families": [str(one) for one in base.families],
        "intents": str(base.intents),
        "small_talk": base.small_talk,
    }


def _text(base: Base, seed: int, budget: Budget, data: Data) -> Run:
    return Run(
        id=f"seed{seed}/text/{base.name}",
        stage=Stage.TEXT,
        seed=seed,
        needs=(),
        settings=_base_settings(base) | {"steps": budget.text_steps, "questions": data.training},
    )


def _joint(base: Base, seed: int, budget: Budget, data: Data, needs: Sequence[str]) -> Run:
    return Run(
        id=f"seed{seed}/joint/{base.name}",
        stage=Stage.JOINT,
        seed=seed,
        needs=tuple(needs),
        settings=_base_settings(base)
        | {
            "steps": budget.joint_steps,
            "questions": data.training,
            "own_vision": data.own_vision,
        },
    )


def _finetune(variant: Variant, seed: int, budget: Budget, data: Data, needs: Sequence[str]) -> Run:
    return Run(
        id=f"seed{seed}/finetune/{variant.name}",
        stage=Stage.FINETUNE,
        seed=seed,
        needs=tuple(needs),
        settings=_base_settings(variant.base)
        | {
            "variant": variant.name,
            "samples": variant.samples,
            "rephrased": variant.rephrased,
            "steps": budget.finetune_steps,
            "questions_each": budget.finetune_questions,
            "reasoning_share": budget.reasoning_share,
            "questions": data.training,
            "own_vision": data.own_vision,
        },
    )


def _score(row: Row, seed: int, data: Data, trained: str) -> Run:
    variant = VARIANTS[row.variant]
    settings: dict[str, Any] = {
        "key": row.key,
        "variant": variant.name,
        "how": str(row.how),
        **data.asked(),
    }
    if row.how in (How.TWO_STAGE_MATCH, How.TWO_STAGE_LLM):
        # The two-stage baselines are taught what the variant was.
        settings |= {"samples": variant.samples, "rephrased": variant.rephrased}
        settings |= {"training_questions": data.training}
    return Run(
        id=score_id(row.key, seed, data.split, data.limit),
        stage=Stage.SCORE,
        seed=seed,
        needs=(trained,),
        settings=settings,
    )
