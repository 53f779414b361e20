from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from segment_anything import sam_model_registry
from start_sources import SAM, write_backbone, write_sources
from transformers import Dinov2Model, Mask2FormerModel

from lisa_model.checkpoint.reader import open_checkpoint
from lisa_model.errors import LisaError, WeightsCorruptError, WeightsMissingError
from lisa_model.llava.config import CheckpointConfig
from lisa_model.llava.model import LisaForCausalLM
from lisa_model.llava.sam import Sam, SamConfig
from lisa_model.llava.tokenizer import LegacyTokenizer
from training.run.start import start


@pytest.fixture
def sources(inputs, tmp_path):
    """A LLaVA with one added token, and a SAM, as they are published."""
    return write_sources(inputs / "LISA-random", tmp_path)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_start_has_llavas_and_sams_weights_and_opens(sources, tmp_path, dtype):
    llava, file, tensors, sam = sources
    out = tmp_path / "start"
    start(llava, file, out, dtype=dtype)
    written = dict(open_checkpoint(out).tensors())
    rows = written["model.embed_tokens.weight"]
    assert rows.shape == (504, 64)
    assert torch.equal(rows[:501], tensors["model.embed_tokens.weight"].to(dtype))
    assert 0.01 < float(rows[501:].float().std()) < 0.03
    for key, tensor in tensors.items():
        if key not in ("model.embed_tokens.weight", "lm_head.weight") and "inv_freq" not in key:
            assert torch.equal(written[key], tensor.to(dtype)), key
    for key, tensor in sam.items():
        kept = torch.float32 if key.endswith("gaussian_matrix") else dtype
        assert torch.equal(written[SAM + key], tensor.to(kept)), key
    tokenizer = LegacyTokenizer.from_folder(out)
    assert (tokenizer.seg_id, tokenizer.vocab_size) == (501, 504)
    config = CheckpointConfig.read(out, open_checkpoint(out))
    assert config.out_dim == 32
    LisaForCausalLM.from_checkpoint(open_checkpoint(out), config)


def test_gamma_depends_on_the_seed(sources, tmp_path):
    llava, file, *_ = sources
    gammas = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        start(llava, file, tmp_path / name, seed=seed)
        gammas.append(
            dict(open_checkpoint(tmp_path / name).tensors(["model.text_hidden_fcs.0.0.weight"]))
        )
    first, again, other = (next(iter(one.values())) for one in gammas)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_wrong_sources_are_named(sources, inputs, tmp_path):
    llava, file, *_ = sources
    out = tmp_path / "x"
    with pytest.raises(LisaError, match="is a LISA checkpoint already"):
        start(inputs / "LISA-random", file, out)
    with pytest.raises(WeightsCorruptError, match="no checkpoint of Segment Anything"):
        start(llava, llava / "pytorch_model.bin", out)
    (llava / "tokenizer.model").unlink()
    with pytest.raises(WeightsMissingError, match=r"tokenizer\.model is missing"):
        start(llava, file, out)
    assert not out.exists()


def test_llava_1_5_has_a_projector_of_two_layers(sources, tmp_path):
    llava, file, tensors, _ = sources
    width = tensors.pop("model.mm_projector.weight").shape[1]
    bias = tensors.pop("model.mm_projector.bias")
    tensors |= {
        "model.mm_projector.0.weight": torch.randn(64, width),
        "model.mm_projector.0.bias": bias,
        "model.mm_projector.2.weight": torch.randn(64, 64),
        "model.mm_projector.2.bias": bias,
    }
    torch.save(tensors, llava / "pytorch_model.bin")
    start(llava, file, tmp_path / "out")
    checkpoint = open_checkpoint(tmp_path / "out")
    config = CheckpointConfig.read(tmp_path / "out", checkpoint)
    LisaForCausalLM.from_checkpoint(checkpoint, config)


@pytest.mark.parametrize("name", ["vit_b", "vit_l", "vit_h"])
def test_the_sizes_of_every_published_sam_are_told(name):
    with torch.device("meta"):
        sam = sam_model_registry[name]()
    shapes = {SAM + key: tuple(tensor.shape) for key, tensor in sam.state_dict().items()}
    config = SamConfig.from_shapes(shapes, SAM)
    assert config.name == name
    assert (config.image_size, config.patch_size, config.out_dim, config.window) == (
        1024,
        16,
        256,
        14,
    )
    assert config.heads == sam.image_encoder.blocks[0].attn.num_heads
    with torch.device("meta"):
        mine = Sam(config=config).state_dict()
    assert {SAM + key: tuple(tensor.shape) for key, tensor in mine.items()} == shapes


def test_the_size_of_sam_is_recorded_and_held_against_the_weights(sources, tmp_path):
    llava, file, *_ = sources
    start(llava, file, tmp_path / "out")
    path = tmp_path / "out" / "config.json"
    values = json.loads(path.read_text())
    assert values["vision_backbone"] == {"kind": "sam", "name": ""}  # of no published size
    values["vision_backbone"]["name"] = "vit_h"
    path.write_text(json.dumps(values))
    with pytest.raises(WeightsCorruptError, match="names sam's vit_h, but the weights have 2 bl"):
        CheckpointConfig.read(tmp_path / "out", open_checkpoint(tmp_path / "out"))


@pytest.mark.parametrize(("kind", "side"), [("mask2former", 1024), ("dinov2", 896)])
def test_a_backbone_takes_the_place_of_sams_encoder(sources, tmp_path, kind, side):
    llava, file, _, sam = sources
    out = tmp_path / "start"
    folder = write_backbone(kind, tmp_path / kind)
    start(llava, file, out, dtype=torch.float32, backbone=folder)
    checkpoint = open_checkpoint(out)
    config = CheckpointConfig.read(out, checkpoint)
    assert config.sam.backbone.kind == kind
    assert (config.sam.image_size, config.sam.image_size // config.sam.patch_size) == (side, 64)
    assert config.sam.mean[0] == pytest.approx(255 * 0.485)
    model = LisaForCausalLM.from_checkpoint(checkpoint, config)
    expected = _loaded(kind, folder)
    kept = model.sam.image_encoder.backbone.state_dict()
    assert set(kept) == set(expected)
    for key, tensor in expected.items():
        assert torch.equal(kept[key], tensor), key
    for key, tensor in sam.items():
        if not key.startswith("image_encoder."):
            assert torch.equal(model.sam.state_dict()[key], tensor), key


def _loaded(kind, folder):
    """The weights as transformers itself loads them."""
    if kind == "dinov2":
        return Dinov2Model.from_pretrained(folder).state_dict()
    return Mask2FormerModel.from_pretrained(folder).pixel_level_module.state_dict()


def test_a_backbone_that_cannot_be_used_is_named(sources, tmp_path):
    llava, file, *_ = sources
    out = tmp_path / "x"
    with pytest.raises(WeightsMissingError, match=r"config\.json is missing: an image encoder"):
        start(llava, file, out, backbone=tmp_path / "nowhere")
    with pytest.raises(WeightsCorruptError, match="not one of mask2former, dinov2"):
        start(llava, file, out, backbone=llava)
    folder = write_backbone("dinov2", tmp_path / "dinov2")
    with pytest.raises(WeightsCorruptError, match="image_size 100 is no multiple of 14"):
        start(llava, file, out, backbone=folder, image_size=100)
    weights = load_file(folder / "model.safetensors")
    del weights["layernorm.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsMissingError, match=r"lacks 'layernorm\.weight' and 0 more"):
        start(llava, file, out, backbone=folder)
    assert not out.exists()
