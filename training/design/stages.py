"""Carries out one run, as its file describes it: ``python -m training.design.stages RUN.json``.

Every training stage goes on where it was interrupted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from lisa_model.config import LisaConfig
from training.design.variants import Stage
from training.experiments import stages
from training.experiments.places import Places
from training.experiments.runs import Run
from training.experiments.stages import Carried


def train_vision(run: Run, places: Places) -> None:
    """The mask head, from names; shared by all variants with the same head."""
    stages.train_vision(run, places, _config(run))


def train_text(run: Run, places: Places) -> None:
    """The LLM without images; shared by all variants with the same LoRA."""
    stages.train_text(run, places, _config(run))


def train_joint(run: Run, places: Places) -> None:
    """Everything together."""
    from training.tiny.stage_joint import JointRecipe, JointTraining

    recipe = JointRecipe(steps=run.settings["steps"], seed=run.seed)
    if run.settings["frozen_head"]:
        recipe = replace(recipe, head_rate=0.0)
    JointTraining(
        config=_config(run),
        recipe=recipe,
        features=places.features,
        questions=list(places.questions),
        text=places.text(run),
        vision=places.vision(run),
        out=places.folder(run.id),
        compiled=places.compiled,
    ).run()


def score(run: Run, places: Places) -> None:
    """HomeReason's evaluation of a model in one setting."""
    from training.design.scoring import score_run

    score_run(run, places)


def _config(run: Run) -> LisaConfig:
    return LisaConfig.from_dict(run.settings["config"])


STAGES: Mapping[str, Carried] = {
    Stage.VISION: train_vision,
    Stage.TEXT: train_text,
    Stage.JOINT: train_joint,
    Stage.SCORE: score,
}


if __name__ == "__main__":
    stages.carry_out(STAGES, __doc__)
