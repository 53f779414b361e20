from dataclasses import replace

import pytest

from lisa_model.config import LisaConfig
from training.design.plan import Budget, plan_inference, plan_training
from training.design.settings import INFERENCE, SETTINGS
from training.design.variants import TRAINED, VARIANTS, Stage
from training.experiments.errors import ExperimentError
from training.experiments.places import Places
from training.experiments.runs import Data, parse_run

DATA = Data(training="t", scored="s", split="val")


def trained(*choices, seeds=(0,), budget=Budget(), data=DATA):  # noqa: B008
    return plan_training(choices, seeds, budget=budget, data=data)


def tried(*choices, data=DATA, model="m", concepts=197):
    return plan_inference(choices, data=data, model=model, concepts=concepts)


@pytest.mark.parametrize("choice", TRAINED)
def test_what_a_run_needs_stands_before_it(choice):
    known = set()
    for run in trained(choice, seeds=(0, 1)):
        assert set(run.needs) <= known, run.id
        assert run.id not in known
        known.add(run.id)


def test_stages_that_a_variant_does_not_change_are_shared():
    runs = trained(*TRAINED, seeds=(0, 1))
    assert len({run.id for run in runs}) == len(runs)
    count = {stage: sum(run.stage is stage for run in runs) for stage in Stage}
    lora = {one.config().lora for one in VARIANTS.values()}
    head = {one.config().mask_head for one in VARIANTS.values()}
    assert count[Stage.TEXT] == 2 * len(lora)
    assert count[Stage.VISION] == 2 * len(head)
    assert count[Stage.JOINT] == count[Stage.SCORE] == 2 * len(VARIANTS)


def test_what_a_variant_is_made_from_fits_its_configuration(tmp_path):
    places = Places(
        work=tmp_path, frames=tmp_path, features=tmp_path, questions=(), scored=tmp_path
    )
    by_folder = {places.folder(run.id): run for run in trained(*TRAINED)}
    for run in by_folder.values():
        if run.stage is Stage.JOINT:
            mine = LisaConfig.from_dict(run.settings["config"])
            text = by_folder[places.text(run).parent].settings["config"]
            vision = by_folder[places.vision(run).parent].settings["config"]
            assert LisaConfig.from_dict(text).lora == mine.lora
            assert LisaConfig.from_dict(vision).mask_head == mine.mask_head


def test_settings_hold_what_decides_the_outcome():
    first = {run.id: run for run in trained("codebook")}
    budget, data = Budget(joint_steps=7), replace(DATA, training="u", scored="v")
    changed = {run.id for run in trained("codebook", budget=budget, data=data)
               if run != first[run.id]}  # fmt: skip
    assert changed == {
        *(f"seed0/joint/{name}" for name in ("base", "no_codebook")),
        *(f"seed0/score/val/{name}" for name in ("base", "no_codebook")),
    }
    assert tried("zoom")[0] != tried("zoom", model="other")[0]
    assert [run.id for run in tried("precision", data=replace(DATA, limit=3))] == [
        "inference/val_3_frames/own",
        "inference/val_3_frames/bfloat16",
    ]


def test_settings_are_tried_once_each():
    runs = tried(*INFERENCE)
    assert [run.id.split("/")[-1] for run in runs] == list(dict.fromkeys(
        row for choice in INFERENCE.values() for row in choice.rows
    ))  # fmt: skip
    assert len(runs) == len(SETTINGS)
    assert len({str(run.settings) for run in runs}) == len(runs)


def test_runs_survive_json():
    for run in trained(*TRAINED) + tried(*INFERENCE):
        assert parse_run(run.as_dict()) == run


def test_mistakes_are_named():
    with pytest.raises(ExperimentError, match="no choice 'magic'"):
        trained("magic")
    with pytest.raises(ExperimentError, match="no choice 'lora'"):
        tried("lora")
    with pytest.raises(ExperimentError, match="seeds"):
        trained("lora", seeds=())
    with pytest.raises(ExperimentError, match="text_steps must be at least 1"):
        Budget(text_steps=0)
    with pytest.raises(ExperimentError, match="--choice presence: the model has no codebook"):
        tried("zoom", "presence", concepts=0)
    assert tried("zoom", concepts=0)
