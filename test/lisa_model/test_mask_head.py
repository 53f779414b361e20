import math
from dataclasses import replace

import pytest
import torch
from small_head import small_head

from lisa_model.reference import ANCHORS, Reference, handicap, no_reference
from lisa_model.reference_keys import PLAIN_SCALE, colour, place, pulls


@pytest.fixture(scope="module")
def head():
    return small_head(vision_dim=24).eval()


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


def test_a_concept_is_there_where_one_place_shows_it():
    head = small_head(vision_dim=24).eval()
    head.presence_cell = 1
    features = head.encode(*inputs())
    codebook = torch.stack([features.aligned[0, :, 2, 3], -features.aligned[0, :, 2, 3]])
    there = head.log_presence(features, codebook)
    assert there.shape == (2, 2)
    assert there[0, 0] > -0.01, "nothing else is as like it"
    # One patch of four says it, and the others less.
    head.presence_cell = 2
    calmer = head.log_presence(features, codebook)
    assert (calmer <= there + 1e-5).all()
    assert calmer[0, 0] < there[0, 0]
    tiny = head.log_presence(head.encode(*inputs(1, 1, 1)), codebook)
    head.presence_cell = 1
    torch.testing.assert_close(tiny, head.log_presence(head.encode(*inputs(1, 1, 1)), codebook))


@pytest.mark.parametrize("naming_dim", [0, 6])
def test_what_is_under_a_mask_is_told_from_its_patches_alone(naming_dim):
    head = small_head(vision_dim=24, naming_dim=naming_dim).eval()
    vision, rgb = inputs(1)
    features = head.encode(vision, rgb)
    logits = torch.full((2, 20, 28), -1.0)
    logits[0, 4:12, 8:16] = 1.0  # four patches
    with torch.no_grad():
        seen, empty = head.looks(vision, features, logits)
        assert seen.norm() == pytest.approx(1.0, abs=1e-5)
        assert not empty.any()
        elsewhere = vision.clone()
        elsewhere[:, :, 3:] += 1.0
        same = head.looks(elsewhere, head.encode(elsewhere, rgb), logits)[0]
        torch.testing.assert_close(same, seen)
        if naming_dim:
            mean = vision[:, :, 1:3, 2:4].mean((2, 3))[:, :, None, None]
            expected = torch.nn.functional.normalize(head.naming(mean)[0, :, 0, 0], dim=0)
            torch.testing.assert_close(seen, expected)


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


@pytest.fixture(scope="module")
def choosy():
    return small_head(vision_dim=24, referent_dim=6).eval()


def reference(head, rows=1):
    return Reference(
        torch.randn(rows, head.key_dim),
        torch.randn(rows, ANCHORS),
        torch.randn(rows, ANCHORS, 16),
        torch.rand(rows),
    )


def test_a_reference_of_zeros_is_none(choosy):
    features = choosy.encode(*inputs(1)).select(torch.tensor([0]))
    prompt = torch.randn(1, 16)
    without = choosy(features, prompt)
    silent = choosy(features, prompt, no_reference(prompt, choosy.key_dim))
    torch.testing.assert_close(without, silent)
    torch.testing.assert_close(without[2], choosy.similarity(features, prompt))


def test_a_reference_lowers_what_is_less_appealing(choosy):
    features = choosy.encode(*inputs(1)).select(torch.tensor([0]))
    prompt, said = torch.randn(1, 16), reference(choosy)
    located = choosy.locate(features, prompt, said)
    context = located.context
    _, _, chosen = choosy(features, prompt, said)
    expected = located.candidate + handicap(located.appeals, context.best)
    torch.testing.assert_close(chosen, expected)
    # The frame's own context changes nothing, another's does.
    same = choosy.locate(features, prompt, said, context)
    torch.testing.assert_close(choosy(features, prompt, said, same)[2], chosen)
    other = choosy.locate(features, prompt, said, replace(context, best=context.best + 3.0))
    assert (choosy(features, prompt, said, other)[2] < chosen).all()


def test_an_untrained_reference_speaks_only_through_its_token(choosy):
    assert not choosy.reference_dense.weight.any()
    features = choosy.encode(*inputs(1)).select(torch.tensor([0]))
    prompt = torch.randn(1, 16)
    first, _, _ = choosy(features, prompt, reference(choosy))
    second, _, _ = choosy(features, prompt, reference(choosy))
    assert not torch.equal(first, second)


def test_the_decoder_sees_a_click(choosy):
    features = choosy.encode(*inputs(1)).select(torch.tensor([0]))
    prompt, said = torch.randn(1, 16), replace(reference(choosy), generic=torch.zeros(1))
    located = choosy.locate(features, prompt, said)
    context = located.context
    assert (context.point == features.grid[0].flatten(1).T).all(1).any(), "it is a patch's place"
    elsewhere = located.clicked(-context.point + 0.1)
    before = choosy(features, prompt, said, located)[0]
    torch.testing.assert_close(choosy(features, prompt, said, elsewhere)[0], before)
    torch.nn.init.normal_(choosy.reference_point.weight)
    clicked = choosy(features, prompt, said, located)[0]
    assert not torch.equal(clicked, before)
    assert not torch.equal(choosy(features, prompt, said, elsewhere)[0], clicked)


def test_where_any_thing_will_do_the_click_tells_its_kind(choosy):
    features = choosy.encode(*inputs(1)).select(torch.tensor([0]))
    words, others = torch.randn(2, 1, 16)
    any_thing = replace(reference(choosy), generic=torch.ones(1))
    located = choosy.locate(features, words, any_thing)
    context = located.context
    marked, _, _ = choosy(features, words, any_thing, located)
    same = choosy.locate(features, others, any_thing, context)
    torch.testing.assert_close(choosy(features, others, any_thing, same)[0], marked)
    # Its cues aside, it is as if that were the prompt.
    here = (features.grid[0] == context.point[0, :, None, None]).all(0)
    like = features.aligned[0][:, here].T
    named = replace(any_thing, generic=torch.zeros(1))
    same = choosy.locate(features, like, named, context)
    torch.testing.assert_close(choosy(features, like, named, same)[0], marked)
    elsewhere = located.clicked(-context.point + 0.1)
    assert not torch.allclose(choosy(features, words, any_thing, elsewhere)[0], marked)


def test_keys_hold_colour_and_place_as_they_are(choosy):
    vision, rgb = inputs(1)
    windows = torch.tensor([[0.5, 0.0, 1.0, 1.0]])
    features = choosy.encode(vision, rgb, windows)
    here = place(windows, 1, vision.shape[-2:], vision)
    torch.testing.assert_close(features.keys[:, -10:], PLAIN_SCALE * here)
    torch.testing.assert_close(
        features.keys[:, -16:-10], PLAIN_SCALE * colour(rgb, vision.shape[-2:])
    )
    torch.testing.assert_close(features.grid, here[:, :2])
    assert features.keys.shape[1] == choosy.key_dim == 6 + 16


def test_an_extent_is_that_in_the_frame_also_in_a_crop():
    head = small_head(vision_dim=24, referent_dim=6, extent_dim=4).eval()
    vision, rgb = inputs(1)
    whole = head.encode(vision, rgb)
    lower = head.encode(vision, rgb, torch.tensor([[0.5, 0.5, 1.0, 1.0]]))
    assert whole.keys.shape[1] == head.key_dim == 6 + 2 + 16
    # The same features at half the width and height are of a thing half as long, ...
    shorter = PLAIN_SCALE * math.log(2.0)
    torch.testing.assert_close(lower.keys[:, 6], whole.keys[:, 6] - shorter)
    # ... whose foot is half as far below, in the lower half of the frame.
    feet = whole.keys[:, 7] / PLAIN_SCALE
    torch.testing.assert_close(lower.keys[:, 7], PLAIN_SCALE * (feet / 2 + 0.5))
    which = no_reference(torch.ones(1, 16), head.key_dim)
    which.which[0, 6:8] = torch.tensor([1.0, 2.0]) * head.key_dim**0.5 / PLAIN_SCALE
    assert pulls(which)[0].tolist() == pytest.approx([0, 0, 0, 0, 1, 2])
    here = place(None, 1, (5, 7), vision)
    assert not head.extent(vision, None, here).requires_grad, "extents are not learnt from masks"
