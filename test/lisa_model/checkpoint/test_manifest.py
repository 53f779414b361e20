"""The list of files of a converted folder."""

import json
import shutil

import pytest
import torch

from lisa_model.checkpoint.convert import convert
from lisa_model.checkpoint.manifest import read_manifest, verify
from lisa_model.checkpoint.reader import open_checkpoint
from lisa_model.errors import WeightsCorruptError, WeightsMissingError


@pytest.fixture(scope="module")
def converted_once(official, tmp_path_factory):
    folder = tmp_path_factory.mktemp("converted") / "out"
    convert(official[0], folder, max_shard_bytes=300_000, progress=False)
    return folder


@pytest.fixture
def converted(converted_once, tmp_path):
    return shutil.copytree(converted_once, tmp_path / "copy")


def test_a_changed_byte_is_found_when_asked(converted):
    path = sorted(converted.glob("*.safetensors"))[1]
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    open_checkpoint(converted)  # sizes and headers are right
    with pytest.raises(WeightsCorruptError, match=rf"{path.name}: has sha256"):
        verify(converted, progress=False)


@pytest.mark.parametrize("check", [open_checkpoint, lambda folder: verify(folder, progress=False)])
def test_a_missing_or_cut_file_is_always_found(converted, check):
    path = converted / "added_tokens.json"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(WeightsCorruptError, match=r"added_tokens\.json: has \d+ bytes"):
        check(converted)
    path.unlink()
    with pytest.raises(WeightsMissingError, match=r"added_tokens\.json is missing.*lisa convert"):
        check(converted)


def test_only_converted_folders_can_be_verified(official):
    with pytest.raises(WeightsMissingError, match=r"MANIFEST\.json is missing"):
        verify(official[0])


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"format": "lisa-checkpoint"}',
        '{"format": "lisa-checkpoint", "format_version": 1, "files": {"a": 3}, "recipe": {}}',
    ],
)
def test_a_damaged_manifest_is_named(converted, text):
    (converted / "MANIFEST.json").write_text(text)
    with pytest.raises(WeightsCorruptError, match=r"MANIFEST\.json: not a manifest"):
        open_checkpoint(converted)


def test_a_newer_format_is_named(converted):
    path = converted / "MANIFEST.json"
    values = json.loads(path.read_text())
    values["format_version"] += 1
    path.write_text(json.dumps(values))
    with pytest.raises(WeightsCorruptError, match="format version 2"):
        open_checkpoint(converted)


def test_files_of_that_name_from_elsewhere_are_none_of_our_business(tmp_path):
    (tmp_path / "MANIFEST.json").write_text('{"files": []}')
    torch.save({"w": torch.ones(1)}, tmp_path / "pytorch_model.bin")
    assert read_manifest(tmp_path / "MANIFEST.json") is None
    assert open_checkpoint(tmp_path).shapes == {"w": (1,)}
