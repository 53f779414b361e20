"""The manifest of a converted folder."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from lisa_model.base_weights.manifest import (
    MANIFEST_NAME,
    check_hashes,
    check_sizes,
    read_manifest,
    sha256_of,
    write_manifest,
)
from lisa_model.errors import WeightsCorruptError

from .conftest import CONTENT, build_source

SOURCE = build_source(CONTENT)


def ignore(amount: int) -> None:
    """Progress that nobody watches."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "tiny"
    path.mkdir()
    (path / "config.json").write_text("{}")
    (path / "model.safetensors").write_bytes(b"0123456789")
    write_manifest(path, SOURCE)
    return path


def test_round_trip(folder: Path) -> None:
    manifest = read_manifest(folder)
    assert manifest == write_manifest_again(folder)
    assert set(manifest.files) == {"config.json", "model.safetensors"}
    assert manifest.files["model.safetensors"].size == 10
    assert manifest.files["model.safetensors"].sha256 == hashlib.sha256(b"0123456789").hexdigest()
    assert manifest.made_from(SOURCE)
    check_sizes(folder, manifest)
    check_hashes(folder, manifest, advance=ignore)


def write_manifest_again(folder: Path) -> object:
    (folder / MANIFEST_NAME).unlink()
    return write_manifest(folder, SOURCE)


def test_another_pin_is_told_apart(folder: Path) -> None:
    manifest = read_manifest(folder)
    other = replace(SOURCE.files[0], sha256="0" * 64)
    assert not manifest.made_from(replace(SOURCE, files=(other, *SOURCE.files[1:])))
    assert not replace(manifest, conversion=manifest.conversion - 1).made_from(SOURCE)


def test_wrong_size_is_found_without_hashing(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"012345")
    with pytest.raises(WeightsCorruptError, match=r"model\.safetensors has 6 bytes, expected 10"):
        check_sizes(folder, read_manifest(folder))


def test_missing_file_is_named_with_the_remedy(folder: Path) -> None:
    (folder / "config.json").unlink()
    with pytest.raises(WeightsCorruptError, match=r"config\.json is missing") as failure:
        check_sizes(folder, read_manifest(folder))
    assert f"--force --cache-dir {folder.parent} tiny" in str(failure.value)


def test_changed_byte_is_found_by_the_hash_only(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"012345678X")
    manifest = read_manifest(folder)
    check_sizes(folder, manifest)
    with pytest.raises(WeightsCorruptError, match=r"model\.safetensors has sha256"):
        check_hashes(folder, manifest, advance=ignore)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"files": {"a": 1}}', '{"files": {}}'])
def test_unreadable_manifest(folder: Path, text: str) -> None:
    (folder / MANIFEST_NAME).write_text(text)
    with pytest.raises(WeightsCorruptError, match="cannot be read"):
        read_manifest(folder)


def test_missing_manifest(folder: Path) -> None:
    (folder / MANIFEST_NAME).unlink()
    with pytest.raises(WeightsCorruptError, match="is missing"):
        read_manifest(folder)


def test_hash_reports_every_byte(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(3_000_000))
    seen: list[int] = []
    assert sha256_of(path, advance=seen.append) == hashlib.sha256(bytes(3_000_000)).hexdigest()
    assert sum(seen) == 3_000_000
    assert len(seen) > 1
