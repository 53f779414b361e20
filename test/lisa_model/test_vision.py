from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import Dinov2Config, Dinov2Model

from lisa_model.config import preset
from lisa_model.mask_head import ImageFeatures
from lisa_model.vision import (
    MEAN,
    STD,
    VisionTower,
    VisualProjector,
    encoder_input,
    normalise,
    patch_grid,
    resize,
    stem_input,
)


def test_four_to_three_gives_thirty_by_forty_patches():
    assert patch_grid(480, 640, 1200) == (30, 40)
    assert patch_grid(384, 512, 1200) == (30, 40)
    assert patch_grid(640, 480, 1200) == (40, 30)


@given(st.integers(16, 4000), st.integers(16, 4000))
def test_patches_stay_near_their_number_and_shape(height, width):
    rows, columns = patch_grid(height, width, 1200)
    assert rows >= 1
    assert columns >= 1
    if 1 / 8 < height / width < 8:
        assert 1000 < rows * columns < 1400
        assert (height / rows) / (width / columns) == pytest.approx(1, abs=0.1)


def test_normalised_mean_colour_is_zero():
    image = np.empty((4, 4, 3), dtype=np.uint8)
    image[:] = np.round(np.array(MEAN) * 255)
    assert normalise(image).abs().max() < 0.01
    white = np.full((1, 1, 3), 255, dtype=np.uint8)
    expected = (1 - torch.tensor(MEAN)) / torch.tensor(STD)
    torch.testing.assert_close(normalise(white).flatten(), expected)


def test_inputs_have_the_grid_of_encoder_and_stem():
    image = np.zeros((480, 640, 3), dtype=np.uint8)
    assert encoder_input(image, (30, 40), 14).shape == (3, 420, 560)
    assert stem_input(image, (30, 40)).shape == (3, 240, 320)


def test_shrinking_averages_instead_of_skipping():
    stripes = np.zeros((64, 64, 3), dtype=np.uint8)
    stripes[:, ::2] = 200
    assert abs(int(resize(stripes, 16, 16).mean()) - 100) <= 1


def small_encoder():
    torch.manual_seed(0)
    sizes = Dinov2Config(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, image_size=28, patch_size=14
    )
    return Dinov2Model(sizes)


def test_a_tower_reads_its_last_block_by_default():
    pixels = torch.randn(1, 3, 28, 42)
    tower = VisionTower(model=small_encoder())
    features = tower(pixels)
    assert features.shape == (1, 16, 2, 3)
    with torch.inference_mode():
        last = small_encoder().eval()(pixels).last_hidden_state[:, 1:]
    torch.testing.assert_close(features.flatten(2).transpose(1, 2), last)


def test_blocks_in_the_middle_are_read_and_those_after_them_cut_off():
    pixels = torch.randn(1, 3, 28, 42)
    tower = VisionTower(model=small_encoder(), layers=(1, 3))
    assert len(tower.model.encoder.layer) == 3
    features = tower(pixels)
    assert features.shape == (1, 32, 2, 3)
    whole = small_encoder().eval()
    with torch.inference_mode():
        hidden = whole(pixels, output_hidden_states=True).hidden_states
        for place, block in enumerate((1, 3)):
            expected = whole.layernorm(hidden[block])[:, 1:].transpose(1, 2)
            read = features[:, 16 * place : 16 * (place + 1)].flatten(2)
            torch.testing.assert_close(read, expected)


@pytest.mark.parametrize("layers", [(0,), (2, 5)])
def test_a_block_that_the_encoder_lacks_is_named(layers):
    with pytest.raises(ValueError, match="has 4 blocks"):
        VisionTower(model=small_encoder(), layers=layers)


def test_projector_gives_one_token_per_cell():
    config = replace(preset("lisa-tiny"), visual_inputs=("vision",))
    projector = VisualProjector(config=config)
    tokens = projector(torch.randn(2, config.vision_dim, 30, 40))
    rows, columns = config.visual_tokens
    assert tokens.shape == (2, rows * columns, config.llm_dim)


def test_a_token_hears_colour_place_and_what_the_mask_head_sees():
    names = ("vision", "aligned", "colour", "place")
    config = replace(
        preset("lisa-tiny"),
        vision_dim=6,
        out_dim=4,
        visual_tokens=(4, 6),
        visual_inputs=names,
    )
    torch.manual_seed(0)
    projector = VisualProjector(config=config)
    vision, rgb = torch.randn(1, 6, 12, 18), torch.randn(1, 3, 96, 144)
    aligned = torch.randn(1, 4, 12, 18)
    features = ImageFeatures(vision, aligned, vision)
    before = projector(vision, features, rgb)
    assert before.shape == (1, 24, config.llm_dim)
    painted = rgb.clone()
    painted[:, :, :24, :24] += 1.0  # the first cell of 4 x 6
    changed = (projector(vision, features, painted) != before).any(2)[0]
    assert changed.nonzero().flatten().tolist() == [0]
    other = ImageFeatures(vision, -aligned, vision)
    assert (projector(vision, other, rgb) != before).any(2).all()
    same = torch.ones(1, 6, 12, 18)
    tokens = projector(same, ImageFeatures(same, same[:, :4], same), torch.ones_like(rgb))
    assert len(tokens[0].unique(dim=0)) == 24, "each place is a token of its own"


def test_visual_tokens_are_as_long_as_the_configuration_says():
    config = replace(preset("lisa-tiny"), visual_inputs=("vision",), visual_length=0.5)
    projector = VisualProjector(config=config)
    for loud in (0.1, 30.0):
        tokens = projector(loud * torch.randn(2, config.vision_dim, 30, 40))
        assert torch.allclose(tokens.square().mean(-1).sqrt(), torch.tensor(0.5), atol=1e-3)


def test_visual_tokens_of_free_length_tell_how_loud_the_picture_is():
    config = replace(preset("lisa-tiny"), visual_inputs=("vision",), visual_length=0.0)
    projector = VisualProjector(config=config)
    quiet = torch.randn(2, config.vision_dim, 30, 40)
    assert projector(30 * quiet).norm() > 5 * projector(quiet).norm()


def test_a_negative_visual_length_is_refused():
    with pytest.raises(ValueError, match="visual_length must be at least 0"):
        replace(preset("lisa-tiny"), visual_length=-0.1)


def test_unknown_visual_inputs_are_refused():
    with pytest.raises(ValueError, match="visual_inputs"):
        replace(preset("lisa-tiny"), visual_inputs=("vision", "sound"))
