"""Which parameters are trained: the policy of the paper, and a table of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from lisa_model.llava.model import LisaForCausalLM
from training.official.lora import LoraSettings, prepare

# Parts by the beginning of their parameters' names; the first that fits counts.
_PARTS = (
    ("LLM: embeddings", "model.embed_tokens."),
    ("LLM: layers", "model.layers."),
    ("LLM: final norm", "model.norm."),
    ("LLM: head", "lm_head."),
    ("projector of CLIP", "model.mm_projector."),
    ("gamma (text_hidden_fcs)", "model.text_hidden_fcs."),
    ("SAM: image encoder", "model.visual_model.image_encoder."),
    ("SAM: prompt encoder", "model.visual_model.prompt_encoder."),
    ("SAM: mask decoder", "model.visual_model.mask_decoder."),
)
_LORA = "LLM: LoRA"


@dataclass(frozen=True, kw_only=True)
class Part:
    """A row of the table: parameters, and how many of them are trained."""

    name: str
    total: int
    trained: int


def make_trainable(model: LisaForCausalLM, lora: LoraSettings) -> dict[str, nn.Parameter]:
    """Put LoRA in, freeze what is not trained, and make what is trained float32.

    In bfloat16 a step of the paper's learning rate would mostly be lost in rounding.

    Returns:
        the trained parameters by name.
    """
    names = prepare(model, lora)
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
        return _LORA
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
    order = [_PARTS[0][0], _PARTS[1][0], _LORA, *(title for title, _ in _PARTS[2:])]
    return [
        Part(name=title, total=rows[title][0], trained=rows[title][1])
        for title in order
        if title in rows
    ]


def model_parts(model: nn.Module) -> list[Part]:
    """The table of a model."""
    return parts((n, p.numel(), p.requires_grad) for n, p in model.named_parameters())


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
