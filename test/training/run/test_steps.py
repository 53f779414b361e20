"""The real step against what the official code recorded, and against itself in other spreads."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from recorded_training import RecordedRun
from safetensors.torch import load_file
from vectors import each_set

from lisa_model.errors import LisaError
from training.official.forward import training_losses
from training.official.lora import merge
from training.run.assembly import recompute
from training.run.module import counts

TERMS = {"loss": "total", "ce_loss": "answer", "mask_bce_loss": "bce", "mask_dice_loss": "dice"}


@pytest.fixture
def case(vectors):
    return RecordedRun(vectors)


@each_set()
def test_the_first_losses_are_the_recorded_ones(case):
    case.without_lora()
    losses = case.learner.step([case.batch], number=0, rate=3e-4)
    expected = case.vectors.meta["train"]["losses"]
    for key, name in TERMS.items():
        assert getattr(losses, name) == pytest.approx(expected[key], rel=1e-5), key
    assert losses.mask == pytest.approx(expected["mask_loss"], rel=1e-5)
    assert (losses.tokens, losses.masks) == counts(case.batch)


@each_set()
def test_the_gradients_are_the_recorded_ones(case, monkeypatch):
    case.without_lora()
    expected = {
        key.removeprefix("grad."): tensor
        for key, tensor in load_file(case.vectors.folder / "train_grads.safetensors").items()
    }
    # Also of weights that the run does not train.
    for name in expected:
        base = name.replace(".weight", ".base_layer.weight")
        parameters = dict(case.model.named_parameters())
        parameters[name if name in parameters else base].requires_grad_(True)
    kept = {}

    def look(parameters, norm):
        kept.update(
            {
                name.replace(".base_layer.", "."): parameter.grad.clone()
                for name, parameter in case.model.named_parameters()
                if parameter.grad is not None
            }
        )
        return torch.tensor(1.0)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", look)
    case.learner.step([case.batch], number=0, rate=0.0)
    for name, truth in expected.items():
        assert (kept[name] - truth).norm() <= 1e-4 * truth.norm(), name


@each_set()
@pytest.mark.parametrize("how", ["whole", "recomputed passes"])
def test_four_steps_give_the_recorded_losses_and_weights(case, how):
    batches = [case.batch]
    if how == "recomputed passes":
        recompute(case.model)
        batches = case.passes()
    for number, expected in enumerate(case.vectors.meta["lora"]["traj"]):
        losses = case.learner.step(batches, number=number, rate=3e-4)
        for key, name in TERMS.items():
            assert getattr(losses, name) == pytest.approx(expected[key], rel=1e-4), key
        assert losses.gradient_norm == pytest.approx(expected["grad_norm"], rel=1e-4)
    merge(case.model)
    state = case.model.state_dict()
    after = load_file(case.vectors.folder / "lora_after4_merged_subset.safetensors")
    for name, truth in after.items():
        assert (state[name] - truth).abs().max() <= 1e-4, name


@each_set()
def test_a_mean_of_each_passs_means_would_be_another_loss(case):
    """What the step normalises by matters for this batch: its images have 2, 0 and 3 masks."""
    losses = case.learner.step(case.passes(), number=0, rate=0.0)
    apart = [
        training_losses(
            case.model,
            one.text,
            case.tower(one.clip_pixels),
            one.pictures,
            one.picture_of,
            seg_id=case.tokenizer.seg_id,
        )
        for one in case.passes()
    ]
    mean = sum(float(one.total.detach()) for one in apart) / len(apart)
    assert abs(mean - losses.total) > 0.01 * losses.total


@each_set()
def test_dropout_depends_on_the_step_only(vectors):
    case = RecordedRun(vectors, dropout=0.5)
    first = [case.learner.step([case.batch], number=n, rate=0.0).total for n in (4, 5)]
    torch.manual_seed(99)
    assert case.learner.step([case.batch], number=4, rate=0.0).total == first[0]
    assert first[0] != first[1]


@each_set()
def test_bfloat16_gives_nearly_the_same_losses(vectors):
    case = RecordedRun(vectors, autocast=torch.bfloat16)
    losses = case.learner.step([case.batch], number=0, rate=3e-4)
    expected = vectors.meta["lora"]["traj"][0]
    assert losses.total == pytest.approx(expected["loss"], rel=0.02)
    assert losses.total != pytest.approx(expected["loss"], rel=1e-6)


@each_set()
def test_clip_runs_once_per_image(case, monkeypatch):
    seen = []
    forward = case.tower.forward
    monkeypatch.setattr(case.tower, "forward", lambda p: (seen.append(len(p)), forward(p))[1])
    case.learner.step([case.batch], number=0, rate=0.0)
    assert len(case.batch.text.ids) > len(case.batch.pictures)
    assert seen == [len(case.batch.pictures)]


@each_set()
def test_a_broken_gradient_stops_the_run_before_the_weights_change(case):
    with torch.no_grad():
        case.trained["lm_head.weight"][5, 0] = float("nan")
    before = {name: parameter.clone() for name, parameter in case.trained.items()}
    with pytest.raises(LisaError, match="step 7: the gradient is nan"):
        case.learner.step([case.batch], number=7, rate=3e-4)
    for name, parameter in case.trained.items():
        np.testing.assert_array_equal(parameter.detach(), before[name].detach())
