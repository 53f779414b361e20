from __future__ import annotations

import torch

from lisa_model.checkpoint.reader import open_checkpoint
from lisa_model.llava.config import CheckpointConfig
from lisa_model.llava.model import LisaForCausalLM
from training.official.lora import LoraSettings
from training.run.policy import make_trainable, model_parts, table


def tiny(inputs, dtype=torch.bfloat16):
    folder = inputs / "LISA-random"
    checkpoint = open_checkpoint(folder)
    config = CheckpointConfig.read(folder, checkpoint)
    return LisaForCausalLM.from_checkpoint(checkpoint, config, dtype=dtype)


def test_what_is_trained_is_float32_and_the_rest_is_frozen(inputs):
    model = tiny(inputs)
    before = {name: parameter.dtype for name, parameter in model.named_parameters()}
    assert before["lm_head.weight"] == torch.bfloat16
    trained = make_trainable(model, LoraSettings())
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad == (name in trained), name
        kept = before.get(name.replace(".base_layer.", "."))
        assert parameter.dtype == (torch.float32 if name in trained else kept), name
    whole = ("lm_head.weight", "model.embed_tokens.weight", "model.text_hidden_fcs.0.0.bias")
    assert set(whole) <= set(trained)
    llm = {name for name in trained if name.startswith("model.layers.")}
    assert len(llm) == 2 * 2 * 2  # layers, q and v, A and B
    assert all(".lora_" in name for name in llm)
    frozen = ("mm_projector", "prompt_encoder", "image_encoder", "model.norm")
    assert not any(part in name for part in frozen for name in trained)


def test_training_does_not_change_the_checkpoints_file(inputs):
    model = tiny(inputs, torch.float32)
    before = dict(open_checkpoint(inputs / "LISA-random").tensors())["lm_head.weight"].clone()
    with torch.no_grad():
        make_trainable(model, LoraSettings())["lm_head.weight"].add_(1.0)
    after = dict(open_checkpoint(inputs / "LISA-random").tensors())["lm_head.weight"]
    assert torch.equal(before, after)


def test_the_table_counts_everything_once(inputs):
    model = tiny(inputs)
    make_trainable(model, LoraSettings(rank=4))
    rows = model_parts(model)
    assert sum(row.total for row in rows) == sum(p.numel() for p in model.parameters())
    counts = {row.name: (row.total, row.trained) for row in rows}
    assert counts["LLM: LoRA"] == (2 * 2 * 2 * 4 * 64, 2 * 2 * 2 * 4 * 64)
    assert counts["LLM: layers"][1] == 0
    text = table(rows)
    assert "SAM: mask decoder" in text
    assert text.splitlines()[-1].startswith("all")
