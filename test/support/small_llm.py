"""A random LLaMA of a few numbers, for tests."""

from __future__ import annotations

import torch
from transformers import LlamaConfig, LlamaForCausalLM

WIDTH = 32


def small_llm(*, words: int, layers: int, heads: int = 4) -> LlamaForCausalLM:
    """The same weights on every call.

    Args:
        words: of the vocabulary.
    """
    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            hidden_size=WIDTH,
            intermediate_size=48,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=2,
            vocab_size=words,
            tie_word_embeddings=True,
        )
    )
