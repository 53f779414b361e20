"""Write a safetensors file as a stream: one tensor in memory, hashed on the way."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from lisa_model.base_weights.progress import Advance
from lisa_model.checkpoint.manifest import FileEntry
from lisa_model.checkpoint.safetensors_file import DTYPES
from lisa_model.checkpoint.tensor_file import TensorInfo

_NAMES = {dtype: name for name, dtype in DTYPES.items()}


def write_safetensors(
    path: Path,
    layout: Mapping[str, TensorInfo],
    tensors: Iterable[tuple[str, Tensor]],
    *,
    advance: Advance | None = None,
) -> FileEntry:
    """Write ``path`` so that it is there whole or not at all.

    ``safetensors.torch.save_file`` wants all tensors of a file at once and copies them; this needs
    one. Format: header length (8 bytes, little endian), header (JSON, padded to 8 bytes), data
    without gaps (https://huggingface.co/docs/safetensors, "Format").

    Args:
        path: the file; written as ``path.part`` and renamed.
        layout: shape and dtype of every tensor, in the order of ``tensors``. Wider dtypes must
            come first, so that every tensor starts at a multiple of its item size.
        tensors: CPU tensors.
        advance: told about written bytes of tensors.

    Returns:
        Bytes and SHA-256 of the file.

    Raises:
        ValueError: ``tensors`` does not give what ``layout`` promises.
    """
    header = _header(layout)
    digest = hashlib.sha256()
    part = path.with_name(path.name + ".part")
    expected = iter(layout.items())
    with part.open("wb") as writer:

        def put(data: bytes | memoryview) -> None:
            writer.write(data)
            digest.update(data)

        put(header)
        for key, tensor in tensors:
            name, info = next(expected, ("nothing", None))
            found = (key, tuple(tensor.shape), tensor.dtype)
            if info is None or found != (name, info.shape, info.dtype):
                raise ValueError(f"{path.name}: {found} came where {name} {info} was promised")
            put(_bytes(tensor))
            if advance is not None:
                advance(info.bytes)
        if (left := next(expected, None)) is not None:
            raise ValueError(f"{path.name}: {left[0]} was promised but did not come")
        writer.flush()
        os.fsync(writer.fileno())
        size = writer.tell()
    part.replace(path)
    return FileEntry(bytes=size, sha256=digest.hexdigest())


def _header(layout: Mapping[str, TensorInfo]) -> bytes:
    table: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for key, info in layout.items():
        if offset % info.dtype.itemsize:
            raise ValueError(f"{key} would start at {offset}; wider dtypes must come first")
        end = offset + info.bytes
        table[key] = {
            "dtype": _NAMES[info.dtype],
            "shape": list(info.shape),
            "data_offsets": [offset, end],
        }
        offset = end
    text = json.dumps(table, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _bytes(tensor: Tensor) -> memoryview:
    flat = tensor.detach().contiguous().reshape(-1).view(torch.uint8)
    return flat.numpy().data
