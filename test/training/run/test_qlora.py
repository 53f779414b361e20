"""QLoRA and 8-bit moments: on tiny models, on the CPU."""

from __future__ import annotations

import importlib.util
import shutil
import sys

import pytest
import torch
import training_run
from safetensors.torch import load_file
from torch import nn

from lisa_model.checkpoint.reader import open_checkpoint
from lisa_model.llava.config import CheckpointConfig
from lisa_model.llava.model import LisaForCausalLM
from lisa_model.segmenter import ReasoningSegmenter
from training.data.config import read_config
from training.data.errors import ConfigError
from training.official.lora import LoraSettings
from training.run.assembly import assemble, open_feed
from training.run.log import read_metrics
from training.run.loop import train
from training.run.merge import merge
from training.run.policy import elements, make_trainable, model_parts
from training.run.processes import Processes
from training.run.quantized import quantize_frozen
from training.run.settings import parse_settings
from training.run.state import OPTIMIZER, WEIGHTS, checkpoints, newest_whole, restore
from training.run.validate import predicted_mask, read_question

needs_bitsandbytes = pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed"
)
KINDS = [pytest.param("nf4", marks=needs_bitsandbytes), "int8"]
CPU = torch.device("cpu")


def values(inputs, out, **changes):
    return training_run.settings(inputs, out, **{"quantization": "nf4", **changes})


def losses(out):
    return [line["loss"] for line in read_metrics(out) if line["kind"] == "train"]


def load(inputs, kind):
    """The tiny model with LoRA that does something; quantized unless ``kind`` is none."""
    folder = inputs / "LISA-random"
    checkpoint = open_checkpoint(folder)
    config = CheckpointConfig.read(folder, checkpoint)
    model = LisaForCausalLM.from_checkpoint(checkpoint, config)
    # The embedding's spread is that of a released model's, against which layers do something.
    for parameter in model.model.layers.parameters():
        parameter.data = parameter.data * (5.0 if parameter.ndim == 2 else 1.0)
    if kind != "none":
        quantize_frozen(model, kind, CPU)
    torch.manual_seed(3)
    trained = make_trainable(model, LoraSettings(dropout=0.0))
    for name, parameter in trained.items():
        if ".lora_B." in name:
            nn.init.normal_(parameter, std=0.05)
    return model, trained


def dequantized(linear):
    """A plain layer with the weights that the quantized one computes with."""
    weight = linear.weight
    if hasattr(weight, "quant_state"):
        from bitsandbytes.functional import dequantize_4bit

        whole = dequantize_4bit(weight.data, weight.quant_state)
    else:
        whole = weight.dequantize()
    plain = nn.Linear(whole.shape[1], whole.shape[0], bias=False)
    plain.weight = nn.Parameter(whole.float(), requires_grad=False)
    return plain


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_a_dequantised_base(inputs, kind):
    model, trained = load(inputs, kind)
    ids = torch.randint(0, 500, (2, 9), generator=torch.Generator().manual_seed(0))

    def gradients():
        for parameter in trained.values():
            parameter.grad = None
        model.lm_head(model.states(model.embed(ids))).float().square().mean().backward()
        return {name: p.grad.clone() for name, p in trained.items() if p.grad is not None}

    small = gradients()
    assert {name.split(".")[4] for name in small if ".lora_" in name} == {"q_proj", "v_proj"}
    replaced = 0
    for layer in model.model.layers:
        for name, module in list(layer.named_modules()):
            owner, _, leaf = name.rpartition(".")
            alone = leaf.endswith("_proj") and not hasattr(module, "lora_A")
            if leaf == "base_layer" or alone:
                setattr(layer.get_submodule(owner), leaf, dequantized(module))
                replaced += 1
    assert replaced == 7 * len(model.model.layers)
    plain = gradients()
    assert plain.keys() == small.keys()
    for name, truth in plain.items():
        assert truth.norm() > 0, name
        assert (small[name] - truth).norm() <= 1e-4 * truth.norm(), name


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_trained_and_the_table_do_not_depend_on_it(inputs, kind):
    model, trained = load(inputs, kind)
    whole, plain = load(inputs, "none")
    assert trained.keys() == plain.keys()
    assert {parameter.dtype for parameter in trained.values()} == {torch.float32}
    assert model_parts(model) == model_parts(whole)
    # Embeddings are trained, and begin with all of their digits.
    assert torch.equal(model.model.embed_tokens.weight, whole.model.embed_tokens.weight)
    layer = model.model.layers[0]
    assert elements(layer.mlp.up_proj.weight) == 64 * 128
    assert type(layer.mlp.up_proj.weight) is not nn.Parameter


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", KINDS)
def test_losses_fall_and_only_what_is_meant_changes(inputs, tmp_path, kind, precision):
    settings = parse_settings(
        values(inputs, tmp_path, quantization=kind, precision=precision, steps=24)
    )
    processes = Processes(device="cpu", parallel="ddp")
    assembly = assemble(settings, processes)
    lisa = assembly.learner.module.lisa

    def stored():
        out = {}
        for name, parameter in lisa.named_parameters():
            values = parameter.detach()
            out[name] = (values.dequantize() if hasattr(values, "dequantize") else values).clone()
        return out

    before = stored()
    feed, _ = open_feed(settings, read_config(settings.general.data), assembly.collate, processes)
    seen = [
        assembly.learner.step(batches, number=number, rate=1e-3).total
        for number, batches in enumerate(feed.steps(0, settings.general.steps))
    ]
    assert all(torch.isfinite(torch.tensor(seen)))
    assert sum(seen[-6:]) < 0.98 * sum(seen[:6])
    after = stored()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed <= set(assembly.learner.parameters)
    lora = {name for name in assembly.learner.parameters if ".lora_" in name}
    assert lora <= changed
    assert {"lm_head.weight", "model.embed_tokens.weight"} <= changed


@pytest.fixture(scope="module")
def run(inputs, tmp_path_factory):
    pytest.importorskip("bitsandbytes")
    out = tmp_path_factory.mktemp("run") / "run"
    train(parse_settings(values(inputs, out)), progress=False)
    return out


def goes_on_bit_for_bit(inputs, whole, tmp_path, **changes):
    out = tmp_path / "run"
    shutil.copytree(whole, out)
    shutil.rmtree(checkpoints(out)[-1])
    result = train(parse_settings(values(inputs, out, **changes)), progress=False)
    assert losses(out) == losses(whole)
    for name in (WEIGHTS, OPTIMIZER):
        one, two = (
            load_file(place / name) for place in (newest_whole(whole)[0], result.checkpoint)
        )
        assert one.keys() == two.keys()
        for key, tensor in one.items():
            assert torch.equal(tensor, two[key]), key


def test_a_stopped_run_goes_on_bit_for_bit(inputs, run, tmp_path):
    goes_on_bit_for_bit(inputs, run, tmp_path)


def test_another_quantization_is_refused(inputs, run):
    from lisa_model.errors import LisaError

    with pytest.raises(LisaError, match="quantization = 'nf4', now it is None"):
        train(parse_settings(values(inputs, run, quantization="none")), progress=False)


def test_the_merged_model_has_the_bases_own_weights(inputs, run, tmp_path):
    """Not the rounded ones that LoRA was trained beside; and it opens and answers."""
    model = inputs / "merged-qlora"
    merge(run, model)
    base = dict(open_checkpoint(inputs / "LISA-random").tensors())
    got = dict(open_checkpoint(model).tensors())
    learnt = load_file(newest_whole(run)[0] / WEIGHTS)
    for layer in (0, 1):
        stem = f"model.layers.{layer}."
        assert torch.equal(got[f"{stem}mlp.up_proj.weight"], base[f"{stem}mlp.up_proj.weight"])
        name = f"{stem}self_attn.q_proj"
        update = learnt[f"{name}.lora_B.default.weight"] @ learnt[f"{name}.lora_A.default.weight"]
        assert update.abs().max() > 0
        expected = base[f"{name}.weight"] + 16 / 8 * update
        assert torch.allclose(got[f"{name}.weight"], expected, atol=1e-7)
    settings = parse_settings(values(inputs, run))
    assembly = assemble(settings, Processes(device="cpu", parallel="ddp"))
    restore(newest_whole(run)[0], assembly.learner)
    path = inputs / "dataset" / "reason_seg" / "ReasonSeg" / "val" / "three.jpg"
    sample = read_question(path).sample
    assembly.learner.module.eval()
    mask = predicted_mask(assembly.learner, assembly.collate, sample)
    question = sample.conversations[0][0][0].removeprefix("<image>\n")
    segmenter = ReasoningSegmenter.from_pretrained(model)
    assert (segmenter.score(sample.image, question).masks[0] != mask).mean() < 0.1


@needs_bitsandbytes
def test_eight_bit_moments_follow_those_of_32_bits_and_go_on_bit_for_bit(inputs, tmp_path):
    eight = {"quantization": "none", "optimizer": {"name": "adamw8bit"}}
    whole = tmp_path / "whole"
    result = train(parse_settings(values(inputs, whole, **eight)), progress=False)
    plain = tmp_path / "plain"
    other = train(parse_settings(values(inputs, plain, quantization="none")), progress=False)
    one, two = (load_file(place.checkpoint / OPTIMIZER) for place in (result, other))
    assert {key for key in one if not key.startswith("absmax/")} == two.keys()
    rounded = 0
    for key, tensor in two.items():
        # The gradient of a key's bias is 0 but for rounding: softmax does not see it.
        if not key.startswith("exp_avg/") or key.endswith("k_proj.bias"):
            continue
        difference = (one[key] - tensor).norm() / tensor.norm().clamp(min=1e-12)
        assert difference < 0.1, key
        rounded += bool(tensor.numel() >= 4096 and difference > 1e-4)
    assert rounded
    assert losses(whole) == pytest.approx(losses(plain), rel=1e-3)
    goes_on_bit_for_bit(inputs, whole, tmp_path, **eight)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"parallel": "fsdp2"}, "quantization: nf4 cannot be sharded"),
        ({"parallel": "zero3"}, "quantization: nf4 cannot be sharded"),
        ({"quantization": "int4"}, "quantization must be one of none, nf4, int8"),
        (
            {"quantization": "none", "parallel": "zero2", "optimizer": {"name": "adamw8bit"}},
            "adamw8bit cannot be sharded",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(inputs, tmp_path, change, said):
    with pytest.raises(ConfigError, match=said):
        parse_settings(values(inputs, tmp_path, **change))


def test_without_bitsandbytes_the_package_is_named(inputs, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    processes = Processes(device="cpu", parallel="ddp")
    with pytest.raises(ConfigError, match="needs the package bitsandbytes"):
        assemble(parse_settings(values(inputs, tmp_path)), processes)
    change = {"quantization": "none", "optimizer": {"name": "adamw8bit"}}
    with pytest.raises(ConfigError, match="needs the package bitsandbytes"):
        assemble(parse_settings(values(inputs, tmp_path, **change)), processes)


@needs_bitsandbytes
@pytest.mark.slow
def test_two_processes_follow_the_curve_of_one(inputs, tmp_path):
    common = {"lora": {"dropout": 0.0}}
    alone = tmp_path / "alone"
    train(parse_settings(values(inputs, alone, accumulation=4, **common)), progress=False)
    ways = ["ddp"] + ["zero2"] * (importlib.util.find_spec("deepspeed") is not None)
    configs = [
        str(
            training_run.write_config(
                tmp_path / f"{way}.yaml", values(inputs, tmp_path / way, parallel=way, **common)
            )
        )
        for way in ways
    ]
    done = training_run.two_processes("test/support/training_worker.py", *configs)
    assert done.returncode == 0, done.stderr
    for way in ways:
        assert losses(tmp_path / way) == pytest.approx(losses(alone), abs=1e-4), way
