"""The list of a converted folder's files: checked by size at each opening, by hash on request."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from lisa_model.base_weights.progress import Advance
from lisa_model.base_weights.sources import WeightsSource
from lisa_model.errors import WeightsCorruptError

MANIFEST_NAME = "lisa_manifest.json"
# Raise this when a converter changes what it writes: older folders are then converted again.
CONVERSION_VERSION = 1
_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class FileEntry:
    """Size in bytes and SHA-256 of one file of a converted folder."""

    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a converted folder holds and what it was made from.

    Args:
        name: the base weights' name.
        conversion: ``CONVERSION_VERSION`` at the time.
        requirement: the pinned package.
        source_sha256: digests of the files taken from the package, by path.
        license: licence of the weights.
        files: the converted files, by name.
    """

    name: str
    conversion: int
    requirement: str
    source_sha256: dict[str, str]
    license: str
    files: dict[str, FileEntry]

    def made_from(self, source: WeightsSource) -> bool:
        """Whether the folder was made from exactly this source by the present converters."""
        return (
            self.name == source.name
            and self.conversion == CONVERSION_VERSION
            and self.source_sha256 == {file.path: file.sha256 for file in source.files}
        )


def write_manifest(folder: Path, source: WeightsSource) -> Manifest:
    """Hash every file of ``folder`` and write its manifest into it."""
    files = {
        path.name: FileEntry(size=path.stat().st_size, sha256=sha256_of(path))
        for path in sorted(folder.iterdir())
    }
    manifest = Manifest(
        name=source.name,
        conversion=CONVERSION_VERSION,
        requirement=source.requirement,
        source_sha256={file.path: file.sha256 for file in source.files},
        license=source.license,
        files=files,
    )
    text = json.dumps(asdict(manifest), indent=1, sort_keys=True)
    (folder / MANIFEST_NAME).write_text(text + "\n", encoding="utf-8")
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a converted folder.

    Raises:
        WeightsCorruptError: it is missing or cannot be read.
    """
    path = folder / MANIFEST_NAME
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        files = {name: FileEntry(**entry) for name, entry in values.pop("files").items()}
        return Manifest(files=files, **values)
    except FileNotFoundError as error:
        raise WeightsCorruptError(_message(folder, f"{MANIFEST_NAME} is missing")) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsCorruptError(
            _message(folder, f"{MANIFEST_NAME} cannot be read ({error})")
        ) from error


def check_sizes(folder: Path, manifest: Manifest) -> None:
    """Check that every file is there with its size; costs a few file look-ups.

    Raises:
        WeightsCorruptError: naming the file and the remedy.
    """
    for name, entry in manifest.files.items():
        path = folder / name
        if not path.is_file():
            raise WeightsCorruptError(_message(folder, f"{name} is missing"))
        size = path.stat().st_size
        if size != entry.size:
            raise WeightsCorruptError(
                _message(folder, f"{name} has {size} bytes, expected {entry.size}")
            )


def check_hashes(folder: Path, manifest: Manifest, *, advance: Advance) -> None:
    """Check the SHA-256 of every file.

    Raises:
        WeightsCorruptError: naming the file and the remedy.
    """
    check_sizes(folder, manifest)
    for name, entry in manifest.files.items():
        digest = sha256_of(folder / name, advance=advance)
        if digest != entry.sha256:
            raise WeightsCorruptError(
                _message(folder, f"{name} has sha256 {digest}, expected {entry.sha256}")
            )


def sha256_of(path: Path, *, advance: Advance | None = None) -> str:
    """Hexadecimal SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as reader:
        while chunk := reader.read(_CHUNK):
            digest.update(chunk)
            if advance is not None:
                advance(len(chunk))
    return digest.hexdigest()


def _message(folder: Path, problem: str) -> str:
    return (
        f"base weights in {folder} are damaged: {problem}. Make them again with: "
        f"python3 -m lisa_model.base_weights --force --cache-dir {folder.parent} {folder.name}"
    )
