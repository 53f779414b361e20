"""SAM's attention with decomposed relative positions, through PyTorch's fused kernel.

Same keys and values as ``segment_anything``'s module; the attention matrix is not written out by
Python code. Source of the formula: segment-anything (after MViTv2): logits = scale * q k^T +
q Rh + q Rw, with the unscaled q in the terms of the relative positions.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class FastAttention(nn.Module):
    """Multi-head attention over a grid, with relative positions per row and column."""

    def __init__(self, *, dim: int, heads: int, side: tuple[int, int]) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * side[0] - 1, dim // heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * side[1] - 1, dim // heads))

    @classmethod
    def like(cls, other: Any) -> FastAttention:
        """A module of the sizes of a ``segment_anything`` attention (its weights are not taken)."""
        side = tuple((int(table.shape[0]) + 1) // 2 for table in (other.rel_pos_h, other.rel_pos_w))
        return cls(dim=other.proj.in_features, heads=other.num_heads, side=(side[0], side[1]))

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, dim) -> the same shape."""
        batch, height, width, dim = x.shape
        qkv = self.qkv(x).view(batch, height * width, 3, self.heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # (B, heads, H*W, head_dim)
        grid = q.reshape(batch, self.heads, height, width, -1)
        rows = torch.einsum("bnhwc,hkc->bnhwk", grid, relative(self.rel_pos_h, height))
        columns = torch.einsum("bnhwc,wkc->bnhwk", grid, relative(self.rel_pos_w, width))
        bias = rows.unsqueeze(-1) + columns.unsqueeze(-2)  # (B, heads, H, W, H, W)
        bias = bias.reshape(batch, self.heads, height * width, height * width)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return self.proj(out.transpose(1, 2).reshape(batch, height, width, dim))


def relative(table: Tensor, side: int) -> Tensor:
    """Embedding of (query place - key place): (side, side, head_dim) of a (2 side - 1) table."""
    place = torch.arange(side, device=table.device)
    return table[place[:, None] - place[None, :] + side - 1]
