"""What an untrained LISA is put together from, at tiny sizes: LLaVA, SAM and other backbones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import (
    Dinov2Config,
    Dinov2Model,
    Mask2FormerConfig,
    Mask2FormerModel,
    SwinConfig,
)

from lisa_model.checkpoint.reader import open_checkpoint

SAM = "model.visual_model."


def write_sources(
    lisa: Path, folder: Path
) -> tuple[Path, Path, dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """A LLaVA with one added token, and a SAM, as they are published, from a tiny LISA.

    Returns:
        folder of LLaVA, file of SAM, and the tensors of both.
    """
    tensors = dict(open_checkpoint(lisa).tensors())
    llava = folder / "llava"
    llava.mkdir()
    for name in ("config.json", "tokenizer.model", "tokenizer_config.json"):
        shutil.copyfile(lisa / name, llava / name)
    (llava / "added_tokens.json").write_text(json.dumps({"<im_patch>": 500}))
    language = {
        key: tensor[:501].clone()
        if key in ("model.embed_tokens.weight", "lm_head.weight")
        else tensor
        for key, tensor in tensors.items()
        if SAM not in key and "text_hidden_fcs" not in key
    }
    torch.save(language, llava / "pytorch_model.bin")
    sam = {key.removeprefix(SAM): tensor for key, tensor in tensors.items() if SAM in key}
    torch.save(sam, folder / "sam.pth")
    return llava, folder / "sam.pth", language, sam


def write_backbone(kind: str, folder: Path, seed: int = 0) -> Path:
    """A tiny random Mask2Former over Swin, or DINOv2, as transformers saves them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _mask2former() if kind == "mask2former" else _dinov2()
        model.save_pretrained(folder)
    if kind == "mask2former":
        # Published ones hold the class head too, and this part of them below "model.".
        path = folder / "model.safetensors"
        renamed = {f"model.{key}": tensor for key, tensor in load_file(path).items()}
        renamed["class_predictor.bias"] = torch.zeros(3)
        save_file(renamed, path, metadata={"format": "pt"})
    pixels = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    (folder / "preprocessor_config.json").write_text(json.dumps(pixels))
    return folder


def _mask2former() -> Mask2FormerModel:
    swin = SwinConfig(
        image_size=64,
        embed_dim=8,
        depths=[1, 2, 1, 1],
        num_heads=[1, 1, 2, 2],
        window_size=4,
        drop_path_rate=0.5,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    config = Mask2FormerConfig(
        backbone_config=swin,
        feature_size=32,
        mask_feature_size=32,
        hidden_dim=32,
        encoder_feedforward_dim=32,
        encoder_layers=1,
        num_attention_heads=2,
        num_queries=4,
        decoder_layers=2,
        dim_feedforward=32,
    )
    return Mask2FormerModel(config)


def _dinov2() -> Dinov2Model:
    return Dinov2Model(
        Dinov2Config(
            image_size=28,
            patch_size=14,
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
        )
    )
