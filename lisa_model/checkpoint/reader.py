"""A checkpoint folder as one table of tensors, whichever of the usual layouts it has."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from lisa_model.checkpoint.layout import WeightFiles, find_weight_files
from lisa_model.checkpoint.manifest import check_manifest_sizes
from lisa_model.checkpoint.safetensors_file import SafetensorsFile
from lisa_model.checkpoint.tensor_file import TensorFile, TensorInfo, corrupt
from lisa_model.checkpoint.torch_file import TorchFile
from lisa_model.errors import WeightsCorruptError

__all__ = ["Checkpoint", "TensorInfo", "open_checkpoint"]

# Pages of a mapped file that were read count as memory until the mapping goes, so a file is mapped
# anew for every so many bytes of tensors. Large enough that making the mappings costs nothing.
WINDOW_BYTES = 256 << 20


@dataclass(frozen=True)
class Checkpoint:
    """Tensors of a folder by key.

    Attributes:
        folder: where it lies.
        info: file, shape and dtype of every tensor, in the order of the files.
    """

    folder: Path
    info: Mapping[str, TensorInfo] = field(repr=False)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tensor."""
        return {key: one.shape for key, one in self.info.items()}

    @property
    def dtypes(self) -> dict[str, torch.dtype]:
        """Stored dtype of every tensor."""
        return {key: one.dtype for key, one in self.info.items()}

    @property
    def files(self) -> list[Path]:
        """The files, each once."""
        return list(dict.fromkeys(one.file for one in self.info.values()))

    def file_of(self, key: str) -> Path:
        """The file that a tensor is in.

        Raises:
            WeightsCorruptError: no file has it.
        """
        self._check_known((key,))
        return self.info[key].file

    def tensors(self, keys: Collection[str] | None = None) -> Iterator[tuple[str, Tensor]]:
        """Read tensors, in the order of ``info``.

        Tensors of a mapped file are views of it: let go of one to let go of its memory. Never more
        than one file is open.

        Args:
            keys: only these; all when None.

        Raises:
            WeightsCorruptError: a key is not in the checkpoint, or its file was damaged.
        """
        if keys is not None:
            self._check_known(keys)
            keys = set(keys)
        for path in self.files:
            wanted = [
                key
                for key, one in self.info.items()
                if one.file == path and (keys is None or key in keys)
            ]
            if wanted:
                yield from self._read(_open_file(path), wanted)

    def _read(self, file: TensorFile, wanted: list[str]) -> Iterator[tuple[str, Tensor]]:
        # A file that is not mapped is read whole each time, so only once.
        limit = WINDOW_BYTES if file.mapped else None
        for window in _windows(wanted, self.info, limit):
            tensors = file.read(window)
            for key in window:
                yield key, tensors.pop(key)

    def _check_known(self, keys: Collection[str]) -> None:
        for key in keys:
            if key not in self.info:
                names = ", ".join(path.name for path in self.files)
                raise WeightsCorruptError(f"{self.folder}: no file of it ({names}) holds {key!r}")


def open_checkpoint(folder: Path | str, *, lora_alpha: float | None = None) -> Checkpoint:
    """Find the weights in a folder and list them; their data is not read.

    Weights of a training run whose LoRA part is not merged yet come out merged, under the names of
    the released checkpoints, see :mod:`lisa_model.checkpoint.lora`.

    Args:
        folder: with ``model*.safetensors`` or ``pytorch_model*.bin``, in one file or several.
        lora_alpha: of a training run with LoRA, when the folder has no adapter_config.json.

    Raises:
        WeightsMissingError: there are no weights, or a file that the index names is not there.
        WeightsCorruptError: a file cannot be read or does not hold what the index says, a key is
            stored twice, or LoRA weights cannot be merged. Names file, key and remedy.
    """
    from lisa_model.checkpoint.lora import merged  # it builds on this module

    folder = Path(folder)
    files = find_weight_files(folder)
    check_manifest_sizes(folder)
    checkpoint = Checkpoint(folder=folder, info=_table(files))
    return merged(checkpoint, lora_alpha=lora_alpha)


def _table(files: WeightFiles) -> dict[str, TensorInfo]:
    table: dict[str, TensorInfo] = {}
    for path in files.paths:
        for key, info in _open_file(path).info.items():
            if key in table:
                raise corrupt(
                    path,
                    f"holds {key!r}, which {table[key].file.name} holds too",
                    remedy="These files do not belong together; download all of them again",
                )
            table[key] = info
    for key, path in files.weight_map.items():
        if key not in table or table[key].file != path:
            raise corrupt(path, f"lacks {key!r}, which {files.index} says is in it")
    return table


def _open_file(path: Path) -> TensorFile:
    return SafetensorsFile(path) if path.suffix == ".safetensors" else TorchFile(path)


def _windows(
    keys: list[str], info: Mapping[str, TensorInfo], limit: int | None
) -> Iterator[list[str]]:
    """Cut ``keys`` into runs of at most ``limit`` bytes, or of one tensor that is larger."""
    window: list[str] = []
    size = 0
    for key in keys:
        if window and limit is not None and size + info[key].bytes > limit:
            yield window
            window, size = [], 0
        window.append(key)
        size += info[key].bytes
    yield window
