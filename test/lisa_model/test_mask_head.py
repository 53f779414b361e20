from dataclasses import replace

import pytest
import torch

from lisa_model.config import MaskHeadConfig, preset
from lisa_model.mask_head import MaskHead


@pytest.fixture(scope="module")
def head():
    torch.manual_seed(0)
    config = replace(
        preset("lisa-tiny"),
        vision_dim=24,
        out_dim=16,
        mask_head=MaskHeadConfig(dim=32, num_heads=4, mlp_dim=32, stem_dim=8),
    )
    return MaskHead(config=config).eval()


def inputs(batch=2, h=5, w=7):
    generator = torch.Generator().manual_seed(1)
    return (
        torch.randn(batch, 24, h, w, generator=generator),
        torch.randn(batch, 3, 8 * h, 8 * w, generator=generator),
    )


def test_shapes_for_any_grid(head):
    for h, w in ((5, 7), (9, 4), (1, 1)):
        features = head.encode(*inputs(2, h, w))
        owner = torch.tensor([0, 0, 1])
        logits, iou, similarity = head(features.select(owner), torch.randn(3, 16))
        assert logits.shape == (3, 4 * h, 4 * w)
        assert iou.shape == (3,)
        assert similarity.shape == (3, h, w)


def test_a_row_does_not_depend_on_its_neighbours(head):
    features = head.encode(*inputs())
    prompts = torch.randn(2, 16)
    together, _, _ = head(features.select(torch.tensor([0, 1])), prompts)
    alone, _, _ = head(features.select(torch.tensor([1])), prompts[1:])
    torch.testing.assert_close(together[1:], alone, atol=1e-4, rtol=1e-4)


def test_similarity_is_a_scaled_cosine(head):
    features = head.encode(*inputs())
    prompt = 3.0 * features.aligned[:1, :, 2, 3]
    similarity = head.similarity(features.select(torch.tensor([0])), prompt)
    expected = head.similarity_scale + head.similarity_bias
    torch.testing.assert_close(similarity[0, 2, 3], expected)
    assert similarity.max() <= expected + 1e-4


def test_the_prompt_and_the_stem_both_reach_the_mask(head):
    vision, rgb = inputs()
    features = head.encode(vision, rgb)
    owner = torch.tensor([0])
    prompt = torch.randn(1, 16)
    base, _, _ = head(features.select(owner), prompt)
    other, _, _ = head(features.select(owner), -prompt)
    assert not torch.allclose(base, other)
    brighter, _, _ = head(head.encode(vision, rgb + 1.0).select(owner), prompt)
    assert not torch.allclose(base, brighter)
