"""Losses, gradients and a LoRA run against what the official code recorded."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from vectors import each_set

from lisa_model.checkpoint.reader import open_checkpoint
from lisa_model.llava.clip_tower import ClipTower
from lisa_model.llava.config import CheckpointConfig
from lisa_model.llava.model import LisaForCausalLM
from lisa_model.llava.preprocessing import sam_pixels
from lisa_model.llava.tokenizer import LegacyTokenizer
from training.official.forward import Picture, training_losses
from training.official.labels import text_batch
from training.official.lora import LoraSettings, merge, prepare

TERMS = {"loss": "total", "ce_loss": "answer", "mask_bce_loss": "bce", "mask_dice_loss": "dice"}


class Recorded:
    """A set's training batch, made again from its images and conversations."""

    def __init__(self, vectors) -> None:
        vectors.needs_decoder()
        self.vectors = vectors
        self.arrays = vectors.arrays("train_batch")
        checkpoint = open_checkpoint(vectors.folder)
        config = CheckpointConfig.read(vectors.hf, checkpoint)
        self.model = LisaForCausalLM.from_checkpoint(checkpoint, config)
        self.tokenizer = LegacyTokenizer.from_folder(vectors.hf)
        self.tower = ClipTower.from_folder(vectors.clip)
        self.text = text_batch(
            vectors.meta["train"]["conversations"],
            self.tokenizer,
            template="llava_v1",
            patches=self.tower.patches,
        )
        offset = self.arrays["offset"].tolist()
        self.picture_of = [
            number
            for number, (first, last) in enumerate(pairwise(offset))
            for _ in range(first, last)
        ]
        images = [self.arrays[f"images_{k}"] for k in range(len(offset) - 1)]
        self.clip_pixels = torch.stack([self.tower.pixels(image) for image in images])
        self.pictures = []
        for number, image in enumerate(images):
            pixels, resized = sam_pixels(image, config.sam.image_size)
            masks = torch.from_numpy(self.arrays[f"masks_{number}"])
            self.pictures.append(Picture(sam=pixels, resized=resized, masks=masks))

    def losses(self):
        return training_losses(
            self.model,
            self.text,
            self.tower(self.clip_pixels),
            self.pictures,
            self.picture_of,
            seg_id=self.tokenizer.seg_id,
        )


@pytest.fixture
def recorded(vectors):
    return Recorded(vectors)


@each_set()
def test_the_batch_is_the_recorded_one(recorded):
    arrays = recorded.arrays
    np.testing.assert_array_equal(recorded.text.ids, arrays["input_ids"])
    np.testing.assert_array_equal(recorded.text.labels, arrays["labels"])
    np.testing.assert_array_equal(recorded.text.mask, arrays["attention_masks"])
    assert [list(p.resized) for p in recorded.pictures] == arrays["resize"].tolist()
    mine = recorded.clip_pixels
    if "clip_pixels" in arrays:
        assert np.abs(mine.numpy() - arrays["clip_pixels"]).max() <= 1e-5
    else:
        assert np.abs(mine[..., ::7, ::7].numpy() - arrays["clip_pixels_slice"]).max() <= 1e-5


@each_set()
def test_losses_are_the_recorded_ones(recorded):
    with torch.no_grad():
        losses = recorded.losses()
    expected = recorded.vectors.meta["train"]["losses"]
    for key, name in TERMS.items():
        assert float(getattr(losses, name)) == pytest.approx(expected[key], rel=1e-5), key
    assert float(losses.mask) == pytest.approx(expected["mask_loss"], rel=1e-5)


@each_set()
def test_gradients_are_the_recorded_ones(recorded):
    expected = load_file(recorded.vectors.folder / "train_grads.safetensors")
    parameters = dict(recorded.model.named_parameters())
    wanted = {key.removeprefix("grad."): tensor for key, tensor in expected.items()}
    for name in wanted:
        parameters[name].requires_grad_(True)
    recorded.losses().total.backward()
    for name, truth in wanted.items():
        mine = parameters[name].grad
        assert mine is not None, name
        assert (mine - truth).norm() <= 1e-4 * truth.norm(), name


@each_set()
def test_four_steps_of_lora_give_the_recorded_losses_and_weights(recorded):
    meta = recorded.vectors.meta["lora"]
    model = recorded.model
    trained = prepare(model, LoraSettings(dropout=0.0))
    assert len(trained) == meta["n_trainable_tensors"]
    start = {
        key.removeprefix("base_model.model."): tensor
        for key, tensor in load_file(recorded.vectors.folder / "lora_init.safetensors").items()
    }
    parameters = dict(model.named_parameters())
    assert start.keys() == {name for name in trained if ".lora_" in name}
    with torch.no_grad():
        for name, tensor in start.items():
            parameters[name].copy_(tensor)
    learnt = [parameters[name] for name in trained]
    optimiser = torch.optim.AdamW(learnt, lr=3e-4, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.0)
    model.train()
    for expected in meta["traj"]:
        losses = recorded.losses()
        for key, name in TERMS.items():
            mine = float(getattr(losses, name).detach())
            assert mine == pytest.approx(expected[key], rel=1e-4), key
        optimiser.zero_grad()
        losses.total.backward()
        norm = torch.nn.utils.clip_grad_norm_(learnt, 1.0)
        assert float(norm) == pytest.approx(expected["grad_norm"], rel=1e-4)
        optimiser.step()
    merge(model)
    state = model.state_dict()
    after = load_file(recorded.vectors.folder / "lora_after4_merged_subset.safetensors")
    for name, truth in after.items():
        assert (state[name] - truth).abs().max() <= 1e-4, name
    assert not any("lora" in name for name in state)


@each_set()
def test_only_what_the_paper_trains_is_trained(recorded):
    trained = prepare(recorded.model, LoraSettings())
    frozen = [n for n, p in recorded.model.named_parameters() if not p.requires_grad]
    assert any(n.startswith("model.visual_model.image_encoder.") for n in frozen)
    assert all(".lora_" in n for n in trained if n.startswith("model.layers."))
    assert not any("mm_projector" in n or "prompt_encoder" in n for n in trained)
    assert "lm_head.weight" in trained


@each_set()
def test_parameters_that_no_loss_reaches_are_the_recorded_ones(recorded):
    prepare(recorded.model, LoraSettings(dropout=0.0))
    recorded.losses().total.backward()
    without = {
        name
        for name, p in recorded.model.named_parameters()
        if p.requires_grad and p.grad is None and ".lora_" not in name
    }
    assert without == set(recorded.vectors.meta["train"]["grad_none_but_trainable"])
