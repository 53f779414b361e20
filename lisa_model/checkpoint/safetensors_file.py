"""Files in the safetensors format, read through a mapping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from lisa_model.checkpoint.tensor_file import TensorInfo, check_not_a_pointer, corrupt

# Names of the safetensors format. Others (floats below 16 bits) are not what LISA is stored in.
DTYPES: dict[str, torch.dtype] = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


class SafetensorsFile:
    """A ``.safetensors`` file; see :class:`~lisa_model.checkpoint.tensor_file.TensorFile`."""

    mapped = True

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def info(self) -> Mapping[str, TensorInfo]:
        """Shape and dtype by key, in the order of the data; only the header is read.

        Raises:
            WeightsCorruptError: the file is truncated or no safetensors file.
        """
        check_not_a_pointer(self.path)
        info: dict[str, TensorInfo] = {}
        try:
            with safe_open(str(self.path), framework="pt", device="cpu") as handle:
                for key in handle.offset_keys():
                    part = handle.get_slice(key)
                    name = part.get_dtype()
                    if name not in DTYPES:
                        raise corrupt(
                            self.path,
                            f"{key} has the data type {name}, which is not supported",
                            remedy="Store the weights as float32, float16 or bfloat16",
                        )
                    info[key] = TensorInfo(self.path, tuple(part.get_shape()), DTYPES[name])
        except SafetensorError as error:
            raise corrupt(
                self.path, f"truncated, damaged or no safetensors file ({error})"
            ) from error
        return info

    def read(self, keys: Sequence[str]) -> dict[str, Tensor]:
        """CPU tensors of ``keys``, mapped.

        Raises:
            WeightsCorruptError: the file was changed since its header was read.
        """
        try:
            with safe_open(str(self.path), framework="pt", device="cpu") as handle:
                return {key: handle.get_tensor(key) for key in keys}
        except SafetensorError as error:
            raise corrupt(self.path, f"cannot be read ({error})") from error
