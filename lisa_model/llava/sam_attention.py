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

# Numbers in the bias of one call of the attention kernel.
BIAS_ELEMENTS = 1 << 26


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
        rows = relative(self.rel_pos_h, height)
        columns = relative(self.rel_pos_w, width)
        # A few heads at a time: the bias of all 16 heads of ViT-H takes 1 GB in float32.
        some = max(1, BIAS_ELEMENTS // (batch * (height * width) ** 2))
        parts = []
        for first in range(0, self.heads, some):
            take = slice(first, first + some)
            bias = position_bias(q[:, take], rows, columns)
            parts.append(
                F.scaled_dot_product_attention(q[:, take], k[:, take], v[:, take], attn_mask=bias)
            )
        out = parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
        return self.proj(out.transpose(1, 2).reshape(batch, height, width, dim))


def position_bias(q: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """What the relative positions add to the logits.

    Args:
        q: (B, heads, H*W, c), not scaled.
        rows: (H, H, c), see :func:`relative`.
        columns: (W, W, c).

    Returns:
        (B, heads, H*W, H*W).
    """
    batch, heads, length, _ = q.shape
    grid = q.reshape(batch, heads, len(rows), len(columns), -1)
    vertical = torch.einsum("bnhwc,hkc->bnhwk", grid, rows)
    horizontal = torch.einsum("bnhwc,wkc->bnhwk", grid, columns)
    bias = vertical.unsqueeze(-1) + horizontal.unsqueeze(-2)  # (B, heads, H, W, H, W)
    return bias.reshape(batch, heads, length, length)


def relative(table: Tensor, side: int) -> Tensor:
    """Embedding of (query place - key place): (side, side, head_dim) of a (2 side - 1) table."""
    place = torch.arange(side, device=table.device)
    return table[place[:, None] - place[None, :] + side - 1]
