"""The space that aligned patches and [SEG] prompts meet in: vectors of category names.

A frozen sentence encoder embeds every name; the vectors are centred, half whitened (names of
household things lie too close together otherwise) and rotated into ``out_dim`` dimensions. They
are targets of training only: inference needs neither the encoder nor the table.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import AutoModel, AutoTokenizer

from lisa_model.base_weights import ensure_base_weights
from training.household.taxonomy import load_categories

# Cosine -> logit where the nearest of all names is learnt.
COSINE_SCALE = 16.0


@cache
def _encoder() -> tuple[Any, Any]:
    """MiniLM's tokenizer and network; opened once."""
    folder = str(ensure_base_weights("minilm-l6-v2"))
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return tokenizer, AutoModel.from_pretrained(folder, local_files_only=True).eval()


@torch.inference_mode()
def embed_sentences(sentences: list[str]) -> Tensor:
    """MiniLM sentence embeddings (n, 384), mean-pooled and unit length."""
    tokenizer, model = _encoder()
    out = []
    for start in range(0, len(sentences), 64):
        batch = tokenizer(sentences[start : start + 64], padding=True, return_tensors="pt")
        hidden = model(**batch).last_hidden_state
        weight = batch["attention_mask"].unsqueeze(-1)
        out.append((hidden * weight).sum(1) / weight.sum(1))
    return F.normalize(torch.cat(out), dim=1)


def name_vectors(out_dim: int, whiten: float = 0.5) -> Tensor:
    """Unit vectors (categories, out_dim) in taxonomy order.

    Args:
        out_dim: width of the [SEG] prompt; at least the number of categories is best.
        whiten: 0 keeps the encoder's spectrum, 1 makes every direction equally long.
    """
    rows = []
    for category in load_categories().values():
        rows.append(embed_sentences([f"a photo of a {name}" for name in category.names]).mean(0))
    table = torch.stack(rows)
    table = table - table.mean(0)
    left, spectrum, _ = np.linalg.svd(table.double().numpy(), full_matrices=False)
    scores = torch.from_numpy(left * spectrum ** (1.0 - whiten)).float()[:, :out_dim]
    scores = F.pad(scores, (0, max(0, out_dim - scores.shape[1])))
    return F.normalize(scores, dim=1)
