"""All kinds on a random checkpoint whose widths 4-bit groups can divide."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from vectors import vector_sets

from benchmarks.checkpoint_shapes import SIZES
from benchmarks.full_size_checkpoint import write_checkpoint
from lisa_model.llava.quantization import llm_bytes, quantize_llm
from lisa_model.llava.segmenter import LisaSegmenter
from lisa_model.segmenter import ReasoningSegmenter

SMALL = min(vector_sets(), key=lambda one: one.meta["sam"]["img"])
IMAGE = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("random"), SIZES["tiny"], dtype=torch.float32)


def opened(checkpoint, dtype="float32", quantization=None) -> LisaSegmenter:
    model, tower = checkpoint
    segmenter = ReasoningSegmenter.from_pretrained(
        model, vision_tower=tower, dtype=dtype, quantization=quantization
    )
    assert isinstance(segmenter, LisaSegmenter)
    return segmenter


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", ["int8", "int4", "nf4"])
def test_blocks_shrink_and_everything_else_keeps_its_type(checkpoint, kind, dtype):
    exact, small = opened(checkpoint, dtype), opened(checkpoint, dtype, kind)
    wide, narrow = exact.engine.model, small.engine.model
    for name in ("lm_head", "model.text_hidden_fcs", "model.mm_projector", "model.visual_model"):
        before, after = wide.get_submodule(name), narrow.get_submodule(name)
        for old, new in zip(before.parameters(), after.parameters(), strict=True):
            assert new.dtype == old.dtype
            assert torch.equal(new, old)
    layers = sum(p.numel() for p in wide.model.layers.parameters())
    table = narrow.model.embed_tokens.weight.numel() * 2
    head = narrow.lm_head.weight.numel() * narrow.lm_head.weight.itemsize
    # Scales weigh more in blocks as narrow as these; at LISA's widths it is 1.0 and 0.6 bytes.
    assert (llm_bytes(narrow) - table - head) / layers < {"int8": 1.2, "int4": 0.8, "nf4": 0.8}[
        kind
    ]
    a = exact.segment(IMAGE, "the cup", templates=False)
    b = small.segment(IMAGE, "the cup", templates=False)
    assert b.token_ids == a.token_ids
    assert len(a.masks) == len(b.masks) == 1
    assert not np.array_equal(a.mask_logits, b.mask_logits)
    spread = a.mask_logits.std()
    assert np.abs(a.mask_logits - b.mask_logits).mean() < 0.2 * spread


@pytest.mark.parametrize("kind", ["int4", "nf4"])
def test_widths_that_cannot_be_divided_are_refused(tmp_path, kind):
    folder = SMALL.checkpoint(tmp_path / "model")
    with pytest.raises(ValueError, match=rf"{kind}.*multiples of 64.*96, 208"):
        ReasoningSegmenter.from_pretrained(folder, vision_tower=SMALL.clip, quantization=kind)


def test_a_missing_library_is_named(checkpoint, monkeypatch):
    model = opened(checkpoint).engine.model
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(ValueError, match="pip install bitsandbytes"):
        quantize_llm(model, "nf4")
