import pytest
from told_training import told_training

from training.design import stages
from training.design.plan import Budget, plan_training
from training.design.variants import TRAINED, VARIANTS
from training.experiments.places import Places
from training.experiments.runs import Data, parse_run
from training.tiny.stage_joint import JointRecipe

DATA = Data(training="t", scored="s", split="val")


@pytest.fixture
def places(tmp_path):
    return Places(
        work=tmp_path,
        frames=tmp_path,
        features=tmp_path / "features",
        questions=(tmp_path / "train.jsonl",),
        scored=tmp_path,
        compiled=False,
    )


def by_id():
    """The runs as their files describe them."""
    runs = plan_training(list(TRAINED), [3], budget=Budget(), data=DATA)
    return {run.id: parse_run(run.as_dict()) for run in runs}


def test_stages_before_the_joint_one_are_told_the_variant(places, monkeypatch):
    told = {}
    for name in ("text", "vision"):
        monkeypatch.setattr(
            f"training.tiny.stage_{name}.train",
            lambda name=name, **given: told.update({name: given}),
        )
    runs = by_id()
    stages.train_text(runs["seed3/text/lora.alpha=8,lora.rank=4"], places)
    stages.train_vision(runs["seed3/vision/mask_head.depth=1"], places)
    assert told["text"]["config"].lora == VARIANTS["lora_4"].config().lora
    assert told["vision"]["config"].mask_head == VARIANTS["head_depth_1"].config().mask_head
    for given in told.values():
        assert given["seed"] == 3
    assert told["vision"]["align_steps"] == Budget().align_steps


def test_the_joint_stage_is_told_the_variant(places, monkeypatch):
    told = told_training(monkeypatch)
    runs = by_id()
    for name in ("base", "no_codebook", "frozen_head"):
        stages.train_joint(runs[f"seed3/joint/{name}"], places)
        assert told[-1]["ran"]
        assert told[-1]["config"] == VARIANTS[name].config()
    base, _, frozen = told
    assert base["recipe"] == JointRecipe(steps=Budget().joint_steps, seed=3)
    assert frozen["recipe"].head_rate == 0.0
    assert base["vision"].parent != frozen["vision"].parent
    assert base["text"] == frozen["text"]
    assert base["text"] == places.folder("seed3/text/base") / "text.pt"
