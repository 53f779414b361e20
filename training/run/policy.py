"""Which parameters are trained: the policy of the paper, and a table of it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from lisa_model.llava.model import LisaForCausalLM
from training.official.lora import LoraSettings, prepare
from training.run.settings import VisionSettings
from training.run.vision import ADAPTER, ENCODER, add_lora, trained_whole

# Parts by the beginning of their parameters' names; the first that fits counts.
_PARTS = (
    ("LLM: embeddings", "model.embed_tokens."),
    ("LLM: layers", "model.layers."),
    ("LLM: final norm", "model.norm."),
    ("LLM: head", "lm_head."),
    ("projector of CLIP", "model.mm_projector."),
    ("gamma (text_hidden_fcs)", "model.text_hidden_fcs."),
    ("adapter of the backbone", ADAPTER),
    ("backbone, instead of SAM's", f"{ENCODER}backbone."),
    ("SAM: image encoder", ENCODER),
    ("SAM: prompt encoder", "model.visual_model.prompt_encoder."),
    ("SAM: mask decoder", "model.visual_model.mask_decoder."),
)
_LORA = "LLM: LoRA"
_VISION_LORA = "SAM: LoRA"


@dataclass(frozen=True, kw_only=True)
class Part:
    """A row of the table: parameters, and how many of them are trained."""

    name: str
    total: int
    trained: int


def make_trainable(
    model: LisaForCausalLM,
    lora: LoraSettings,
    vision: VisionSettings = VisionSettings(),  # noqa: B008 - frozen
) -> dict[str, nn.Parameter]:
    """Put LoRA in, freeze what is not trained, and make what is trained float32.

    In bfloat16 a step of the paper's learning rate would mostly be lost in rounding.

    Args:
        model: loaded.
        lora: of the LLM.
        vision: of the image encoder.

    Returns:
        the trained parameters by name.
    """
    with warnings.catch_warnings():
        # peft cannot merge into torchao's tensors. Nobody asks it to: training.run.merge does not.
        warnings.filterwarnings("ignore", message="TorchaoLoraLinear was instantiated without")
        # peft says that it has put LoRA in before: into SAM's encoder.
        warnings.filterwarnings("ignore", message="Already found a `peft_config` attribute")
        add_lora(model, vision)
        names = prepare(model, lora, also=trained_whole(vision))
    trained = {}
    for name in names:
        owner, _, leaf = name.rpartition(".")
        module = model.get_submodule(owner)
        # A copy: loaded weights may be views of the checkpoint's file.
        values = module._parameters[leaf].detach().to(torch.float32, copy=True)  # type: ignore[union-attr]
        module._parameters[leaf] = nn.Parameter(values)
        trained[name] = module._parameters[leaf]
    return trained  # type: ignore[return-value]


def part_of(name: str) -> str:
    """The table's row of a parameter."""
    if ".lora_" in name:
        return _VISION_LORA if name.startswith(ENCODER) else _LORA
    for title, start in _PARTS:
        if name.startswith(start):
            return title
    raise ValueError(f"parameter {name!r} belongs to no known part")


def parts(sizes: Iterable[tuple[str, int, bool]]) -> list[Part]:
    """Rows of the table.

    Args:
        sizes: name, number of elements, and whether it is trained, of every parameter.
    """
    rows: dict[str, list[int]] = {}
    for name, count, trained in sizes:
        row = rows.setdefault(part_of(name), [0, 0])
        row[0] += count
        row[1] += count * trained
    order = [title for title, _ in _PARTS]
    order.insert(order.index("LLM: layers") + 1, _LORA)
    order.insert(order.index("SAM: image encoder") + 1, _VISION_LORA)
    return [
        Part(name=title, total=rows[title][0], trained=rows[title][1])
        for title in order
        if title in rows
    ]


def model_parts(model: nn.Module) -> list[Part]:
    """The table of a model."""
    return parts((n, elements(p), p.requires_grad) for n, p in model.named_parameters())


def elements(parameter: nn.Parameter) -> int:
    """Number of elements; bitsandbytes packs two into a byte and keeps the true shape beside."""
    state = getattr(parameter, "quant_state", None)
    return parameter.numel() if state is None else math.prod(state.shape)


def table(rows: list[Part]) -> str:
    """The table as text: parts, parameters, what is trained of them, shares."""
    total, trained = sum(row.total for row in rows), sum(row.trained for row in rows)
    lines = [f"{'part':<26}{'parameters':>15}{'trained':>15}{'share':>9}"]
    lines += [
        f"{row.name:<26}{row.total:>15,}{row.trained:>15,}{row.trained / total:>9.2%}"
        for row in rows
    ]
    lines.append(f"{'all':<26}{total:>15,}{trained:>15,}{trained / total:>9.2%}")
    return "\n".join(lines)
