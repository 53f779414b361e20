"""Folders of weights: found, listed, read in bounded memory; every fault named."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from lisa_model.checkpoint import reader
from lisa_model.checkpoint.reader import open_checkpoint
from lisa_model.errors import WeightsCorruptError, WeightsMissingError


def all_tensors(checkpoint, keys=None):
    return dict(checkpoint.tensors(keys))


def assert_same(found, expected):
    assert set(found) == set(expected)
    for key, tensor in expected.items():
        torch.testing.assert_close(found[key], tensor, rtol=0, atol=0)


def resident(path):
    """Bytes of this process's memory that are pages of the file."""
    total, inside = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split()[0]:  # the first line of a mapping: its addresses and its file
            inside = line.endswith(str(path))
        elif inside and line.startswith("Rss:"):
            total += int(line.split()[1]) << 10
    return total


def test_shards_are_one_table(sharded, small):
    checkpoint = open_checkpoint(sharded)
    assert checkpoint.shapes == {key: tuple(tensor.shape) for key, tensor in small.items()}
    assert checkpoint.dtypes == {key: tensor.dtype for key, tensor in small.items()}
    assert [path.name[14:19] for path in checkpoint.files] == ["00001", "00002"]
    assert checkpoint.file_of("steps").name == "pytorch_model-00002-of-00002.bin"
    assert_same(all_tensors(checkpoint), small)


@pytest.mark.parametrize("index", [True, False])
def test_shards_need_no_index(sharded, small, index):
    if not index:
        (sharded / "pytorch_model.bin.index.json").unlink()
    assert_same(all_tensors(open_checkpoint(str(sharded))), small)


def test_single_files_of_both_kinds(tmp_path, small):
    torch.save(small, tmp_path / "pytorch_model.bin")
    assert_same(all_tensors(open_checkpoint(tmp_path)), small)
    other = {"only": torch.ones(2)}
    save_file(other, tmp_path / "model.safetensors")
    # safetensors come first when both are there.
    assert_same(all_tensors(open_checkpoint(tmp_path)), other)


def test_only_the_keys_asked_for(sharded, small):
    found = all_tensors(open_checkpoint(sharded), ["table", "a.bias"])
    assert_same(found, {key: small[key] for key in ("table", "a.bias")})
    assert list(found) == ["a.bias", "table"]
    with pytest.raises(WeightsCorruptError, match="'absent'"):
        all_tensors(open_checkpoint(sharded), ["absent"])
    with pytest.raises(WeightsCorruptError, match="'absent'"):
        open_checkpoint(sharded).file_of("absent")


def test_a_file_is_mapped_and_writing_leaves_it_alone(tmp_path):
    save_file({"w": torch.zeros(8)}, tmp_path / "model.safetensors")
    torch.save({"w": torch.zeros(8)}, tmp_path / "pytorch_model.bin")
    for kind in (".safetensors", ".bin"):
        (path,) = tmp_path.glob(f"*{kind}")
        folder = tmp_path / kind[1:]
        folder.mkdir()
        shutil.move(path, folder)
        before = (folder / path.name).read_bytes()
        all_tensors(open_checkpoint(folder))["w"].fill_(3)
        assert (folder / path.name).read_bytes() == before
        assert all_tensors(open_checkpoint(folder))["w"].sum() == 0


@pytest.mark.parametrize("kind", ["bin", "safetensors"])
def test_reading_keeps_only_a_window_in_memory(tmp_path, monkeypatch, kind):
    step = 2 << 20
    tensors = {f"k{n}": torch.full((step // 4,), float(n)) for n in range(32)}
    if kind == "bin":
        torch.save(tensors, tmp_path / "pytorch_model.bin")
    else:
        save_file(tensors, tmp_path / "model.safetensors")
    del tensors
    checkpoint = open_checkpoint(tmp_path)
    (path,) = checkpoint.files

    def highest():
        top = 0
        for key, tensor in checkpoint.tensors():
            assert tensor.sum() == float(key[1:]) * tensor.numel()  # touches every page
            top = max(top, resident(path))
            del tensor
        return top

    monkeypatch.setattr(reader, "WINDOW_BYTES", 4 * step)
    assert step <= highest() <= 5 * step
    # The measure would notice: with one window for all, the whole file is resident in the end.
    monkeypatch.setattr(reader, "WINDOW_BYTES", 64 * step)
    assert highest() > 24 * step


def test_nothing_there(tmp_path):
    with pytest.raises(WeightsMissingError, match="not a folder"):
        open_checkpoint(tmp_path / "absent")
    with pytest.raises(WeightsMissingError, match=r"Expected one of: model\.safetensors"):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("zero_to_fp32.py", "zero_to_fp32"), ("adapter_model.safetensors", "merge it into its base")],
)
def test_other_folders_get_their_remedy(tmp_path, name, remedy):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(WeightsMissingError, match=remedy):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize("index", [True, False])
def test_a_missing_shard_is_named(sharded, index):
    (sharded / "pytorch_model-00002-of-00002.bin").unlink()
    if not index:
        (sharded / "pytorch_model.bin.index.json").unlink()
    with pytest.raises(WeightsMissingError, match=r"pytorch_model-00002-of-00002\.bin is missing"):
        open_checkpoint(sharded)


def test_shards_of_two_checkpoints_are_refused(sharded):
    shutil.copy(
        sharded / "pytorch_model-00002-of-00002.bin",
        sharded / "pytorch_model-00003-of-00003.bin",
    )
    (sharded / "pytorch_model.bin.index.json").unlink()
    with pytest.raises(WeightsMissingError, match="mixes shards"):
        open_checkpoint(sharded)


def change_index(folder, change):
    path = folder / "pytorch_model.bin.index.json"
    values = json.loads(path.read_text())
    change(values["weight_map"])
    path.write_text(json.dumps(values))


def test_a_key_that_its_file_lacks_is_named(sharded):
    change_index(sharded, lambda table: table.update(ghost="pytorch_model-00001-of-00002.bin"))
    with pytest.raises(WeightsCorruptError, match=r"00001-of-00002\.bin: lacks 'ghost'"):
        open_checkpoint(sharded)


def test_a_key_in_the_other_file_is_named(sharded):
    change_index(sharded, lambda table: table.update(steps="pytorch_model-00001-of-00002.bin"))
    with pytest.raises(WeightsCorruptError, match=r"00001-of-00002\.bin: lacks 'steps'"):
        open_checkpoint(sharded)


def test_a_key_stored_twice_is_named(sharded, small):
    torch.save(
        {"steps": small["steps"], "table": small["table"], "a.bias": small["a.bias"]},
        sharded / "pytorch_model-00002-of-00002.bin",
    )
    with pytest.raises(WeightsCorruptError, match=r"00002.*holds 'a\.bias'.*00001.*too"):
        open_checkpoint(sharded)


@pytest.mark.parametrize("name", ["../outside.bin", "/etc/passwd", "sub/x.bin", "", "..\\x.bin"])
def test_an_index_cannot_lead_out_of_the_folder(sharded, name):
    change_index(sharded, lambda table: table.update(steps=name))
    with pytest.raises(WeightsCorruptError, match="not a file beside it"):
        open_checkpoint(sharded)


@pytest.mark.parametrize("text", ["{", "[]", '{"weight_map": 3}', '{"weight_map": {}}', "{}"])
def test_a_damaged_index_is_named(sharded, text):
    (sharded / "pytorch_model.bin.index.json").write_text(text)
    with pytest.raises(WeightsCorruptError, match=r"pytorch_model\.bin\.index\.json"):
        open_checkpoint(sharded)


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.01, 0.5, 0.999])
def test_a_truncated_safetensors_file_is_named(tmp_path, share):
    path = tmp_path / "model.safetensors"
    save_file({"w": torch.zeros(20_000)}, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(WeightsCorruptError, match=r"model\.safetensors: truncated"):
        open_checkpoint(tmp_path)


def test_a_pointer_of_git_lfs_gets_its_remedy(tmp_path):
    (tmp_path / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid")
    with pytest.raises(WeightsCorruptError, match="git lfs pull"):
        open_checkpoint(tmp_path)


def test_the_official_layout_opens(official):
    model, tower = official
    checkpoint = open_checkpoint(model)
    assert len(checkpoint.files) > 2
    assert checkpoint.shapes["lm_head.weight"] == (503, 64)
    assert "vision_model.embeddings.class_embedding" in open_checkpoint(tower).shapes
