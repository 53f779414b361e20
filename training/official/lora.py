"""Which parameters of LISA are trained: LoRA on the LLM's q and v, and the small parts whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from torch import nn

from lisa_model.llava.model import LisaForCausalLM

# Parts that are trained as they are (the paper's "projection" is text_hidden_fcs).
WHOLE = ("lm_head.", "model.embed_tokens.", "model.visual_model.mask_decoder.")
GAMMA = "model.text_hidden_fcs."


@dataclass(frozen=True)
class LoraSettings:
    """LoRA as LISA trains with it."""

    rank: int = 8
    alpha: int = 16
    dropout: float = 0.05
    targets: tuple[str, ...] = ("q_proj", "v_proj")


def lora_targets(model: LisaForCausalLM, names: tuple[str, ...]) -> list[str]:
    """Full names of the LLM's linear layers that end so; SAM has layers of the same names."""
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
        and name.startswith("model.layers.")
        and name.rpartition(".")[2] in names
    ]


def prepare(
    model: LisaForCausalLM, settings: LoraSettings, *, also: tuple[str, ...] = ()
) -> list[str]:
    """Put LoRA in and mark what is trained; everything else is frozen.

    Args:
        also: beginnings of names that are trained besides what the official training trains.

    Returns:
        names of the trained parameters.
    """
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=lora_targets(model, settings.targets),
        bias="none",
    )
    inject_adapter_in_model(config, model)
    for name, parameter in model.named_parameters():
        trained = ".lora_" in name or name.startswith((*WHOLE, GAMMA, *also))
        parameter.requires_grad_(trained)
    return [name for name, p in model.named_parameters() if p.requires_grad]


def merge(model: LisaForCausalLM) -> None:
    """Add the LoRA updates to the weights and take LoRA out: W0 + alpha / r * B A."""
    for name, module in list(model.named_modules()):
        if isinstance(module, LoraLayer):
            merging: Any = module
            merging.merge()
            owner, _, leaf = name.rpartition(".")
            setattr(model.get_submodule(owner), leaf, merging.get_base_layer())
