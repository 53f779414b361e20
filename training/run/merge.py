"""``lisa merge`` and ``lisa export``: a run as a model of its own, and in official files.

``merge`` writes one safetensors file with LoRA added to the weights, W0 + alpha / r * B A.
``export`` writes such a model as the official code saves its own: pickled shards and their index,
the rotary frequencies, config.json and the tokenizer.

Both write a folder whole or not at all. One shard is in memory at a time.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from lisa_model.base_weights.manifest import sha256_of
from lisa_model.checkpoint.convert import NEEDED_FILES
from lisa_model.checkpoint.layout import SAFETENSORS, TORCH
from lisa_model.checkpoint.lora import merged
from lisa_model.checkpoint.manifest import (
    MANIFEST_NAME,
    FileEntry,
    Manifest,
    Recipe,
    write_manifest,
    write_sums,
)
from lisa_model.checkpoint.plan import Shard, describe, fingerprint, plan_shards
from lisa_model.checkpoint.reader import Checkpoint, open_checkpoint
from lisa_model.checkpoint.safetensors_file import SafetensorsFile
from lisa_model.checkpoint.writer import write_safetensors
from lisa_model.errors import LisaError, WeightsCorruptError, WeightsMissingError
from lisa_model.llava.config import (
    CONFIG_FILE,
    GAMMA_KEY,
    GAMMA_PREFIX,
    TOWER_FOLDER,
    CheckpointConfig,
    read_config,
)
from training.run import state as states
from training.run.state import State
from training.run.vision import ENCODER

T = TypeVar("T")
# As transformers 4.31 cuts them.
EXPORT_SHARD_BYTES = 10_000_000_000
_NO_LIMIT = 1 << 62
# Without these the official code cannot open its tokenizer.
_EXPORT_FILES = (*NEEDED_FILES, "tokenizer_config.json", "special_tokens_map.json")
_SMALL = (
    "added_tokens.json",
    "generation_config.json",
    "special_tokens_map.json",
    "tokenizer.model",
    "tokenizer_config.json",
)
_ROTARY = "model.layers.{}.self_attn.rotary_emb.inv_freq"


def trained_checkpoint(place: Path, base: Path | None = None) -> Checkpoint:
    """A run's weights as a table of tensors, LoRA merged, under the names of released checkpoints.

    Args:
        place: a run, whose newest checkpoint is taken, or a checkpoint of one.
        base: folder that the run began with; None for where it was then.

    Raises:
        WeightsMissingError, WeightsCorruptError: of the run or its base, naming the file.
    """
    folder = states.find(place)
    state = states.read_state(folder)
    base = base or Path(state.settings["model"]["checkpoint"])
    start = open_checkpoint(base)
    files = describe(start)["files"]
    if files != state.base:
        raise WeightsCorruptError(
            f"{base} is not what {folder} began with: its files have {files} bytes, not "
            f"{state.base}. Name the right folder with --base"
        )
    if type(start) is not Checkpoint:
        raise LisaError(f"{base} has a LoRA part of its own; apply `lisa convert` to it first")
    learnt = SafetensorsFile(folder / states.WEIGHTS).info
    kept = start.info
    if _new_gamma(state):
        kept = {key: info for key, info in kept.items() if not key.startswith(GAMMA_PREFIX)}
    table = {**kept, **learnt}
    files_in_order = list(dict.fromkeys(info.file for info in table.values()))
    # Tensors are read file by file, and whoever writes them relies on the table's order.
    grouped = {
        key: info for file in files_in_order for key, info in table.items() if info.file == file
    }
    vision = state.settings.get("vision", {})  # runs of before it was there have none

    def alpha(key: str) -> float:
        if key.startswith(ENCODER):
            return float(vision["lora_alpha"])
        return float(state.settings["lora"]["alpha"])

    return merged(Checkpoint(folder=base, info=grouped), lora_alpha=alpha)


def _new_gamma(state: State) -> str:
    """The kind of gamma that a run began anew with; "" if it kept that of its base."""
    kind = state.settings["model"].get("gamma", "checkpoint")
    return "" if kind == "checkpoint" else str(kind)


def selection(place: Path, *, best: bool = False) -> dict[str, Any]:
    """Which checkpoint is merged, and what its validation says; for the manifest.

    Args:
        place: a run, or a checkpoint of one.
        best: whether the best of a run is meant.

    Returns:
        ``step``; ``chosen``, why this one, in words; ``metric``, ``value``, ``ciou``, ``images``
        and ``split`` of the validation at that step, None where there was none; ``best``, whether
        no other checkpoint of the run has a higher value.

    Raises:
        WeightsMissingError, WeightsCorruptError: see :func:`training.run.state.find`.
    """
    folder = states.find(place).resolve()
    state = states.read_state(folder)
    seen = state.validation
    split = Path(state.settings.get("validation", {}).get("folder") or "")
    if best:
        chosen = "the best of its run by validation"
    else:
        named = folder == place.resolve()
        chosen = "named by hand" if named else "the newest whole checkpoint of its run"
    return {
        "step": state.step,
        "chosen": chosen,
        "metric": "gIoU" if seen else None,
        "value": seen.get("giou"),
        "ciou": seen.get("ciou"),
        "images": seen.get("images"),
        # The set and its split; where they lie on the trainer's disk is of no use.
        "split": "/".join(split.parts[-2:]) if seen else None,
        "best": states.best(folder.parents[1]) == folder,
    }


def best_checkpoint(run: Path) -> Path:
    """The checkpoint of a run with the highest gIoU.

    Raises:
        WeightsMissingError: none was validated.
    """
    found = states.best(run)
    if found is None:
        raise WeightsMissingError(
            f"{run} has no checkpoint with a validation; leave out --best to take its newest one"
        )
    return found


def merge(
    place: Path,
    out: Path,
    *,
    base: Path | None = None,
    dtype: torch.dtype | None = None,
    best: bool = False,
) -> Manifest:
    """Write a run's model as one file that needs nothing else but the vision tower.

    Args:
        place, base: see :func:`trained_checkpoint`.
        out: new folder.
        dtype: of the weights; None for that of the base's embeddings.
        best: take the checkpoint of the run with the highest gIoU, not its newest.

    Returns:
        The files; `lisa verify` checks them.

    Raises:
        LisaError: of the run or its base, or ``out`` exists.
    """
    place = best_checkpoint(place) if best else place
    training = selection(place, best=best)
    source = trained_checkpoint(place, base)
    state = states.read_state(states.find(place))
    started = base or Path(state.settings["model"]["checkpoint"])
    changed = {GAMMA_KEY: gamma} if (gamma := _new_gamma(state)) else {}
    if dtype is None:
        dtype = open_checkpoint(started).info["model.embed_tokens.weight"].dtype
    (shard,) = plan_shards(source, dtype=dtype, max_shard_bytes=_NO_LIMIT, wanted=of_model)

    def fill(part: Path) -> Manifest:
        name = SAFETENSORS.single
        files = {name: write_safetensors(part / name, shard.layout, _cast(source, shard))}
        _write_small(part, started, dtype, source, changed)
        if (started / TOWER_FOLDER).is_dir():  # where `lisa convert` puts it
            shutil.copytree(started / TOWER_FOLDER, part / TOWER_FOLDER)
        for path in sorted(part.rglob("*")):
            if path.is_file() and path != part / name:
                entry = FileEntry(bytes=path.stat().st_size, sha256=sha256_of(path))
                files[str(path.relative_to(part))] = entry
        manifest = Manifest(
            recipe=Recipe(
                source=describe(source),
                vision_tower=None,
                fingerprint=fingerprint(source.files),
                dtype=str(dtype).removeprefix("torch."),
                max_shard_bytes=_NO_LIMIT,
                lora_alpha=None,
            ),
            files=files,
            training=training,
        )
        write_manifest(part / MANIFEST_NAME, manifest)
        write_sums(part, manifest)
        return manifest

    return new_folder(out, fill)


def export(
    model: Path,
    out: Path,
    *,
    dtype: torch.dtype | None = None,
    max_shard_bytes: int = EXPORT_SHARD_BYTES,
) -> list[Path]:
    """Write a model in the official layout.

    Args:
        model: folder of a merged, converted or official model.
        out: new folder.
        dtype: of the weights; None keeps theirs.
        max_shard_bytes: limit of a file; larger only if a single tensor is.

    Returns:
        The files of weights.

    Raises:
        LisaError: the model cannot be read, lacks a file of the tokenizer, has parts that the
            official code does not know, or ``out`` exists.
    """
    source = open_checkpoint(model)
    config = CheckpointConfig.read(model, source)
    _check_official(config, model)
    for name in _EXPORT_FILES:
        if not (model / name).is_file():
            raise WeightsMissingError(f"{model / name} is missing; the official code needs it")
    shards = plan_shards(source, dtype=dtype, max_shard_bytes=max_shard_bytes, wanted=of_model)

    def fill(part: Path) -> list[str]:
        names: list[str] = []
        places: dict[str, str] = {}
        total = 0
        for number, shard in enumerate(shards, start=1):
            name = TORCH.single if len(shards) == 1 else TORCH.shard(number, len(shards))
            # Clones: a view is pickled with all of the file that it is a view of.
            tensors = {key: tensor.clone() for key, tensor in _cast(source, shard)}
            if number == len(shards):
                tensors |= rotary_frequencies(config)
            _save(part / name, tensors)
            total += sum(tensor.nbytes for tensor in tensors.values())
            places |= dict.fromkeys(tensors, name)
            names.append(name)
        if len(shards) > 1:
            index = {"metadata": {"total_size": total}, "weight_map": places}
            _write_text(part / TORCH.index, json.dumps(index, indent=2) + "\n")
        kept = dtype or source.info["model.embed_tokens.weight"].dtype
        _write_small(part, model, kept, source)
        return names

    return [out / name for name in new_folder(out, fill)]


def _check_official(config: CheckpointConfig, model: Path) -> None:
    """Refuse models that the official code could not build.

    Raises:
        LisaError: naming the part.
    """
    backbone = config.sam.backbone
    part = ""
    if backbone is not None:
        part = f"the image encoder {backbone.kind}"
    elif config.sam.name not in ("vit_h", ""):  # other sizes than the published are for tests
        part = f"SAM's {config.sam.name}"
    elif config.gamma != "mlp":
        part = f"a {config.gamma} gamma"
    if part:
        raise LisaError(
            f"{model} has {part}. The official code builds SAM's vit_h and a gamma of two layers, "
            "nothing else: there is no official layout of this model. Use the folder as it is"
        )


def rotary_frequencies(config: CheckpointConfig) -> dict[str, Tensor]:
    """(head_dim / 2,) float32 per layer: base^(-2 i / head_dim); transformers 4.31 stores them."""
    values = config.values
    head = values["hidden_size"] // values["num_attention_heads"]
    base = float(values.get("rope_theta", 10000.0))
    frequencies = 1.0 / (base ** (torch.arange(0, head, 2, dtype=torch.float32) / head))
    return {
        _ROTARY.format(layer): frequencies.clone() for layer in range(values["num_hidden_layers"])
    }


def of_model(key: str) -> bool:
    """What is neither made anew (rotary frequencies) nor kept apart (the vision tower)."""
    return not key.endswith("rotary_emb.inv_freq") and ".vision_tower." not in f".{key}"


def _cast(source: Checkpoint, shard: Shard) -> Iterator[tuple[str, Tensor]]:
    """A shard's tensors in its order: by item size, within one in the order of the source."""
    sizes = dict.fromkeys(info.dtype.itemsize for info in shard.layout.values())
    for size in sizes:
        keys = [key for key, info in shard.layout.items() if info.dtype.itemsize == size]
        for key, tensor in source.tensors(keys):
            yield key, tensor.to(shard.layout[key].dtype)


def _write_small(
    part: Path,
    model: Path,
    dtype: torch.dtype,
    source: Checkpoint,
    changed: dict[str, Any] | None = None,
) -> None:
    """config.json for the weights as they are now, and the tokenizer."""
    values: dict[str, Any] = read_config(model) | (changed or {})
    values.pop("dtype", None)
    values["architectures"] = ["LISAForCausalLM"]
    values["torch_dtype"] = str(dtype).removeprefix("torch.")
    values["vocab_size"] = source.info["model.embed_tokens.weight"].shape[0]
    _write_text(part / CONFIG_FILE, json.dumps(values, indent=2) + "\n")
    for name in _SMALL:
        if (model / name).is_file():
            shutil.copyfile(model / name, part / name)


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _save(path: Path, tensors: dict[str, Tensor]) -> None:
    with path.open("wb") as writer:
        torch.save(tensors, writer)
        writer.flush()
        os.fsync(writer.fileno())


def new_folder(out: Path, fill: Callable[[Path], T]) -> T:
    """Fill ``out.part`` and rename it.

    Raises:
        LisaError: ``out`` exists.
    """
    if out.exists():
        raise LisaError(f"{out} exists; name a new folder")
    part = out.with_name(out.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    result = fill(part)
    part.rename(out)
    return result
