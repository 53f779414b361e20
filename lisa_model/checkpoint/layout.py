"""Which files of a folder are the weights, in the layouts that ``save_pretrained`` writes."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from lisa_model.checkpoint.tensor_file import corrupt
from lisa_model.errors import WeightsMissingError


@dataclass(frozen=True)
class Layout:
    """Names of one kind of weights: ``<stem><suffix>``, or shards of it and an index."""

    stem: str
    suffix: str

    @property
    def single(self) -> str:
        """Name of the only file."""
        return self.stem + self.suffix

    @property
    def index(self) -> str:
        """Name of the file that lists the shards."""
        return f"{self.single}.index.json"

    def shard(self, number: int, count: int) -> str:
        """Name of shard ``number`` (from 1) of ``count``."""
        return f"{self.stem}-{number:05d}-of-{count:05d}{self.suffix}"

    def shards_in(self, folder: Path) -> dict[int, tuple[int, Path]]:
        """The shards of a folder: number -> (how many there should be, path)."""
        pattern = re.compile(re.escape(self.stem) + r"-(\d{5})-of-(\d{5})" + re.escape(self.suffix))
        found = {}
        for path in sorted(folder.iterdir()):
            match = pattern.fullmatch(path.name)
            if match:
                found[int(match.group(1))] = (int(match.group(2)), path)
        return found


SAFETENSORS = Layout("model", ".safetensors")
TORCH = Layout("pytorch_model", ".bin")
# In the order of preference: safetensors cannot ask for code to be run.
LAYOUTS = (SAFETENSORS, TORCH)


@dataclass(frozen=True)
class WeightFiles:
    """The files of a checkpoint.

    Attributes:
        paths: the files, in the order of their names.
        index: the file that lists them, or None.
        weight_map: key -> path as the index has it; empty without an index.
    """

    paths: tuple[Path, ...]
    index: Path | None
    weight_map: dict[str, Path]


def find_weight_files(folder: Path) -> WeightFiles:
    """The weights of a folder.

    Raises:
        WeightsMissingError: there are none, or a shard is missing.
        WeightsCorruptError: the index cannot be read or leads out of the folder.
    """
    if not folder.is_dir():
        raise WeightsMissingError(f"{folder} is not a folder; name the folder of the checkpoint")
    for layout in LAYOUTS:
        if (folder / layout.index).is_file():
            return _indexed(folder, folder / layout.index)
        if (folder / layout.single).is_file():
            return WeightFiles((folder / layout.single,), None, {})
        shards = layout.shards_in(folder)
        if shards:
            return _unindexed(folder, layout, shards)
    raise WeightsMissingError(f"{folder} has no weights that can be opened. {_advice(folder)}")


def _indexed(folder: Path, index: Path) -> WeightFiles:
    try:
        table = json.loads(index.read_text("utf-8"))["weight_map"]
        places = {str(key): str(name) for key, name in table.items()}
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise corrupt(index, f"not an index of weights ({error!r})") from error
    if not places:
        raise corrupt(index, "its weight_map is empty")
    names = sorted(set(places.values()))
    for name in names:
        # The index comes from elsewhere: it may only name files beside it.
        if not name or Path(name).name != name or "\\" in name:
            raise corrupt(index, f"names {name!r}, which is not a file beside it")
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        key = next(key for key, name in places.items() if name == missing[0])
        raise WeightsMissingError(
            f"{folder / missing[0]} is missing, {len(missing)} of the {len(names)} files that "
            f"{index.name} names are; it should hold {key}. Download: {', '.join(missing)}."
        )
    return WeightFiles(
        tuple(folder / name for name in names),
        index,
        {key: folder / name for key, name in places.items()},
    )


def _unindexed(folder: Path, layout: Layout, shards: dict[int, tuple[int, Path]]) -> WeightFiles:
    counts = {count for count, _ in shards.values()}
    if len(counts) > 1:
        raise WeightsMissingError(
            f"{folder} mixes shards of several checkpoints (of {sorted(counts)} files each) and "
            f"has no {layout.index}; keep one checkpoint a folder."
        )
    count = counts.pop()
    missing = [layout.shard(n, count) for n in range(1, count + 1) if n not in shards]
    if missing:
        raise WeightsMissingError(
            f"{folder / missing[0]} is missing ({len(missing)} of {count} files). "
            f"Download: {', '.join(missing)}."
        )
    return WeightFiles(tuple(shards[n][1] for n in sorted(shards)), None, {})


def _advice(folder: Path) -> str:
    """What the folder seems to be instead."""
    names = {path.name for path in folder.iterdir()}
    if any(re.fullmatch(r"global_step\d+", name) for name in names) or "zero_to_fp32.py" in names:
        return (
            "It is a DeepSpeed training folder: run its zero_to_fp32.py first, then `lisa convert`"
        )
    if names & {"adapter_model.safetensors", "adapter_model.bin"}:
        return "It holds a LoRA adapter only: merge it into its base model first"
    expected = ", ".join(name for layout in LAYOUTS for name in (layout.single, layout.index))
    return f"Expected one of: {expected}"
