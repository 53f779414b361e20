"""Carries out one run, as its file describes it: ``python -m training.claims.stages RUN.json``.

Every stage goes on where it was interrupted.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from lisa_model.config import preset
from training.claims.families import Family, family_of, keeps, subject
from training.claims.mixed_store import MixedStore
from training.claims.plan import Stage
from training.claims.registry import How, Intents
from training.claims.samples import WORDINGS, Sample, draw_samples
from training.experiments import stages
from training.experiments.errors import ExperimentError
from training.experiments.places import Places
from training.experiments.runs import Run
from training.experiments.stages import DEVICE, MAX_NEW_TOKENS, Carried
from training.homereason.files import read_questions
from training.household.taxonomy import category_index
from training.tiny.joint_questions import Target
from training.tiny.question_store import QuestionStore

DTYPE = "bfloat16"


def referring_intents(places: Places) -> Callable[[random.Random], tuple[Target, str]]:
    """Draws words of referring questions that name their thing: (thing, text).

    "The leftmost thing on the table" tells nobody what it is without the picture, so such
    questions are left to the joint stage.

    Raises:
        ExperimentError: there is none.
    """
    index = category_index()
    found = [
        (Target(index[one.categories[0]], ()), one.text)
        for path in places.questions
        for one in read_questions(path)
        if one.targets and family_of(one) is Family.REFERRING and subject(one) == one.categories[0]
    ]
    if not found:
        raise ExperimentError(
            "the training questions hold no referring question that names its thing"
        )
    return lambda rng: rng.choice(found)


def samples_of(run: Run, places: Places) -> list[Sample]:
    """The reasoning samples that a run is taught; the same for all runs of a seed."""
    if not run.settings["samples"]:
        return []
    questions = [one for path in places.questions for one in read_questions(path)]
    return draw_samples(
        questions,
        count=run.settings["samples"],
        seed=run.seed,
        wordings=WORDINGS if run.settings["rephrased"] else 0,
        frames={path.stem for path in places.features.glob("*.npz")},
    )


def train_vision(run: Run, places: Places) -> None:
    """The mask head, from names; shared by all variants of a seed."""
    stages.train_vision(run, places, preset("lisa-tiny"))


def train_text(run: Run, places: Places) -> None:
    """The LLM without images, from what the base allows."""
    from training.tiny import stage_text

    referring = Intents(run.settings["intents"]) is Intents.REFERRING
    stages.train_text(
        run,
        places,
        preset("lisa-tiny"),
        explicit_share=1.0,
        small_talk_rows=stage_text.SMALL_TALK_ROWS if run.settings["small_talk"] else 0,
        # Referring expressions mean one thing each.
        pair_rows=0 if referring else stage_text.PAIR_ROWS,
        draw=referring_intents(places) if referring else None,
    )


def train_joint(run: Run, places: Places) -> None:
    """Everything together, on the base's questions; for a fine-tuning, on samples among them."""
    from training.tiny.stage_joint import SMALL_TALK_SHARE, JointRecipe, JointTraining

    settings = run.settings
    keep = keeps([Family(one) for one in settings["families"]])
    more: dict[str, Any] = {}
    store: QuestionStore
    if run.stage == Stage.FINETUNE:
        more = {"questions": settings["questions_each"]}
        store = MixedStore(
            files=places.questions,
            keep=keep,
            samples=samples_of(run, places),
            share=settings["reasoning_share"],
        )
    else:
        store = QuestionStore(files=places.questions, keep=keep)
    training = JointTraining(
        config=preset("lisa-tiny"),
        recipe=JointRecipe(
            steps=settings["steps"],
            seed=run.seed,
            small_talk_share=SMALL_TALK_SHARE if settings["small_talk"] else 0.0,
            **more,
        ),
        features=places.features,
        questions=store,
        text=places.text(run),
        vision=places.vision(run),
        out=places.folder(run.id),
        start=places.joint(run) / "optimiser.pt" if run.stage == Stage.FINETUNE else None,
        compiled=places.compiled,
    )
    training.run()


def score(run: Run, places: Places) -> None:
    """HomeReason's evaluation: report and one record a question."""
    from lisa_model.segmenter import ReasoningSegmenter
    from lisa_model.tiny_segmenter import TinySegmenter
    from training.claims.taught import build_taught
    from training.claims.teacher import TeacherForced
    from training.homereason import evaluate as homereason
    from training.household.evaluate import AskedContender

    settings = run.settings
    model, how = str(places.folder(run.needs[0])), How(settings["how"])
    asking = None
    two_stages = how in (How.TWO_STAGE_MATCH, How.TWO_STAGE_LLM)
    if two_stages:
        baseline = build_taught(
            how,
            model=model,
            samples=samples_of(run, places),
            seed=run.seed,
            device=DEVICE,
            dtype=DTYPE,
        )
        segmenter: Any = AskedContender(baseline)
        name, protocol = baseline.name, baseline.protocol
    else:
        segmenter = ReasoningSegmenter.from_pretrained(model, device=DEVICE, dtype=DTYPE)
        name, protocol = segmenter.name, homereason.PROTOCOL
        if how is How.TEACHER_FORCED:
            assert isinstance(segmenter, TinySegmenter), "runs train lisa-tiny"
            forced = TeacherForced(segmenter)
            asking, protocol = forced.ask, forced.protocol
    outcomes = homereason.evaluate(
        segmenter=segmenter,
        questions=stages.asked_of(run, places),
        max_new_tokens=MAX_NEW_TOKENS,
        joined=two_stages,
        asking=asking,
    )
    report = homereason.report(outcomes, split=settings["split"], model=name, protocol=protocol)
    print(homereason.table(report), flush=True)
    rows = [homereason.as_record(one) for one in outcomes[homereason.MODEL]]
    stages.write_score(run, places, report, rows)


STAGES: Mapping[str, Carried] = {
    Stage.VISION: train_vision,
    Stage.TEXT: train_text,
    Stage.JOINT: train_joint,
    Stage.FINETUNE: train_joint,
    Stage.SCORE: score,
}


if __name__ == "__main__":
    stages.carry_out(STAGES, __doc__)
