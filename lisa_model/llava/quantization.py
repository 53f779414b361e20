"""Weight-only quantization of the LLM's layers, through torchao and bitsandbytes.

Only the linear layers of the transformer blocks are changed. SAM, gamma (text_hidden_fcs), the
projector and lm_head keep their type: a [SEG] embedding has to stay exact, and the head decides
whether there is one. The embedding table becomes bfloat16: it is looked up, never multiplied.

=====  ============  ======================  ==========================================
kind   library       bits a weight, scales   devices
=====  ============  ======================  ==========================================
int8   torchao       8, one scale per row    any
int4   torchao       4.5, scale and zero     CPU; CUDA with bfloat16
                     per 64 inputs
nf4    bitsandbytes  4.1, double quantized   CUDA; CPU
=====  ============  ======================  ==========================================
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from lisa_model.llava.model import LisaForCausalLM

KINDS = ("int8", "int4", "nf4")
# Inputs that share a scale in int4. All LLaMA widths are multiples of it.
INT4_GROUP = 64
# bitsandbytes' block of NF4.
NF4_BLOCK = 64


def check_kind(kind: str | None) -> None:
    """Raise ValueError for a kind that does not exist."""
    if kind is not None and kind not in KINDS:
        raise ValueError(f"quantization must be one of {', '.join(KINDS)}, got {kind!r}")


def quantize_llm(
    model: LisaForCausalLM,
    kind: str,
    *,
    device: torch.device | str | None = None,
    embeddings: torch.dtype | None = torch.bfloat16,
) -> None:
    """Quantize the LLM's blocks in place, one after the other, and move the model to its device.

    A model that is on the CPU still never fills more of a GPU than its quantized blocks and one
    that is not quantized yet.

    Args:
        model: loaded, with the type in which it computes.
        kind: one of KINDS; see the module.
        device: where the model is to run; None to leave it where it is.
        embeddings: type of the embedding table; None keeps its own, for training it.

    Raises:
        ValueError: there is no such kind, or not for this device, type or size of model, or its
            library is not installed.
    """
    check_kind(kind)
    target = model.device if device is None else torch.device(device)
    quantize = _nf4(model) if kind == "nf4" else _torchao(model, kind, target)
    for layer in model.model.layers:
        quantize(layer.to(target))
    if embeddings is not None:
        table = model.model.embed_tokens.weight
        model.model.embed_tokens.weight = nn.Parameter(table.to(embeddings), requires_grad=False)
    model.to(target)


def _torchao(
    model: LisaForCausalLM, kind: str, device: torch.device
) -> Callable[[nn.Module], None]:
    if kind == "int4":
        _check_widths(model, INT4_GROUP, kind)
    # Here: importing torchao takes a second and prints about kernels that are not there.
    from torchao.quantization import Int8WeightOnlyConfig, quantize_

    config: Any = Int8WeightOnlyConfig() if kind == "int8" else _int4(device, model.dtype)

    dtype = model.dtype

    def cast(module: nn.Module, args: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        return (args[0].to(dtype),)

    def quantize(layer: nn.Module) -> None:
        quantize_(layer, config, filter_fn=lambda module, _: isinstance(module, nn.Linear))
        for module in layer.modules():
            if isinstance(module, nn.Linear):
                # autocast does not see torchao's tensors.
                module.register_forward_pre_hook(cast)

    return quantize


def _int4(device: torch.device, dtype: torch.dtype) -> Any:
    if device.type == "cpu":
        # The place of torchao 0.18; it moved twice before, so pyproject bounds torchao.
        from torchao.prototype.quantization.int4.inference_workflow import (
            PrototypeInt4WeightOnlyConfig,
        )

        return PrototypeInt4WeightOnlyConfig(group_size=INT4_GROUP)
    if device.type == "cuda" and dtype is torch.bfloat16:
        from torchao.quantization import Int4WeightOnlyConfig

        return Int4WeightOnlyConfig(group_size=INT4_GROUP, int4_packing_format="tile_packed_to_4d")
    raise ValueError(
        "quantization 'int4' runs on a CPU, or on a CUDA device in bfloat16, not on "
        f"{device.type} in {str(dtype).removeprefix('torch.')}; use 'int8' there"
    )


def _nf4(model: LisaForCausalLM) -> Callable[[nn.Module], None]:
    _check_widths(model, NF4_BLOCK, "nf4")
    try:
        bitsandbytes: Any = importlib.import_module("bitsandbytes")
    except ImportError as error:
        raise ValueError(
            "quantization 'nf4' needs the package bitsandbytes, which is not installed: "
            "pip install bitsandbytes"
        ) from error

    def quantize(layer: nn.Module) -> None:
        for name, linear in list(layer.named_modules()):
            if isinstance(linear, nn.Linear):
                owner, _, leaf = name.rpartition(".")
                setattr(layer.get_submodule(owner), leaf, _nf4_linear(bitsandbytes, linear))

    return quantize


def _nf4_linear(bitsandbytes: Any, linear: nn.Linear) -> nn.Module:
    device, dtype = linear.weight.device, linear.weight.dtype
    small: nn.Module = bitsandbytes.nn.Linear4bit(
        linear.in_features,
        linear.out_features,
        bias=linear.bias is not None,
        compute_dtype=dtype,
        compress_statistics=True,
        quant_type="nf4",
        device="meta",
    )
    small.weight = bitsandbytes.nn.Params4bit(
        # bitsandbytes quantizes what is moved to a device, and packs float32 as it does bfloat16.
        linear.weight.detach().to("cpu"),
        requires_grad=False,
        quant_type="nf4",
        compress_statistics=True,
        blocksize=NF4_BLOCK,
        module=small,
    )
    if linear.bias is not None:
        small.bias = linear.bias
    return small.to(device).requires_grad_(False)


def _check_widths(model: LisaForCausalLM, group: int, kind: str) -> None:
    """torchao leaves out, without a word, what it cannot divide; better to refuse."""
    widths = {
        module.in_features
        for module in model.model.layers.modules()
        if isinstance(module, nn.Linear)
    }
    odd = sorted(width for width in widths if width % group)
    if odd:
        raise ValueError(
            f"quantization {kind!r} needs LLM widths that are multiples of {group}; this model has "
            f"{', '.join(map(str, odd))}. Use 'int8'"
        )


def llm_bytes(model: LisaForCausalLM) -> int:
    """Memory of the LLM's weights: blocks, norm, embedding and head [bytes]."""
    llm = model.model
    parts = [llm.embed_tokens, llm.layers, llm.norm, model.lm_head]
    return sum(stored_bytes(p) for part in parts for p in part.parameters())


def stored_bytes(tensor: torch.Tensor) -> int:
    """Memory of a tensor, with the scales of a quantized one [bytes]."""
    state = getattr(tensor, "quant_state", None)
    if state is not None:  # of bitsandbytes
        statistics = (state.absmax, getattr(state.state2, "absmax", None))
        return tensor.numel() * tensor.element_size() + sum(
            one.numel() * one.element_size() for one in statistics if one is not None
        )
    inner = getattr(tensor, "__tensor_flatten__", None)
    if inner is None:
        return tensor.numel() * tensor.element_size()
    names, _ = tensor.__tensor_flatten__()  # type: ignore[attr-defined]
    return sum(stored_bytes(getattr(tensor, name)) for name in names)
