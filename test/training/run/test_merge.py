"""What a run learnt, as a model of its own and in the official layout."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import dataset_files
import numpy as np
import pytest
import torch
import training_run

from lisa_model.checkpoint.manifest import verify
from lisa_model.checkpoint.reader import open_checkpoint
from lisa_model.cli import main
from lisa_model.errors import LisaError, WeightsCorruptError, WeightsMissingError
from lisa_model.segmenter import ReasoningSegmenter
from training.data.config import read_config
from training.run.assembly import assemble
from training.run.loop import train
from training.run.merge import export, merge
from training.run.processes import Processes
from training.run.settings import parse_settings
from training.run.state import newest_whole, restore
from training.run.validate import predicted_mask, read_question

IMAGE = dataset_files.picture(5, 60, 80)


@pytest.fixture(scope="module")
def run(inputs, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "run"
    train(parse_settings(training_run.settings(inputs, out)), progress=False)
    return out


@pytest.fixture(scope="module")
def model(inputs, run):
    """The merged model, beside the vision tower."""
    folder = inputs / "merged"
    merge(run, folder)
    return folder


def answer(folder):
    segmenter = ReasoningSegmenter.from_pretrained(folder)
    return segmenter.segment(IMAGE, "the cup", max_new_tokens=8)


def test_the_merged_model_is_what_was_trained(inputs, run, model):
    settings = parse_settings(training_run.settings(inputs, run))
    assembly = assemble(settings, Processes(device="cpu", parallel="ddp"))
    restore(newest_whole(run)[0], assembly.learner)
    root = read_config(settings.general.data).general.root
    path = root / "reason_seg" / "ReasonSeg" / "val" / "three.jpg"
    sample = read_question(path).sample
    assembly.learner.module.eval()
    mask = predicted_mask(assembly.learner, assembly.collate, sample)
    segmenter = ReasoningSegmenter.from_pretrained(model)
    question = sample.conversations[0][0][0].removeprefix("<image>\n")
    assert (segmenter.score(sample.image, question).masks[0] != mask).mean() < 0.001
    # And it is not what the run began with.
    before = ReasoningSegmenter.from_pretrained(inputs / "LISA-random")
    change = np.abs(answer(model).mask_logits - before.segment(IMAGE, "the cup").mask_logits)
    assert change.max() > 1e-3


def test_the_merged_model_is_one_file_that_can_be_verified(model):
    assert [path.name for path in model.glob("*.safetensors")] == ["model.safetensors"]
    assert "model.safetensors" in verify(model, progress=False).files
    keys = set(open_checkpoint(model).info)
    assert not any("lora" in key or "inv_freq" in key for key in keys)


def test_what_is_not_trained_is_as_it_was(inputs, model):
    before = dict(open_checkpoint(inputs / "LISA-random").tensors())
    changed = {
        key
        for key, tensor in open_checkpoint(model).tensors()
        if not torch.equal(tensor, before[key])
    }
    assert {key.split(".")[1] for key in changed if key.startswith("model.")} <= {
        "embed_tokens",
        "layers",
        "text_hidden_fcs",
        "visual_model",
    }
    llm = {key for key in changed if key.startswith("model.layers.")}
    assert llm == {
        f"model.layers.{layer}.self_attn.{name}_proj.weight" for layer in (0, 1) for name in "qv"
    }
    sam = {key for key in changed if "visual_model" in key}
    assert sam
    assert all(".mask_decoder." in key for key in sam)


@pytest.mark.parametrize("shards", [1, 3])
def test_an_exported_model_answers_the_same(inputs, model, shards):
    out = inputs / f"exported-{shards}"
    limit = 10**9 if shards == 1 else 400_000
    files = export(model, out, max_shard_bytes=limit)
    assert len(files) == 1 if shards == 1 else len(files) > 1
    one, two = answer(model), answer(out)
    assert one.token_ids == two.token_ids
    assert one.masks.shape[0] == 1
    np.testing.assert_array_equal(one.masks, two.masks)
    # Products of the same numbers differ in the last bit where tensors lie otherwise in a file.
    np.testing.assert_allclose(one.mask_logits, two.mask_logits, atol=1e-5)
    written = dict(open_checkpoint(out).tensors())
    for key, tensor in open_checkpoint(model).tensors():
        assert torch.equal(written[key], tensor), key


def test_the_exported_files_are_those_of_the_official_code(inputs, model):
    out = inputs / "exported"
    export(model, out)
    official = inputs / "LISA-random"
    assert set(open_checkpoint(out).info) == set(open_checkpoint(official).info)
    expected = {path.name for path in official.iterdir() if not path.name.startswith("pytorch")}
    assert {path.name for path in out.iterdir()} == expected | {"pytorch_model.bin"}
    config = json.loads((out / "config.json").read_text())
    assert config["architectures"] == ["LISAForCausalLM"]
    assert config["torch_dtype"] == "float32"
    # Plain tensors, each with its own memory: a view would be saved with all of its file.
    tensors = torch.load(out / "pytorch_model.bin", weights_only=True)
    size = sum(tensor.nbytes for tensor in tensors.values())
    assert (out / "pytorch_model.bin").stat().st_size < 1.5 * size
    frequencies = tensors["model.layers.0.self_attn.rotary_emb.inv_freq"]
    before = dict(open_checkpoint(official).tensors())
    assert torch.allclose(frequencies, before["model.layers.0.self_attn.rotary_emb.inv_freq"])


def test_the_commands(inputs, run, tmp_path, capsys):
    assert main(["merge", str(run), str(tmp_path / "m"), "--dtype", "bfloat16"]) == 0
    info = open_checkpoint(tmp_path / "m").info
    assert info["lm_head.weight"].dtype == torch.bfloat16
    assert info["model.visual_model.prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"]
    assert main(["export", str(tmp_path / "m"), str(tmp_path / "e")]) == 0
    assert "1 files of weights" in capsys.readouterr().out
    assert main(["merge", str(run), str(tmp_path / "m")]) == 1
    assert "exists; name a new folder" in capsys.readouterr().err


def test_a_moved_or_changed_base_is_noticed(inputs, run, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(inputs / "LISA-random", moved)
    merge(run, tmp_path / "a", base=moved)
    (Path(moved) / "pytorch_model-00004-of-00004.bin").unlink()
    with pytest.raises(WeightsMissingError, match="pytorch_model-00004"):
        merge(run, tmp_path / "b", base=moved)
    with pytest.raises(WeightsCorruptError, match=r"is not what .* began with"):
        merge(run, tmp_path / "b", base=inputs / "merged")
    assert not (tmp_path / "b").exists()


def test_a_folder_without_a_run_is_named(tmp_path):
    with pytest.raises(WeightsMissingError, match="no run with a whole checkpoint"):
        merge(tmp_path, tmp_path / "out")


def test_an_exported_folder_is_whole_or_not_there(model, tmp_path, monkeypatch):
    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr("training.run.merge._save", full)
    with pytest.raises(OSError, match="disk full"):
        export(model, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    monkeypatch.undo()
    export(model, tmp_path / "out")
    with pytest.raises(LisaError, match="exists"):
        export(model, tmp_path / "out")
