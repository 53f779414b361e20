"""Weight-only quantization of the LLM's layers, through torchao.

Only the linear layers of the transformer blocks are changed. SAM, gamma (text_hidden_fcs), the
projector and lm_head keep their type: a [SEG] embedding has to stay exact, and the head decides
whether there is one. The embedding table becomes bfloat16: it is looked up, never multiplied.
"""

from __future__ import annotations

import torch
from torch import nn

from lisa_model.llava.model import LisaForCausalLM

KINDS = ("int8", "int4")


def check_kind(kind: str | None) -> None:
    """Raise ValueError for a kind that does not exist."""
    if kind is not None and kind not in KINDS:
        raise ValueError(f"quantization must be one of {', '.join(KINDS)}, got {kind!r}")


def quantize_llm(model: LisaForCausalLM, kind: str) -> None:
    """Quantize the LLM's blocks in place.

    Args:
        model: on the device where it runs.
        kind: ``int8`` (one scale per output row; any device) or ``int4`` (one scale per 128
            inputs; CUDA and bfloat16 only: torchao has no packed 4-bit kernel for CPUs).

    Raises:
        ValueError: there is no such kind, or not for this device and type.
    """
    check_kind(kind)
    if kind == "int4" and (model.device.type != "cuda" or model.dtype is not torch.bfloat16):
        raise ValueError(
            f"quantization 'int4' needs a CUDA device and bfloat16, not {model.device.type} and "
            f"{str(model.dtype).removeprefix('torch.')}; use 'int8' here"
        )
    # Here: importing torchao takes a second and prints about kernels that are not there.
    from torchao.quantization import Int4WeightOnlyConfig, Int8WeightOnlyConfig, quantize_

    config = Int8WeightOnlyConfig()
    if kind == "int4":
        config = Int4WeightOnlyConfig(group_size=128, int4_packing_format="tile_packed_to_4d")
    quantize_(model.model.layers, config, filter_fn=lambda module, _: isinstance(module, nn.Linear))
    table = model.model.embed_tokens.weight
    model.model.embed_tokens.weight = nn.Parameter(table.to(torch.bfloat16), requires_grad=False)


def llm_bytes(model: LisaForCausalLM) -> int:
    """Memory of the LLM's weights: blocks, norm, embedding and head [bytes]."""
    llm = model.model
    parts = [llm.embed_tokens, llm.layers, llm.norm, model.lm_head]
    return sum(_bytes(p) for part in parts for p in part.parameters())


def _bytes(tensor: torch.Tensor) -> int:
    inner = getattr(tensor, "__tensor_flatten__", None)
    if inner is None:
        return tensor.numel() * tensor.element_size()
    names, _ = tensor.__tensor_flatten__()  # type: ignore[attr-defined]
    return sum(_bytes(getattr(tensor, name)) for name in names)
