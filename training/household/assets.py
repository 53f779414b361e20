"""Fetches and unpacks the furniture models: Debian's ``sweethome3d-furniture``, pinned.

The package is data only (CC0 and CC BY models). It is fetched, never committed.
"""

from __future__ import annotations

import hashlib
import subprocess
import zipfile
from pathlib import Path

from training.household.catalogue import ModelEntry, pack_file

PACKAGE = "sweethome3d-furniture"
VERSION = "1.8-1"
SHA256 = "3ccb90c63f9525e887a767b9cd5c8b6933b8b6b2973a615a5359ee68a2118668"
FURNITURE_SUBFOLDER = Path("usr/share/sweethome3d/furniture")


class AssetError(RuntimeError):
    """The package cannot be fetched, or is not the pinned one."""


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file, read in 1 MiB pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def verify_package(path: Path, *, expected: str = SHA256) -> None:
    """Checks a downloaded package.

    Raises:
        AssetError: missing, or another checksum than the pinned one.
    """
    if not path.is_file():
        raise AssetError(f"{path} is missing")
    found = sha256_of(path)
    if found != expected:
        raise AssetError(f"{path}: sha256 {found}, expected {expected}; delete it and fetch again")


def furniture_folder(root: Path) -> Path:
    """Folder of the .sh3f files below ``root``."""
    return root / FURNITURE_SUBFOLDER


def fetch_assets(root: Path) -> Path:
    """Downloads with ``apt-get download``, verifies, unpacks with ``dpkg-deb -x``.

    Does nothing but verify where the package is there already. Needs Debian or Ubuntu with
    package lists (``apt-get update``), no root rights.

    Raises:
        AssetError: a command failed, or the checksum differs.
    """
    root.mkdir(parents=True, exist_ok=True)
    package = root / f"{PACKAGE}_{VERSION}_all.deb"
    if not package.is_file():
        _run(["apt-get", "download", f"{PACKAGE}={VERSION}"], folder=root)
    verify_package(package)
    folder = furniture_folder(root)
    if not folder.is_dir():
        _run(["dpkg-deb", "-x", package.name, "."], folder=root)
    return folder


def extract_model(furniture: Path, entry: ModelEntry, cache: Path) -> Path:
    """Unpacks the folder of one model (OBJ, MTL, textures) below ``cache``; path of the OBJ."""
    target = cache / entry.key[:2] / entry.path
    marker = target.parent / ".complete"
    if not marker.is_file():
        prefix = str(Path(entry.path).parent) + "/"
        with zipfile.ZipFile(pack_file(furniture, entry.key[:2])) as archive:
            members = [n for n in archive.namelist() if n.startswith(prefix)]
            archive.extractall(cache / entry.key[:2], members)
        marker.touch()
    if not target.is_file():
        raise AssetError(f"model {entry.key}: {entry.path} is not in its pack")
    return target


def _run(command: list[str], *, folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise AssetError(
            f"`{command[0]}` is not installed: this tool needs Debian or Ubuntu"
        ) from error
    if done.returncode:
        raise AssetError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
