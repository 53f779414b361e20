"""Attention by the fused kernel against the formula written out."""

from __future__ import annotations

import pytest
import torch

from benchmarks.naive import written_out
from lisa_model.llava import sam_attention
from lisa_model.llava.sam_attention import FastAttention


@pytest.mark.parametrize("elements", [1, 2 * (5 * 7) ** 2 * 2, 1 << 26])
def test_any_number_of_heads_at_a_time_gives_the_formula(monkeypatch, elements):
    monkeypatch.setattr(sam_attention, "BIAS_ELEMENTS", elements)
    torch.manual_seed(0)
    attention = FastAttention(dim=24, heads=3, side=(5, 7))
    for table in (attention.rel_pos_h, attention.rel_pos_w):
        torch.nn.init.normal_(table)
    x = torch.randn(2, 5, 7, 24)
    calls = []
    kernel = torch.nn.functional.scaled_dot_product_attention

    def counted(q, *args, **kwargs):
        calls.append(q.shape[1])
        return kernel(q, *args, **kwargs)

    monkeypatch.setattr(sam_attention.F, "scaled_dot_product_attention", counted)
    with torch.inference_mode():
        torch.testing.assert_close(attention(x), written_out(attention, x), atol=1e-5, rtol=1e-5)
    assert calls == {1: [1, 1, 1], 4900: [2, 1], 1 << 26: [3]}[elements]
