"""Choices that need training: variants of lisa-tiny's configuration, and what each compares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from lisa_model.config import LisaConfig, preset
from training.design.choice import Choice


class Stage(StrEnum):
    """What a run does."""

    VISION = "vision"
    TEXT = "text"
    JOINT = "joint"
    SCORE = "score"


# Which stage a field is first used in; a stage is shared by all variants that do not change it.
# Fields that cached features depend on (patches, tower) are not here: one cache serves all.
FIRST_USED: Mapping[str, Stage] = {
    "lora.rank": Stage.TEXT,
    "lora.alpha": Stage.TEXT,
    "mask_head.dim": Stage.VISION,
    "mask_head.depth": Stage.VISION,
    "mask_head.num_heads": Stage.VISION,
    "mask_head.mlp_dim": Stage.VISION,
    "mask_head.stem_dim": Stage.VISION,
    "mask_head.referent_dim": Stage.VISION,
    "visual_tokens": Stage.JOINT,
    "visual_inputs": Stage.JOINT,
    "visual_length": Stage.JOINT,
    "concepts": Stage.JOINT,
}
BASE_NAME = "base"


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A model that is trained and scored.

    Attributes:
        name: of its runs.
        label: in the tables.
        change: values in place of lisa-tiny's, by field of :data:`FIRST_USED`.
        frozen_head: the joint stage leaves the mask head as the vision stage made it; no mask is
            decoded then, so the LLM learns from words alone.
    """

    name: str
    label: str
    change: Mapping[str, Any] = field(default_factory=dict)
    frozen_head: bool = False

    def __post_init__(self) -> None:
        for one in self.change:
            if one not in FIRST_USED:
                raise ValueError(
                    f"variant {self.name}: {one} cannot vary here; what can: "
                    f"{', '.join(FIRST_USED)}"
                )
        if self.frozen_head and self.config().mask_head.referent_dim:
            raise ValueError(
                f"variant {self.name}: only the joint stage teaches a head its referents; with "
                "frozen_head, mask_head.referent_dim must be 0"
            )

    def config(self, stage: Stage = Stage.JOINT) -> LisaConfig:
        """lisa-tiny's configuration with the changes that a stage uses; JOINT uses all."""
        values = preset("lisa-tiny").to_dict()
        for path, value in self._used(stage).items():
            inner = values
            *outer, last = path.split(".")
            for key in outer:
                inner = inner[key]
            inner[last] = value
        return LisaConfig.from_dict(values)

    def made_as(self, stage: Stage) -> str:
        """Name of the stage's run; variants that do not differ in the stage have the same."""
        if stage is Stage.JOINT:
            return self.name
        used = self._used(stage)
        return ",".join(f"{path}={used[path]}" for path in sorted(used)) or BASE_NAME

    def _used(self, stage: Stage) -> dict[str, Any]:
        return {
            path: value
            for path, value in self.change.items()
            if stage is Stage.JOINT or FIRST_USED[path] is stage
        }


def _tokens(rows: int, columns: int) -> Variant:
    return Variant(
        name=f"tokens_{rows}x{columns}",
        label=f"{rows} x {columns}",
        change={"visual_tokens": (rows, columns)},
    )


def _inputs(name: str, *inputs: str) -> Variant:
    return Variant(name=f"inputs_{name}", label=", ".join(inputs), change={"visual_inputs": inputs})


def _rank(rank: int) -> Variant:
    # The scale of the update, alpha / rank, stays.
    own = preset("lisa-tiny").lora
    alpha = rank * own.alpha // own.rank
    return Variant(
        name=f"lora_{rank}",
        label=f"rank {rank}",
        change={"lora.rank": rank, "lora.alpha": alpha},
    )


_NO_REFERENT = {"mask_head.referent_dim": 0}
_OWN = preset("lisa-tiny")
VARIANTS: Mapping[str, Variant] = {
    one.name: one
    for one in (
        Variant(name=BASE_NAME, label="lisa-tiny"),
        _tokens(1, 1),
        _tokens(3, 4),
        _tokens(4, 6),
        _tokens(9, 12),
        Variant(name="tokens_free", label="free", change={"visual_length": 0.0}),
        _inputs("vision", "vision"),
        _inputs("vision_aligned", "vision", "aligned"),
        _inputs("no_aligned", "vision", "colour", "place"),
        _rank(4),
        _rank(32),
        Variant(name="head_64", label="width 64", change={"mask_head.dim": 64}),
        Variant(name="head_256", label="width 256", change={"mask_head.dim": 256}),
        Variant(name="head_depth_1", label="1 block", change={"mask_head.depth": 1}),
        Variant(name="head_depth_3", label="3 blocks", change={"mask_head.depth": 3}),
        Variant(name="no_referent", label="no referent", change=_NO_REFERENT),
        Variant(name="no_codebook", label="no codebook", change={"concepts": 0}),
        Variant(
            name="frozen_head",
            label="no referent, mask head frozen in the joint stage",
            change=_NO_REFERENT,
            frozen_head=True,
        ),
    )
}
_HEAD = _OWN.mask_head
TRAINED: Mapping[str, Choice] = {
    one.name: one
    for one in (
        Choice(
            name="visual_tokens",
            title=f"Visual tokens (lisa-tiny: {_OWN.visual_tokens[0]} x {_OWN.visual_tokens[1]})",
            rows=(BASE_NAME, "tokens_1x1", "tokens_3x4", "tokens_4x6", "tokens_9x12"),
        ),
        Choice(
            name="visual_inputs",
            title=f"What a visual token is made of (lisa-tiny: {', '.join(_OWN.visual_inputs)})",
            rows=(BASE_NAME, "inputs_vision", "inputs_vision_aligned", "inputs_no_aligned"),
        ),
        Choice(
            name="visual_length",
            title=f"Length of visual tokens (lisa-tiny: {_OWN.visual_length} each number)",
            rows=(BASE_NAME, "tokens_free"),
        ),
        Choice(
            name="lora",
            title=f"LoRA rank (lisa-tiny: {_OWN.lora.rank})",
            rows=(BASE_NAME, "lora_4", "lora_32"),
        ),
        Choice(
            name="decoder",
            title=f"Mask decoder (lisa-tiny: width {_HEAD.dim}, {_HEAD.depth} blocks)",
            rows=(BASE_NAME, "head_64", "head_256", "head_depth_1", "head_depth_3"),
        ),
        Choice(name="referent", title="Referent", rows=(BASE_NAME, "no_referent")),
        Choice(name="codebook", title="Concept codebook", rows=(BASE_NAME, "no_codebook")),
        Choice(
            name="frozen_head",
            title="Mask head in the joint stage",
            rows=("no_referent", "frozen_head"),
        ),
    )
}
