"""Verifying the package and unpacking single models."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from training.household import assets
from training.household.catalogue import IDENTITY_ROTATION, PACKS, ModelEntry


def entry(path: str) -> ModelEntry:
    return ModelEntry(
        key="SC1",
        name="Cup",
        creator="Scopia",
        licence="CC BY 3.0",
        path=path,
        size_m=(0.1, 0.1, 0.1),
        rotation=IDENTITY_ROTATION,
    )


@pytest.fixture
def furniture(tmp_path: Path) -> Path:
    folder = tmp_path / "furniture"
    folder.mkdir()
    with zipfile.ZipFile(folder / f"{PACKS['SC'].stem}.sh3f", "w") as archive:
        archive.writestr("scopia/cup/cup.obj", "v 0 0 0")
        archive.writestr("scopia/cup/cup.mtl", "newmtl a")
        archive.writestr("scopia/cupboard/big.obj", "v 1 1 1")
    return folder


def test_checksum_is_checked(tmp_path: Path) -> None:
    package = tmp_path / "a.deb"
    package.write_bytes(b"data")
    assets.verify_package(package, expected=hashlib.sha256(b"data").hexdigest())
    with pytest.raises(assets.AssetError, match="sha256"):
        assets.verify_package(package)


def test_missing_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(assets.AssetError, match="missing"):
        assets.verify_package(tmp_path / "none.deb")


def test_fetch_never_unpacks_an_unverified_package(tmp_path: Path) -> None:
    package = tmp_path / f"{assets.PACKAGE}_{assets.VERSION}_all.deb"
    package.write_bytes(b"tampered")
    with pytest.raises(assets.AssetError, match="sha256"):
        assets.fetch_assets(tmp_path)
    assert not (tmp_path / "usr").exists()


def test_only_the_models_own_folder_is_unpacked(furniture: Path, tmp_path: Path) -> None:
    path = assets.extract_model(furniture, entry("scopia/cup/cup.obj"), tmp_path / "cache")
    assert path.read_text() == "v 0 0 0"
    assert path.with_suffix(".mtl").is_file()
    assert not (tmp_path / "cache/SC/scopia/cupboard").exists()


def test_half_unpacked_model_is_unpacked_again(furniture: Path, tmp_path: Path) -> None:
    half = tmp_path / "cache/SC/scopia/cup"
    half.mkdir(parents=True)
    (half / "cup.obj").write_text("v 0")
    path = assets.extract_model(furniture, entry("scopia/cup/cup.obj"), tmp_path / "cache")
    assert path.read_text() == "v 0 0 0"


def test_model_that_is_not_in_its_pack(furniture: Path, tmp_path: Path) -> None:
    with pytest.raises(assets.AssetError, match="SC1"):
        assets.extract_model(furniture, entry("scopia/cup/other.obj"), tmp_path / "cache")
