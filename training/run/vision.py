"""The image encoder in training: what of it is trained, and what begins at random.

SAM's own encoder stays frozen (the paper's choice), gets LoRA, or is trained whole. Of another
encoder only the adapter is trained, see :mod:`lisa_model.llava.backbones`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import nn
from torch.utils.checkpoint import checkpoint

from lisa_model.llava.backbones import SAM_KIND
from lisa_model.llava.config import CheckpointConfig
from lisa_model.llava.model import LisaForCausalLM, build_gamma
from lisa_model.llava.sam import build_decoder, build_encoder
from training.data.errors import ConfigError
from training.run.settings import ModelSettings, VisionSettings

ENCODER = "model.visual_model.image_encoder."
ADAPTER = f"{ENCODER}adapter."
# Query, key and value are one layer in SAM. The paper does not say which layers had LoRA.
LORA_TARGET = ".attn.qkv"


def trained_whole(vision: VisionSettings) -> tuple[str, ...]:
    """Beginnings of the names of the image encoder's parameters that are trained as they are."""
    if vision.train == "all":
        return (ENCODER,)
    return () if vision.backbone == SAM_KIND else (ADAPTER,)


def has_lora(name: str, vision: VisionSettings) -> bool:
    """Whether a layer (its name without ``.weight``) of the image encoder gets LoRA."""
    return vision.train == "lora" and name.startswith(ENCODER) and name.endswith(LORA_TARGET)


def check_backbone(vision: VisionSettings, config: CheckpointConfig, folder: Any) -> None:
    """Hold the settings against what the checkpoint has.

    Raises:
        ConfigError: another image encoder is meant; says how to get a checkpoint with it.
    """
    backbone = config.sam.backbone
    kind = SAM_KIND if backbone is None else backbone.kind
    if kind != vision.backbone:
        raise ConfigError(
            f"vision.backbone is {vision.backbone}, but the image encoder of {folder} is {kind}. "
            "Name a checkpoint with the other one (python -m training.run.start LLAVA SAM.pth OUT"
            f"{'' if vision.backbone == SAM_KIND else ' --backbone DIR'}), or set vision.backbone: "
            f"{kind}"
        )


def start_anew(lisa: LisaForCausalLM, model: ModelSettings, vision: VisionSettings) -> None:
    """Replace by random weights what the settings do not take from the checkpoint.

    ``vision.start: random`` is SAM without its pre-training: image encoder and mask decoder as
    segment_anything and torch start them. The prompt encoder stays: what LISA uses of it are random
    frequencies of positions and one vector.

    Args:
        lisa: loaded, on the CPU.
        model, vision: of the run.
    """
    with torch.no_grad():
        if model.gamma != "checkpoint":
            embeddings = lisa.model.embed_tokens.weight
            gamma = build_gamma(model.gamma, embeddings.shape[1], lisa.config.out_dim)
            lisa.model.text_hidden_fcs = nn.ModuleList([gamma.requires_grad_(False)])
        if vision.start == "random":
            sam = lisa.sam
            sam.image_encoder = build_encoder(sam.config).requires_grad_(False)
            sam.mask_decoder = build_decoder(sam.config).requires_grad_(False)
    lisa.eval()


def add_lora(lisa: LisaForCausalLM, vision: VisionSettings) -> None:
    """Put LoRA into SAM's image encoder; before the LLM's, which marks what is trained."""
    names = [name for name, _ in lisa.named_modules() if has_lora(name, vision)]
    if not names:
        return
    config = LoraConfig(
        r=vision.lora_rank,
        lora_alpha=vision.lora_alpha,
        lora_dropout=vision.lora_dropout,
        target_modules=names,
        bias="none",
    )
    inject_adapter_in_model(config, lisa)


def recompute_encoder(lisa: LisaForCausalLM) -> None:
    """Have the blocks of SAM's encoder recompute their activations, if it is trained."""
    if not lisa.sam.encoder_learns:
        return
    for block in lisa.sam.blocks:
        block.forward = partial(checkpoint, block.forward, use_reentrant=False)


def lora_sizes(
    shapes: Mapping[str, Sequence[int]], vision: VisionSettings
) -> Iterable[tuple[str, int]]:
    """Names and numbers of elements of the factors that :func:`add_lora` adds."""
    for name, shape in shapes.items():
        layer, _, leaf = name.rpartition(".")
        if leaf == "weight" and has_lora(layer, vision):
            yield f"{layer}.lora_A.default.weight", vision.lora_rank * shape[1]
            yield f"{layer}.lora_B.default.weight", vision.lora_rank * shape[0]
