"""Training runs with LoRA, against peft's own merging."""

import json

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from lisa_model.checkpoint.reader import open_checkpoint
from lisa_model.errors import WeightsCorruptError

ALPHA = 24.0


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.q_proj = nn.Linear(6, 5)
        self.v_proj = nn.Linear(5, 7, bias=False)
        self.head = nn.Linear(7, 2)


@pytest.fixture
def trained():
    """Keys and tensors of a training run, and what peft merges them to."""
    torch.manual_seed(2)
    config = LoraConfig(r=3, lora_alpha=ALPHA, target_modules=["q_proj", "v_proj"])
    model = get_peft_model(Net(), config)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            nn.init.normal_(parameter)
    state = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    return state, model.merge_and_unload().state_dict()


def without_base_layer(state):
    """As peft 0.4, which the official training uses, names the base weights."""
    return {key.replace(".base_layer.", "."): tensor for key, tensor in state.items()}


def save(folder, state, **adapter):
    keys = list(state)
    for number, part in enumerate((keys[:3], keys[3:]), start=1):
        torch.save(
            {key: state[key] for key in part}, folder / f"pytorch_model-0000{number}-of-00002.bin"
        )
    if adapter:
        (folder / "adapter_config.json").write_text(json.dumps(adapter))


@pytest.mark.parametrize("names", [dict, without_base_layer])
@pytest.mark.parametrize("alpha_from", ["file", "argument"])
def test_merged_as_peft_does(tmp_path, trained, names, alpha_from):
    state, expected = trained
    if alpha_from == "file":
        save(tmp_path, names(state), lora_alpha=ALPHA, r=3, use_dora=False)
        checkpoint = open_checkpoint(tmp_path)
    else:
        save(tmp_path, names(state))
        checkpoint = open_checkpoint(tmp_path, lora_alpha=ALPHA)
    found = dict(checkpoint.tensors())
    assert set(found) == set(expected) == set(checkpoint.shapes)
    for key, tensor in expected.items():
        torch.testing.assert_close(found[key], tensor, rtol=1e-6, atol=1e-6)
    assert (found["q_proj.weight"] - state[_base(state)]).abs().max() > 0.1
    some = dict(checkpoint.tensors({"v_proj.weight"}))
    assert list(some) == ["v_proj.weight"]
    torch.testing.assert_close(some["v_proj.weight"], expected["v_proj.weight"])


def _base(state):
    return next(key for key in state if key.endswith("q_proj.base_layer.weight"))


def test_the_stored_dtype_stays(tmp_path, trained):
    state = {key: tensor.bfloat16() for key, tensor in trained[0].items()}
    save(tmp_path, state)
    found = dict(open_checkpoint(tmp_path, lora_alpha=ALPHA).tensors())
    assert {tensor.dtype for tensor in found.values()} == {torch.bfloat16}


def test_a_prefix_without_lora_is_taken_off(tmp_path):
    torch.save({"base_model.model.w": torch.ones(2)}, tmp_path / "pytorch_model.bin")
    assert open_checkpoint(tmp_path).shapes == {"w": (2,)}


def test_unknown_alpha_gets_its_remedy(tmp_path, trained):
    save(tmp_path, trained[0])
    with pytest.raises(WeightsCorruptError, match="--lora-alpha"):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("adapter", "problem"),
    [
        ({"lora_alpha": 8, "use_rslora": True}, "use_rslora"),
        ({"lora_alpha": 8, "rank_pattern": {"q_proj": 2}}, "rank_pattern"),
        ({"r": 8}, "lora_alpha"),
    ],
)
def test_other_formulas_are_refused(tmp_path, trained, adapter, problem):
    save(tmp_path, trained[0], **adapter)
    with pytest.raises(WeightsCorruptError, match=problem):
        open_checkpoint(tmp_path)


def _without(state, part):
    return {key: tensor for key, tensor in state.items() if part not in key}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda s: _without(s, "v_proj.lora_B"), r"'v_proj\.weight' has only one"),
        (lambda s: _without(s, "v_proj.base_layer"), "not the weights that they change"),
        (
            lambda s: {k: v[:-1] if "v_proj.lora_B" in k else v for k, v in s.items()},
            r"do not fit 'v_proj\.weight'",
        ),
        (
            lambda s: s | {"base_model.model.q_proj.lora_A.other.weight": torch.ones(3, 6)},
            "several LoRA adapters",
        ),
        (
            lambda s: s | {"base_model.model.q_proj.lora_magnitude_vector": torch.ones(5)},
            "not supported",
        ),
        (lambda s: s | {"head.bias": torch.ones(2)}, "holds both"),
    ],
)
def test_incomplete_adapters_are_named(tmp_path, trained, change, problem):
    save(tmp_path, change(trained[0]))
    with pytest.raises(WeightsCorruptError, match=problem):
        open_checkpoint(tmp_path, lora_alpha=ALPHA)
