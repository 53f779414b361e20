"""From an official checkpoint to ours: the same names and numbers as safetensors, with checksums.

The converted folder holds ``model-NNNNN-of-NNNNN.safetensors`` and their index, the config and
tokenizer files, ``vision_tower/`` when one was given, MANIFEST.json and SHA256SUMS. It can be
opened wherever the source can.

Every file appears whole or not at all. What is finished is written down in CONVERSION.json, so that
an interrupted conversion goes on where it was: finished files are checked by hash and kept.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from lisa_model.base_weights.manifest import sha256_of
from lisa_model.base_weights.progress import StageProgress
from lisa_model.checkpoint.layout import LAYOUTS, SAFETENSORS
from lisa_model.checkpoint.lora import ADAPTER_CONFIG
from lisa_model.checkpoint.manifest import (
    MANIFEST_NAME,
    SUMS_NAME,
    FileEntry,
    Manifest,
    Recipe,
    read_manifest,
    write_manifest,
    write_sums,
    write_text_atomically,
)
from lisa_model.checkpoint.plan import Shard, describe, fingerprint, index_text, plan_shards
from lisa_model.checkpoint.reader import Checkpoint, open_checkpoint
from lisa_model.checkpoint.writer import write_safetensors
from lisa_model.errors import LisaError, WeightsCorruptError, WeightsMissingError

JOURNAL_NAME = "CONVERSION.json"
TOWER_FOLDER = "vision_tower"
# Small enough for file systems and for a retry, large enough to be few.
MAX_SHARD_BYTES = 4_000_000_000
# Without these a LISA checkpoint cannot be used; better told now than after the conversion.
NEEDED_FILES = ("config.json", "tokenizer.model", "added_tokens.json")
NEEDED_TOWER_FILES = ("config.json",)
# Of a whole CLIP model, the text side is no part of a vision tower.
_TEXT_SIDE = ("text_model.", "text_projection.", "visual_projection.", "logit_scale")
_SPARE_SPACE = 64 << 20


@dataclass(frozen=True)
class _Part:
    """A source to convert: the checkpoint itself, or its vision tower."""

    source: Checkpoint
    shards: list[Shard]
    small: list[Path]
    folder: str

    @property
    def prefix(self) -> str:
        return f"{self.folder}/" if self.folder else ""


def convert(
    src: Path | str,
    dst: Path | str,
    *,
    vision_tower: Path | str | None = None,
    dtype: torch.dtype | None = None,
    lora_alpha: float | None = None,
    max_shard_bytes: int = MAX_SHARD_BYTES,
    progress: bool = True,
) -> Manifest:
    """Convert a checkpoint folder; peak memory is about one tensor.

    Args:
        src: folder in the official layout, ``.bin`` or safetensors, or of a training run with
            LoRA, which is merged.
        dst: new or empty folder, or one of an earlier conversion with the same arguments.
        vision_tower: folder of the CLIP model, to be taken into ``dst``; its text side is left out.
        dtype: cast floating-point tensors; None keeps them as they are.
        lora_alpha: see :func:`open_checkpoint`.
        max_shard_bytes: limit of a file.
        progress: show progress on stderr.

    Returns:
        What ``dst`` holds now.

    Raises:
        WeightsMissingError, WeightsCorruptError: of the source, naming the file.
        LisaError: ``dst`` holds something else, or the disk is too small.
    """
    src, dst = Path(src), Path(dst)
    _check_apart(dst, src, *([Path(vision_tower)] if vision_tower is not None else []))
    parts = [
        _part(open_checkpoint(src, lora_alpha=lora_alpha), "", NEEDED_FILES, dtype, max_shard_bytes)
    ]
    if vision_tower is not None:
        tower = open_checkpoint(vision_tower)
        parts.append(_part(tower, TOWER_FOLDER, NEEDED_TOWER_FILES, dtype, max_shard_bytes))
    recipe = Recipe(
        source=describe(parts[0].source),
        vision_tower=describe(parts[1].source) if len(parts) > 1 else None,
        fingerprint=fingerprint([p for one in parts for p in one.source.files + one.small]),
        dtype=str(dtype).removeprefix("torch.") if dtype is not None else "as stored",
        max_shard_bytes=max_shard_bytes,
        lora_alpha=lora_alpha,
    )
    done = _earlier(dst, recipe)
    shards = [shard for one in parts for shard in one.shards]
    done = _intact(dst, {s.name: done[s.name] for s in shards if s.name in done}, progress)
    todo = [shard for shard in shards if shard.name not in done]
    bar = StageProgress(title="convert", stages=len(todo), shown=progress)
    _check_space(dst, sum(shard.bytes for shard in todo))
    dst.mkdir(parents=True, exist_ok=True)
    # Written before the first shard: it marks the folder as ours should we be interrupted.
    write_manifest(dst / JOURNAL_NAME, Manifest(recipe=recipe, files=done))
    for one in parts:
        (dst / one.folder).mkdir(exist_ok=True)
        for shard in one.shards:
            if shard.name in done:
                continue
            with bar.stage(shard.name, size=shard.bytes) as advance:
                done[shard.name] = write_safetensors(
                    dst / shard.name, shard.layout, _cast(one.source, shard), advance=advance
                )
            write_manifest(dst / JOURNAL_NAME, Manifest(recipe=recipe, files=done))
    for one in parts:
        done |= _write_small(dst, one, dtype)
    manifest = Manifest(recipe=recipe, files=dict(sorted(done.items())))
    write_manifest(dst / MANIFEST_NAME, manifest)
    write_sums(dst, manifest)
    (dst / JOURNAL_NAME).unlink()
    return manifest


def _part(
    source: Checkpoint,
    folder: str,
    needed: tuple[str, ...],
    dtype: torch.dtype | None,
    max_shard_bytes: int,
) -> _Part:
    for name in needed:
        if not (source.folder / name).is_file():
            raise WeightsMissingError(
                f"{source.folder / name} is missing. Download it; the checkpoint cannot be used "
                "without it."
            )
    shards = plan_shards(
        source,
        dtype=dtype,
        max_shard_bytes=max_shard_bytes,
        wanted=_of_tower if folder else _of_lisa,
        folder=folder,
    )
    return _Part(source, shards, _small_files(source.folder), folder)


def _of_lisa(key: str) -> bool:
    """Leaves out what is made anew (rotary frequencies) or kept apart (the vision tower)."""
    return not key.endswith("rotary_emb.inv_freq") and ".vision_tower." not in f".{key}"


def _of_tower(key: str) -> bool:
    return not key.startswith(_TEXT_SIDE)


def _small_files(folder: Path) -> list[Path]:
    """Configuration, tokenizer and licence files: what is not weights and is not made anew."""
    skipped = {MANIFEST_NAME, SUMS_NAME, JOURNAL_NAME, ADAPTER_CONFIG}
    skipped |= {layout.index for layout in LAYOUTS}
    names = ("LICENSE", "LICENCE", "NOTICE", "USE_POLICY", "README")
    return [
        path
        for path in sorted(folder.iterdir())
        if path.is_file()
        and path.name not in skipped
        and (path.suffix in (".json", ".model") or path.name.upper().startswith(names))
    ]


def _cast(source: Checkpoint, shard: Shard) -> Iterator[tuple[str, Tensor]]:
    """The shard's tensors in its order: by item size, within one in the order of the source."""
    sizes = dict.fromkeys(info.dtype.itemsize for info in shard.layout.values())
    for size in sizes:
        keys = [key for key, info in shard.layout.items() if info.dtype.itemsize == size]
        for key, tensor in source.tensors(keys):
            yield key, tensor.to(shard.layout[key].dtype)


def _write_small(dst: Path, part: _Part, dtype: torch.dtype | None) -> dict[str, FileEntry]:
    texts = {SAFETENSORS.index: index_text(part.shards)}
    written = {}
    for path in part.small:
        target = dst / part.prefix / path.name
        if path.name == "config.json" and dtype is not None:
            texts[path.name] = _config_text(path, dtype)
            continue
        copy = target.with_name(target.name + ".part")
        shutil.copyfile(path, copy)
        copy.replace(target)
        written[part.prefix + path.name] = _entry(target)
    for name, text in texts.items():
        write_text_atomically(dst / part.prefix / name, text)
        written[part.prefix + name] = _entry(dst / part.prefix / name)
    return written


def _config_text(path: Path, dtype: torch.dtype) -> str:
    """config.json with the dtype that the weights now have."""
    try:
        values = json.loads(path.read_text("utf-8"))
        name = "dtype" if "dtype" in values else "torch_dtype"
        values[name] = str(dtype).removeprefix("torch.")
    except (ValueError, TypeError) as error:
        raise WeightsCorruptError(f"{path}: not a JSON object ({error}). Download it again.") from (
            error
        )
    return json.dumps(values, indent=2) + "\n"


def _earlier(dst: Path, recipe: Recipe) -> dict[str, FileEntry]:
    """Files that an earlier, perhaps interrupted run of the same conversion finished."""
    if not dst.exists():
        return {}
    if not dst.is_dir():
        raise LisaError(f"{dst} is a file; name a folder for the converted checkpoint")
    for name in (JOURNAL_NAME, MANIFEST_NAME):
        if not (dst / name).is_file():
            continue
        earlier = read_manifest(dst / name)
        if earlier is None or earlier.recipe != recipe:
            raise LisaError(
                f"{dst} holds another conversion (see {name}: other source files, dtype or vision "
                "tower). Name another folder, or remove this one."
            )
        return earlier.files
    # Interrupted before anything was finished, it may hold the first lines of a journal.
    if any(path.name != f"{JOURNAL_NAME}.part" for path in dst.iterdir()):
        raise LisaError(
            f"{dst} is not empty and holds no conversion. Name a new folder, or empty this one."
        )
    return {}


def _intact(dst: Path, done: dict[str, FileEntry], progress: bool) -> dict[str, FileEntry]:
    """Those of the shards finished earlier whose content still has its hash."""
    kept = {}
    bar = StageProgress(title="check", stages=len(done), shown=progress)
    for name, entry in done.items():
        path = dst / name
        if not path.is_file() or path.stat().st_size != entry.bytes:
            continue
        with bar.stage(name, size=entry.bytes) as advance:
            if sha256_of(path, advance=advance) == entry.sha256:
                kept[name] = entry
    return kept


def _check_apart(dst: Path, *sources: Path) -> None:
    for source in sources:
        if dst.resolve() == source.resolve():
            raise LisaError(f"{dst} is the source itself; name another folder to write to")


def _check_space(dst: Path, needed: int) -> None:
    place = next(path for path in (dst, *dst.resolve().parents) if path.exists())
    free = shutil.disk_usage(place).free
    if needed + _SPARE_SPACE > free:
        raise LisaError(
            f"{dst}: {needed / 1e9:.1f} GB are to be written, {free / 1e9:.1f} GB are free; free "
            "some space or name a folder on another disk"
        )


def _entry(path: Path) -> FileEntry:
    return FileEntry(bytes=path.stat().st_size, sha256=sha256_of(path))
