"""Files written by ``torch.save`` (``pytorch_model.bin``), read without running what they hold.

A pickle can name any function to be called while it is read. ``weights_only=True`` refuses all but
the few that rebuild tensors, so nothing of the file runs; a refusal is reported as such.
"""

from __future__ import annotations

import pickle
import re
import struct
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lisa_model.checkpoint.tensor_file import TensorInfo, check_not_a_pointer, corrupt
from lisa_model.errors import WeightsCorruptError

_ZIP_MAGIC = b"PK\x03\x04"
# How torch words the refusal of a function or class that a file asks for.
_REFUSED = re.compile(r"GLOBAL `?([\w.]+)`?")
# What torch's readers raise for files that are cut off or damaged.
_DAMAGE = (
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    OverflowError,
    struct.error,
)
_FLAT = (
    "A flat dictionary of tensors is expected, as save_pretrained writes it; convert the state of "
    "a training run with its own script first (DeepSpeed: zero_to_fp32.py)"
)


class TorchFile:
    """A ``.bin`` file; see :class:`~lisa_model.checkpoint.tensor_file.TensorFile`.

    Files of torch 1.6 and later are zip archives and are mapped. The format before it cannot be:
    such a file is read whole at each call and costs its size in memory for that time.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def mapped(self) -> bool:
        """Whether the file is an archive; else the format before torch 1.6."""
        with self.path.open("rb") as reader:
            return reader.read(len(_ZIP_MAGIC)) == _ZIP_MAGIC

    @cached_property
    def info(self) -> Mapping[str, TensorInfo]:
        """Shape and dtype by key, in the order they were saved.

        Raises:
            WeightsCorruptError: the file is truncated, no file of torch, holds something else than
                a flat dictionary of tensors, or asks for code to be run (which was not run).
        """
        check_not_a_pointer(self.path)
        if self.mapped:
            self._check_archive()
        return {
            key: TensorInfo(self.path, tuple(tensor.shape), tensor.dtype)
            for key, tensor in self._load().items()
        }

    def read(self, keys: Sequence[str]) -> dict[str, Tensor]:
        """CPU tensors of ``keys``; mapped if the file can be.

        Raises:
            WeightsCorruptError: see ``info``.
        """
        tensors = self._load()
        try:
            return {key: tensors[key] for key in keys}
        except KeyError as error:
            raise corrupt(self.path, f"changed while in use: {error} is gone") from error

    def _load(self) -> dict[str, Tensor]:
        try:
            with warnings.catch_warnings():
                # About pickles of another protocol than torch's, just before it refuses them.
                warnings.simplefilter("ignore", UserWarning)
                content = torch.load(
                    self.path,
                    map_location="cpu",
                    weights_only=True,
                    mmap=True if self.mapped else None,
                )
        except pickle.UnpicklingError as error:
            raise self._refusal(error) from error
        except _DAMAGE as error:
            raise corrupt(
                self.path, f"truncated, damaged or no file of torch.save ({_first_line(error)})"
            ) from error
        return self._flat(content)

    def _check_archive(self) -> None:
        """Refuse archives that are cut off or packed in a way that a mapping would misread."""
        try:
            with zipfile.ZipFile(self.path) as archive:
                packed = [one for one in archive.infolist() if one.compress_type]
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise corrupt(
                self.path, f"truncated or damaged: its archive cannot be listed ({error})"
            ) from error
        if packed:
            raise corrupt(
                self.path,
                f"its member {packed[0].filename} is compressed, which torch.save never does",
            )

    def _refusal(self, error: pickle.UnpicklingError) -> WeightsCorruptError:
        found = _REFUSED.search(str(error))
        if found:
            return corrupt(
                self.path,
                f"it is more than weights: reading it would run {found.group(1)}. "
                "Nothing of it was run",
                remedy="Do not use this file; get the weights from a source that you trust, "
                "best as safetensors",
            )
        return corrupt(self.path, "damaged, or no file of weights. Nothing of it was run")

    def _flat(self, content: Any) -> dict[str, Tensor]:
        if not isinstance(content, dict) or not content:
            kind = type(content).__name__
            raise corrupt(self.path, f"holds a {kind}, not named tensors", remedy=_FLAT)
        for key, value in content.items():
            if not isinstance(key, str) or not isinstance(value, Tensor):
                kind = type(value).__name__
                raise corrupt(
                    self.path, f"its entry {key!r} is a {kind}, not a tensor", remedy=_FLAT
                )
            if (
                value.layout is not torch.strided
                or value.is_quantized
                or value.device.type != "cpu"
            ):
                raise corrupt(self.path, f"{key} is not a plain dense tensor with data")
        return {key: value.detach() for key, value in content.items()}


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
