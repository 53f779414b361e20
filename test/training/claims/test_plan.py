from dataclasses import replace

import pytest

from training.claims.families import Family
from training.claims.plan import Budget, Stage, plan
from training.claims.registry import CLAIMS, VARIANTS, Base, Claim, Row, Variant
from training.experiments.errors import ExperimentError
from training.experiments.runs import Data, parse_run

DATA = Data(training="t", scored="s", split="test")


def runs_of(*claims, seeds=(0,), budget=Budget(), data=DATA):  # noqa: B008
    return plan(claims, seeds, budget=budget, data=data)


@pytest.mark.parametrize("claim", CLAIMS)
def test_what_a_run_needs_stands_before_it(claim):
    known = set()
    for run in runs_of(claim, seeds=(0, 1)):
        assert set(run.needs) <= known, run.id
        assert run.id not in known
        known.add(run.id)


def test_claims_share_runs():
    runs = runs_of(*CLAIMS, seeds=(0, 1, 2))
    ids = [run.id for run in runs]
    assert len(ids) == len(set(ids))
    count = {stage: sum(run.stage is stage for run in runs) for stage in Stage}
    assert count[Stage.VISION] == 3, "one for all variants of a seed"
    assert count[Stage.TEXT] == count[Stage.JOINT] == 3 * 3
    assert count[Stage.FINETUNE] == 3 * sum(one.finetuned for one in VARIANTS.values())
    keys = {row.key for claim in CLAIMS.values() for row in claim.rows}
    assert count[Stage.SCORE] == 3 * len(keys)
    assert [run.seed for run in runs] == sorted(run.seed for run in runs)


def test_every_variant_belongs_to_a_claim():
    assert {row.variant for claim in CLAIMS.values() for row in claim.rows} == set(VARIANTS)


def test_a_base_without_semantic_data_has_none_in_any_stage():
    by_id = {run.id: run for run in runs_of("data")}
    text, joint = by_id["seed0/text/free_no_semantic"], by_id["seed0/joint/free_no_semantic"]
    assert text.settings["intents"] == "referring"
    finetuned = by_id["seed0/finetune/few_no_semantic"]
    assert joint.settings["families"] == finetuned.settings["families"] == ["referring"]
    assert by_id["seed0/finetune/few_no_text"].settings["small_talk"] is False


def test_settings_hold_what_decides_the_outcome():
    first = {run.id: run for run in runs_of("reasoning")}
    other = runs_of(
        "reasoning", budget=Budget(joint_steps=7), data=replace(DATA, training="u", limit=3)
    )
    assert {run.id for run in other if run.id in first and run != first[run.id]} == {
        "seed0/text/free",
        "seed0/joint/free",
        "seed0/finetune/few",
        "seed0/finetune/continued",
    }
    assert [run.id for run in other if run.id not in first] == [
        f"seed0/score/test_3_frames/{name}" for name in ("base", "continued", "few")
    ]


def test_trained_vision_stages_are_not_planned():
    runs = runs_of("rephrasing", data=replace(DATA, own_vision="v{seed}.pt"))
    assert all(run.stage is not Stage.VISION for run in runs)
    assert all("seed0/vision" not in run.needs for run in runs)


def test_runs_survive_json():
    for run in runs_of(*CLAIMS):
        assert parse_run(run.as_dict()) == run


def test_mistakes_are_named():
    with pytest.raises(ExperimentError, match="no claim 'magic'"):
        runs_of("magic")
    with pytest.raises(ExperimentError, match="seeds"):
        runs_of("data", seeds=())
    with pytest.raises(ExperimentError, match="joint_steps must be at least 1"):
        Budget(joint_steps=0)
    with pytest.raises(ExperimentError, match="reasoning_share"):
        Budget(reasoning_share=0.0)
    with pytest.raises(ExperimentError, match="split"):
        replace(DATA, split="train")
    with pytest.raises(ExperimentError, match="limit"):
        replace(DATA, limit=0)
    with pytest.raises(ValueError, match="families"):
        Base(name="x", families=(Family.REASONING,))
    with pytest.raises(ValueError, match="samples need"):
        Variant(name="x", base=VARIANTS["base"].base, finetuned=False, samples=3)
    with pytest.raises(ValueError, match="no variant 'x'"):
        Claim(name="c", title="", rows=(Row(label="", variant="x"),), differences=())
