"""Conversion: same numbers, checked files, and going on after an interruption."""

import hashlib
import json
import os
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from lisa_model.checkpoint import convert as module
from lisa_model.checkpoint.convert import convert
from lisa_model.checkpoint.manifest import verify
from lisa_model.checkpoint.reader import open_checkpoint
from lisa_model.errors import LisaError, WeightsCorruptError, WeightsMissingError

LIMIT = 300_000
GAUSS = "model.visual_model.prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"


def run(official, out, **changes):
    model, tower = official
    arguments = {"vision_tower": tower, "max_shard_bytes": LIMIT, "progress": False} | changes
    return convert(model, out, **arguments)


def shards(folder):
    return sorted(path.name for path in folder.glob("*.safetensors"))


def contents(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_every_tensor_is_taken_over(official, tmp_path):
    out = tmp_path / "out"
    run(official, out)
    source = dict(open_checkpoint(official[0]).tensors())
    kept = {key: value for key, value in source.items() if not key.endswith("inv_freq")}
    assert 0 < len(kept) < len(source)
    found = dict(open_checkpoint(out).tensors())
    assert set(found) == set(kept)
    for key, tensor in kept.items():
        assert found[key].dtype == tensor.dtype
        torch.testing.assert_close(found[key], tensor, rtol=0, atol=0)
    tower = dict(open_checkpoint(out / "vision_tower").tensors())
    assert set(tower) == set(open_checkpoint(official[1]).shapes)


def test_the_files_are_those_of_the_format(official, tmp_path):
    out = tmp_path / "out"
    manifest = run(official, out)
    names = shards(out)
    assert len(names) > 3
    assert names[0] == f"model-00001-of-{len(names):05d}.safetensors"
    # Read by the format's own library, and named right by the index.
    table = json.loads((out / "model.safetensors.index.json").read_text())["weight_map"]
    assert table == {key: name for name in names for key in load_file(out / name)}
    # Nothing is larger than asked for, but for single tensors.
    for name in names:
        assert (out / name).stat().st_size < LIMIT + 50_000 or len(load_file(out / name)) == 1
    for name in ("config.json", "tokenizer.model", "added_tokens.json", "tokenizer_config.json"):
        assert (out / name).read_bytes() == (official[0] / name).read_bytes()
    assert (out / "vision_tower" / "preprocessor_config.json").is_file()
    assert set(contents(out)) == set(manifest.files) | {"MANIFEST.json", "SHA256SUMS"}


def test_the_checksums_hold(official, tmp_path):
    out = tmp_path / "out"
    manifest = run(official, out)
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=out, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": OK") == len(contents(out)) - 1
    assert verify(out, progress=False) == manifest
    assert manifest.recipe.source["folder"] == "LISA-random"
    assert manifest.recipe.dtype == "as stored"


def test_casting(official, tmp_path):
    out = tmp_path / "out"
    run(official, out, dtype=torch.bfloat16)
    dtypes = open_checkpoint(out).dtypes
    assert dtypes.pop(GAUSS) == torch.float32
    assert set(dtypes.values()) == {torch.bfloat16}
    assert json.loads((out / "config.json").read_text())["torch_dtype"] == "bfloat16"
    source = dict(open_checkpoint(official[0]).tensors(["lm_head.weight", GAUSS]))
    found = dict(open_checkpoint(out).tensors(source))
    torch.testing.assert_close(
        found["lm_head.weight"], source["lm_head.weight"].bfloat16(), rtol=0, atol=0
    )
    torch.testing.assert_close(found[GAUSS], source[GAUSS], rtol=0, atol=0)


def test_without_a_vision_tower(official, tmp_path):
    manifest = run(official, tmp_path / "out", vision_tower=None)
    assert not (tmp_path / "out" / "vision_tower").exists()
    assert manifest.recipe.vision_tower is None


def test_the_text_side_of_clip_is_left_out(official, tmp_path):
    whole = tmp_path / "clip"
    shutil.copytree(official[1], whole)
    tensors = dict(open_checkpoint(official[1]).tensors())
    extra = {name: torch.ones(3) for name in ("text_model.x.weight", "logit_scale")}
    torch.save(tensors | extra, whole / "pytorch_model.bin")
    for path in whole.glob("pytorch_model-*"):
        path.unlink()
    (whole / "pytorch_model.bin.index.json").unlink(missing_ok=True)
    run(official, tmp_path / "out", vision_tower=whole)
    assert set(open_checkpoint(tmp_path / "out" / "vision_tower").shapes) == set(tensors)


class PowerCutError(Exception):
    pass


def cut_after(monkeypatch, count):
    """Let writing fail in the middle of shard ``count`` + 1; returns the shards that were begun."""
    real = module.write_safetensors
    begun = []

    def write(path, layout, tensors, **options):
        begun.append(path.name)
        if len(begun) <= count:
            return real(path, layout, tensors, **options)
        path.with_name(path.name + ".part").write_bytes(b"half")
        raise PowerCutError

    monkeypatch.setattr(module, "write_safetensors", write)
    return begun


def test_an_interrupted_conversion_goes_on(official, tmp_path, monkeypatch):
    whole, out = tmp_path / "whole", tmp_path / "out"
    run(official, whole)
    with monkeypatch.context() as patch:
        cut_after(patch, 2)
        with pytest.raises(PowerCutError):
            run(official, out)
    assert len(shards(out)) == 2
    assert not (out / "MANIFEST.json").exists()
    with pytest.raises(WeightsMissingError):
        open_checkpoint(out)
    times = {name: (out / name).stat().st_mtime_ns for name in shards(out)}
    begun = cut_after(monkeypatch, 99)
    run(official, out)
    assert {name: (out / name).stat().st_mtime_ns for name in times} == times
    assert not set(begun) & set(times)
    assert contents(out) == contents(whole)  # no leftover, the same bytes


def test_a_damaged_finished_shard_is_written_again(official, tmp_path, monkeypatch):
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        cut_after(patch, 2)
        with pytest.raises(PowerCutError):
            run(official, out)
    damaged = out / shards(out)[0]
    data = bytearray(damaged.read_bytes())
    data[-1] ^= 1
    damaged.write_bytes(data)
    begun = cut_after(monkeypatch, 99)
    run(official, out)
    assert begun[0] == damaged.name
    verify(out, progress=False)


def test_converting_again_only_checks(official, tmp_path, monkeypatch):
    out = tmp_path / "out"
    run(official, out)
    before = contents(out)
    begun = cut_after(monkeypatch, 99)
    run(official, out)
    assert begun == []
    assert contents(out) == before


@pytest.mark.parametrize("when", ["finished", "interrupted"])
def test_another_conversion_is_not_overwritten(official, tmp_path, monkeypatch, when):
    out = tmp_path / "out"
    if when == "finished":
        run(official, out)
    else:
        with monkeypatch.context() as patch:
            cut_after(patch, 1)
            with pytest.raises(PowerCutError):
                run(official, out)
    before = contents(out)
    with pytest.raises(LisaError, match="another conversion"):
        run(official, out, dtype=torch.bfloat16)
    assert contents(out) == before


def test_an_exchanged_source_is_noticed(official, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(official[0], model)
    run((model, official[1]), tmp_path / "out")
    (path,) = model.glob("pytorch_model-00001-*.bin")
    os.utime(path, ns=(1, 1))  # same name and size
    with pytest.raises(LisaError, match="another conversion"):
        run((model, official[1]), tmp_path / "out")


def test_other_folders_are_left_alone(official, tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(LisaError, match="not empty"):
        run(official, tmp_path)
    with pytest.raises(LisaError, match="is a file"):
        run(official, tmp_path / "thesis.txt")
    with pytest.raises(LisaError, match="source itself"):
        run(official, official[0])
    with pytest.raises(LisaError, match="source itself"):
        run(official, official[1])
    assert contents(tmp_path) == {"thesis.txt": hashlib.sha256(b"precious").hexdigest()}


@pytest.mark.parametrize("name", ["config.json", "tokenizer.model", "added_tokens.json"])
def test_a_missing_small_file_is_named_first(official, tmp_path, name):
    model = tmp_path / "model"
    shutil.copytree(official[0], model)
    (model / name).unlink()
    with pytest.raises(WeightsMissingError, match=rf"{name} is missing"):
        run((model, official[1]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_small_disk_is_told_first(official, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage)
    with pytest.raises(LisaError, match="GB are free"):
        run(official, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_lora_is_merged(official, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(official[0], model)
    for path in model.glob("pytorch_model*"):
        path.unlink()
    state = dict(open_checkpoint(official[0]).tensors())
    name = "model.layers.1.self_attn.q_proj"
    low, high = torch.randn(4, 64), torch.randn(64, 4)
    trained = {f"base_model.model.{key}": value for key, value in state.items()}
    trained[f"base_model.model.{name}.lora_A.default.weight"] = low
    trained[f"base_model.model.{name}.lora_B.default.weight"] = high
    trained["base_model.model.model.vision_tower.vision_tower.x.weight"] = torch.ones(2)
    torch.save(trained, model / "pytorch_model.bin")
    manifest = run((model, official[1]), tmp_path / "out", lora_alpha=16)
    found = dict(open_checkpoint(tmp_path / "out").tensors())
    assert set(found) == {key for key in state if not key.endswith("inv_freq")}
    torch.testing.assert_close(
        found[f"{name}.weight"], state[f"{name}.weight"] + 16 / 4 * high @ low
    )
    assert manifest.recipe.lora_alpha == 16


def test_a_truncated_converted_file_is_noticed_at_opening(official, tmp_path):
    out = tmp_path / "out"
    run(official, out)
    path = out / "vision_tower" / "config.json"
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(WeightsCorruptError, match=r"vision_tower/config\.json: has \d+ bytes"):
        open_checkpoint(out)


_MEASURE = """
import sys, torch
from pathlib import Path
from lisa_model.checkpoint import reader
from lisa_model.checkpoint.convert import convert
reader.WINDOW_BYTES = 16 << 20
def high():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) << 10
before = high()
convert(sys.argv[1], sys.argv[2], max_shard_bytes=64 << 20, progress=False)
print(high() - before)
"""


@pytest.mark.slow
def test_memory_stays_far_below_the_checkpoint(official, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(official[0], model)
    for path in model.glob("pytorch_model*"):
        path.unlink()
    tensors = {f"k{number}": torch.ones(2 << 20) for number in range(32)}  # 8 MiB each
    torch.save(tensors, model / "pytorch_model.bin")
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(model), str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 64 << 20  # of 256 MiB
