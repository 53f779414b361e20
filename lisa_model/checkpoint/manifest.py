"""The list of a converted folder's files: checked by size at each opening, by hash on request."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lisa_model.base_weights.manifest import sha256_of
from lisa_model.base_weights.progress import StageProgress
from lisa_model.checkpoint.tensor_file import corrupt
from lisa_model.errors import WeightsCorruptError, WeightsMissingError

MANIFEST_NAME = "MANIFEST.json"
SUMS_NAME = "SHA256SUMS"
FORMAT = "lisa-checkpoint"
# Raise this when what `lisa convert` writes changes.
FORMAT_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class FileEntry:
    """Bytes and SHA-256 of one file."""

    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a conversion was made from and how; equal recipes give equal files.

    Args:
        source: name of the source folder, and bytes of its weight files by name.
        vision_tower: the same of the vision tower, or None.
        fingerprint: digest of names, sizes and times of all source files.
        dtype: what floating-point tensors were cast to; "as stored" when they were not.
        max_shard_bytes: limit of a file.
        lora_alpha: scale of a LoRA part that was merged, when it was given by hand.
    """

    source: dict[str, Any]
    vision_tower: dict[str, Any] | None
    fingerprint: str
    dtype: str
    max_shard_bytes: int
    lora_alpha: float | None


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A converted or merged folder.

    Attributes:
        recipe: how it was made.
        files: by relative name.
        training: of a merged training run: the step, and which validation chose it, see
            :func:`training.run.merge.selection`; None for others.
    """

    recipe: Recipe
    files: dict[str, FileEntry]
    training: dict[str, Any] | None = None


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write a manifest in one step."""
    values = {"format": FORMAT, "format_version": FORMAT_VERSION, **asdict(manifest)}
    write_text_atomically(path, json.dumps(values, indent=1) + "\n")


def read_manifest(path: Path) -> Manifest | None:
    """A manifest; None for another program's file of the same name.

    Raises:
        WeightsCorruptError: it cannot be read, or was written by a newer version.
    """
    try:
        values = json.loads(path.read_text("utf-8"))
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            return None
        if values["format_version"] != FORMAT_VERSION:
            raise corrupt(
                path,
                f"has format version {values['format_version']}, this program knows "
                f"{FORMAT_VERSION}",
                remedy="Convert the checkpoint again, or update this program",
            )
        files = {name: FileEntry(**entry) for name, entry in values["files"].items()}
        return Manifest(
            recipe=Recipe(**values["recipe"]), files=files, training=values.get("training")
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise corrupt(path, f"not a manifest ({error!r})", remedy=_AGAIN) from error


def check_manifest_sizes(folder: Path) -> None:
    """Check that all files of a converted folder are there with their sizes; other folders pass.

    Raises:
        WeightsMissingError: a file is missing.
        WeightsCorruptError: a file has another size.
    """
    path = folder / MANIFEST_NAME
    manifest = read_manifest(path) if path.is_file() else None
    if manifest is not None:
        _check_sizes(folder, manifest)


def verify(folder: Path | str, *, progress: bool = True) -> Manifest:
    """Check the SHA-256 of every file of a converted folder.

    Reads everything: about a minute for 15 GB.

    Returns:
        What was checked.

    Raises:
        WeightsMissingError: the folder has no manifest, or a file is missing.
        WeightsCorruptError: a file has another size or content.
    """
    folder = Path(folder)
    path = folder / MANIFEST_NAME
    manifest = read_manifest(path) if path.is_file() else None
    if manifest is None:
        raise WeightsMissingError(
            f"{path} is missing: only folders that `lisa convert` made can be verified"
        )
    _check_sizes(folder, manifest)
    total = sum(entry.bytes for entry in manifest.files.values())
    bar = StageProgress(title="verify", stages=1, shown=progress)
    with bar.stage(folder.name, size=total) as advance:
        for name, entry in manifest.files.items():
            digest = sha256_of(folder / name, advance=advance)
            if digest != entry.sha256:
                raise corrupt(
                    folder / name, f"has sha256 {digest}, expected {entry.sha256}", remedy=_AGAIN
                )
    return manifest


def write_sums(folder: Path, manifest: Manifest) -> None:
    """Write SHA256SUMS, for ``sha256sum --check``; it covers the manifest too."""
    lines = [f"{entry.sha256}  {name}" for name, entry in sorted(manifest.files.items())]
    lines.append(f"{sha256_of(folder / MANIFEST_NAME)}  {MANIFEST_NAME}")
    write_text_atomically(folder / SUMS_NAME, "\n".join(lines) + "\n")


def write_text_atomically(path: Path, text: str) -> None:
    """Write a small file so that it is there whole or not at all."""
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8") as writer:
        writer.write(text)
        writer.flush()
        os.fsync(writer.fileno())
    part.replace(path)


_AGAIN = "Run `lisa convert` again with the same source and folder; it renews only what is damaged"


def _check_sizes(folder: Path, manifest: Manifest) -> None:
    for name, entry in manifest.files.items():
        path = folder / name
        if not path.is_file():
            raise WeightsMissingError(f"{path} is missing; {MANIFEST_NAME} lists it. {_AGAIN}.")
        size = path.stat().st_size
        if size != entry.bytes:
            raise WeightsCorruptError(
                f"{path}: has {size} bytes, expected {entry.bytes}. {_AGAIN}."
            )
