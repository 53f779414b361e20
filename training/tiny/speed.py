"""Faster training of the small LLM on a CPU; what is computed stays the same."""

from __future__ import annotations

from torch import nn

from lisa_model.language import LanguageModel


def quicken(language: LanguageModel, *, compiled: bool) -> None:
    """Make the LLM's passes of training cheaper.

    Attention is written out: sequences are short, and the backward pass of PyTorch's fused
    attention on a CPU costs more than all products of a short batch. Compiled blocks fuse
    what stands between the products.

    Args:
        compiled: compile the blocks (half a minute, once a run; needs a C++ compiler such as g++).
    """
    language.base.set_attn_implementation("eager")
    if compiled:
        for block in language.base.model.layers:
            assert isinstance(block, nn.Module)
            block.compile(dynamic=True)
