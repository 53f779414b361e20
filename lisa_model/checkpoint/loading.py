"""Tensors of a checkpoint into a module that has no memory of its own yet."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from lisa_model.checkpoint.reader import Checkpoint
from lisa_model.checkpoint.tensor_file import corrupt
from lisa_model.errors import WeightsMissingError

# How many names a message lists before it only counts.
_LISTED = 5


def load_into(
    module: nn.Module,
    checkpoint: Checkpoint,
    *,
    dtype: torch.dtype,
    device: torch.device | str = "cpu",
    rename: Callable[[str], str] = lambda key: key,
    ignore: Callable[[str], bool] = lambda name: False,
    keep_float32: Callable[[str], bool] = lambda name: False,
    transform: Callable[[nn.Module, str, Tensor], Tensor] | None = None,
    sizes_from: Callable[[str], list[str]] = lambda name: [],
) -> None:
    """Give a module its parameters and buffers, one tensor at a time.

    The module may live on the meta device: its tensors are replaced, not copied into, so the
    weights are in memory once. Where type and device are right already they stay a view of the
    mapped file: loading then takes no time, pages come in at first use, and the file must not be
    overwritten in place meanwhile (replacing it, as `lisa convert` does, is fine).

    All keys and shapes are checked before the first tensor is read. Non-persistent buffers are no
    part of a checkpoint; whoever builds the module fills them.

    Args:
        module: built under ``torch.device("meta")``; its parameters no longer require gradients
            afterwards.
        checkpoint: where the tensors come from.
        dtype: of floating-point tensors afterwards; others keep theirs.
        device: where they are put.
        rename: the checkpoint's key -> the module's.
        ignore: keys (after renaming) that are left out, whether the module has them or not.
        keep_float32: keys (after renaming) that are float32 whatever ``dtype`` is.
        transform: last change of a tensor before it is put into its module (quantisation); called
            with the module that owns it and its key after renaming.
        sizes_from: key (after renaming) of a tensor with a wrong shape -> the tensors from whose
            shapes the expected one was taken: one of those may be the wrong one.

    Raises:
        WeightsMissingError: the checkpoint lacks a tensor.
        WeightsCorruptError: it has one too many, or one of the wrong shape.
    """
    keys = _matched(module, checkpoint, rename=rename, ignore=ignore, sizes_from=sizes_from)
    for key, tensor in checkpoint.tensors(keys):
        name = keys[key]
        if tensor.is_floating_point():
            kind = torch.float32 if keep_float32(name) else dtype
            tensor = tensor.to(device=device, dtype=kind)
        else:
            tensor = tensor.to(device=device)
        path, _, leaf = name.rpartition(".")
        owner = module.get_submodule(path)
        if transform is not None:
            tensor = transform(owner, name, tensor)
        if leaf in owner._parameters:
            owner._parameters[leaf] = nn.Parameter(tensor, requires_grad=False)
        else:
            owner._buffers[leaf] = tensor


def _matched(
    module: nn.Module,
    checkpoint: Checkpoint,
    *,
    rename: Callable[[str], str],
    ignore: Callable[[str], bool],
    sizes_from: Callable[[str], list[str]],
) -> dict[str, str]:
    """The checkpoint's keys to read -> the module's names, one to one."""
    expected = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    keys: dict[str, str] = {}
    source: dict[str, str] = {}
    for key, info in checkpoint.info.items():
        name = rename(key)
        if ignore(name):
            continue
        if name not in expected:
            surplus = [
                other
                for other in checkpoint.info
                if not ignore(rename(other)) and rename(other) not in expected
            ]
            raise corrupt(
                info.file,
                f"{_some(surplus)} not part of the model that config.json describes",
                remedy="Use the config.json and the weights of one and the same checkpoint",
            )
        if expected[name] != info.shape:
            raise corrupt(
                info.file,
                f"{key!r} has shape {list(info.shape)}, the model that config.json describes "
                f"needs {list(expected[name])}{_told_by(sizes_from(name), checkpoint)}",
                remedy="Use the config.json and the weights of one and the same checkpoint",
            )
        if name in source:
            raise corrupt(info.file, f"{key!r} and {source[name]!r} are the same tensor {name!r}")
        keys[key] = name
        source[name] = key
    missing = [name for name in expected if name not in source and not ignore(name)]
    if missing:
        files = ", ".join(path.name for path in checkpoint.files)
        raise WeightsMissingError(
            f"{checkpoint.folder}: {_some(missing)} missing from its files ({files}). Download all "
            "files of the checkpoint, or use the config.json that belongs to it."
        )
    return keys


def _told_by(names: list[str], checkpoint: Checkpoint) -> str:
    """The other side of a contradiction between shapes."""
    told = [f"{n!r} {list(checkpoint.info[n].shape)}" for n in names if n in checkpoint.info]
    return f" (told by {', '.join(told)})" if told else ""


def _some(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:_LISTED])
    if len(names) > _LISTED:
        return f"{shown} and {len(names) - _LISTED} more are"
    return f"{shown} {'is' if len(names) == 1 else 'are'}"
