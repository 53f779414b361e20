from dataclasses import replace

import pytest
import torch
from cached_frame import CHANNELS, cached_frame
from random_names import random_names

from lisa_model.config import MaskHeadConfig, preset
from training.tiny import stage_vision

OUT_DIM = 16
CONFIG = replace(
    preset("lisa-tiny"),
    vision_dim=CHANNELS,
    out_dim=OUT_DIM,
    mask_head=MaskHeadConfig(
        dim=32,
        num_heads=4,
        mlp_dim=32,
        stem_dim=8,
        referent_dim=4,
        align_dim=8,
        naming_dim=8,
        extent_dim=4,
    ),
)


@pytest.fixture
def train(tmp_path, monkeypatch):
    monkeypatch.setattr(stage_vision, "name_vectors", random_names)
    features = tmp_path / "features"
    features.mkdir()
    cached_frame(features)

    def run(**steps):
        out = tmp_path / "vision.pt"
        stage_vision.train(config=CONFIG, features=features, out=out, seed=0, **steps)
        return torch.load(out, weights_only=True)

    return run


@pytest.mark.parametrize("part", ["align", "naming", "extents"])
def test_the_head_starts_from_what_patches_and_masks_are_called(train, tmp_path, part):
    head = train(steps=0, align_steps=3)
    learnt = torch.load(tmp_path / f"vision.{part}", weights_only=True)
    for name, value in learnt.items():
        assert torch.equal(head[f"{part}.{name}"], value)


def test_masks_leave_what_they_are_called_alone(train):
    before, after = train(steps=0, align_steps=3), train(steps=2, align_steps=3)
    kept = [name for name in before if name.startswith(("naming", "extents"))]
    assert kept
    assert all(torch.equal(after[name], before[name]) for name in kept)


def test_masks_are_learnt_and_the_stage_goes_on_where_it_was(train, tmp_path, capsys):
    before = train(steps=0, align_steps=3)
    after = train(steps=2, align_steps=3)
    assert any(not torch.equal(after[name], value) for name, value in before.items())
    assert torch.load(tmp_path / "vision.state", weights_only=True)["step"] == 2
    again = train(steps=2, align_steps=3)
    assert all(torch.equal(again[name], value) for name, value in after.items())


def test_without_alignment_nothing_is_gathered(train, tmp_path):
    train(steps=0, align_steps=0)
    assert not (tmp_path / "vision.align").exists()
