"""LLaVA-1.5 towers and projectors: other numbers of patches, two layers, no fixed 255."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.checkpoint_shapes import SIZES
from benchmarks.full_size_checkpoint import write_checkpoint
from benchmarks.naive import naive_answer
from lisa_model.llava.projector import build_projector
from lisa_model.llava.segmenter import LisaSegmenter
from lisa_model.segmenter import ReasoningSegmenter

IMAGE = np.random.default_rng(3).integers(0, 255, (70, 90, 3), dtype=np.uint8)


def checkpoint(folder, clip_image, *, two_layers):
    """A random checkpoint whose tower has (clip_image / 14)^2 patches."""
    sizes = replace(SIZES["tiny"], clip_image=clip_image)
    model, tower = write_checkpoint(folder, sizes, dtype=torch.float32)
    if two_layers:
        path = model / "pytorch_model.bin"
        tensors = torch.load(path, weights_only=True)
        generator = torch.Generator().manual_seed(7)
        weight = tensors.pop("model.mm_projector.weight")
        bias = tensors.pop("model.mm_projector.bias")
        hidden = len(weight)
        tensors["model.mm_projector.0.weight"] = weight
        tensors["model.mm_projector.0.bias"] = bias
        second = torch.randn(hidden, hidden, generator=generator) / hidden**0.5
        tensors["model.mm_projector.2.weight"] = second
        tensors["model.mm_projector.2.bias"] = torch.randn(hidden, generator=generator)
        torch.save(tensors, path)
        config = json.loads((model / "config.json").read_text())
        config["mm_projector_type"] = "mlp2x_gelu"
        (model / "config.json").write_text(json.dumps(config))
    return model, tower


@pytest.mark.parametrize(("clip_image", "patches"), [(56, 16), (84, 36), (112, 64)])
@pytest.mark.parametrize("two_layers", [False, True])
def test_the_row_of_seg_follows_the_number_of_patches(tmp_path, clip_image, patches, two_layers):
    model, tower = checkpoint(tmp_path, clip_image, two_layers=two_layers)
    segmenter = ReasoningSegmenter.from_pretrained(model, vision_tower=tower)
    assert isinstance(segmenter, LisaSegmenter)
    assert segmenter.engine.tower.patches == patches
    projector = segmenter.engine.model.model.mm_projector
    assert sum(isinstance(m, torch.nn.Linear) for m in projector.modules()) == 1 + two_layers
    result = segmenter.segment(IMAGE, "the cup", templates=False)
    assert len(result.masks) == 1
    prompt = segmenter._ids([(segmenter._user_text("the cup", False), None)])
    whole = naive_answer(
        segmenter, IMAGE, prompt, max_new_tokens=8, eos_id=segmenter.tokenizer.eos_id
    )
    assert whole.ids == result.token_ids
    np.testing.assert_allclose(result.mask_logits, whole.mask_logits, atol=1e-4)


def test_the_two_layer_projector_is_linear_gelu_linear():
    shapes = {
        "p.0.weight": (6, 4),
        "p.0.bias": (6,),
        "p.2.weight": (6, 6),
        "p.2.bias": (6,),
    }
    projector = build_projector(shapes, "p.")
    x = torch.randn(2, 3, 4)
    first, last = projector[0], projector[2]
    expected = torch.nn.functional.gelu(x @ first.weight.T + first.bias) @ last.weight.T + last.bias
    torch.testing.assert_close(projector(x), expected)
