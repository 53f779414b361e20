from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from lisa_model import tiny_segmenter
from lisa_model.base_weights.store import CACHE_VARIABLE
from lisa_model.checkpoint.manifest import FileEntry as Entry
from lisa_model.checkpoint.manifest import Manifest, Recipe, write_manifest
from lisa_model.errors import WeightsCorruptError
from lisa_model.model import CHECKSUM_FILE, sha256
from lisa_ros.doctor.report import Status
from lisa_ros.doctor.weights import check_files, needed_bytes, weights

RECIPE = Recipe(
    source={},
    vision_tower=None,
    fingerprint="",
    dtype="as stored",
    max_shard_bytes=1,
    lora_alpha=None,
)


def model_folder(folder: Path) -> Path:
    folder.mkdir()
    save_file({"a": torch.zeros(3, 4), "b": torch.zeros(5, dtype=torch.bfloat16)}, folder / "x")
    (folder / "x").rename(folder / "model.safetensors")
    (folder / "config.json").write_text("{}")
    return folder


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))


def test_errors_become_findings():
    def broken() -> str:
        raise WeightsCorruptError("file x is broken")

    assert check_files("a", lambda: "fine", "again").status is Status.OK
    finding = check_files("a", broken, "again")
    assert (finding.status, finding.what, finding.remedy) == (
        Status.FAILED,
        "file x is broken",
        "again",
    )


def test_a_model_that_is_not_there():
    (finding,), values = weights("/no/such/folder")
    assert finding.status is Status.FAILED
    assert "--model" in finding.remedy
    assert values is None


def test_a_folder_with_checksums(tmp_path: Path):
    folder = model_folder(tmp_path / "run")
    names = ("config.json", "model.safetensors")
    sums = [f"{sha256(folder / name)}  {name}\n" for name in names]
    (folder / CHECKSUM_FILE).write_text("".join(sums))
    (finding,), values = weights(str(folder))
    assert finding.status is Status.OK
    assert values == 3 * 4 + 5
    damage(folder / "model.safetensors")
    assert weights(str(folder))[0][0].status is Status.FAILED


def test_a_converted_folder(tmp_path: Path):
    folder = model_folder(tmp_path / "converted")
    names = ("config.json", "model.safetensors")
    files = {
        name: Entry(bytes=(folder / name).stat().st_size, sha256=sha256(folder / name))
        for name in names
    }
    write_manifest(folder / "MANIFEST.json", Manifest(recipe=RECIPE, files=files))
    (finding,), _ = weights(str(folder))
    assert (finding.status, "all 2 files" in finding.what) == (Status.OK, True)
    damage(folder / "model.safetensors")
    (finding,), _ = weights(str(folder))
    assert finding.status is Status.FAILED
    assert "sha256" in finding.what
    (folder / "config.json").unlink()
    (finding,), _ = weights(str(folder))
    assert "is missing" in finding.what


def test_a_folder_without_checksums_is_a_warning(tmp_path: Path):
    folder = model_folder(tmp_path / "plain")
    (finding,), values = weights(str(folder))
    assert finding.status is Status.WARNING
    assert "lisa convert" in finding.remedy
    assert values == 17
    (folder / "model.safetensors").write_bytes(b"\x00\x01")
    findings, values = weights(str(folder))
    assert findings[-1].status is Status.FAILED
    assert values is None


def test_the_shipped_model_without_base_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    findings, values = weights("lisa-tiny")
    assert [one.status for one in findings] == [Status.OK, Status.FAILED, Status.FAILED]
    assert "lisa_model.base_weights" in findings[1].remedy
    assert values is None


def test_the_shipped_model_when_it_is_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    shutil.copytree(tiny_segmenter.WEIGHTS / "lisa-tiny", tmp_path / "lisa-tiny")
    damage(tmp_path / "lisa-tiny" / "model.safetensors")
    monkeypatch.setattr(tiny_segmenter, "WEIGHTS", tmp_path)
    findings, _ = weights("lisa-tiny")
    assert findings[0].status is Status.FAILED
    assert "truncated or was changed" in findings[0].what


def test_memory_by_data_type():
    assert [needed_bytes(10, one) for one in ("float32", "bfloat16", "float16")] == [40, 20, 20]
