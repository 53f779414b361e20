"""What a training run is told: a YAML file, see config/train/lisa_7b.yaml."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lisa_model.llava.conversation import DEFAULT_TEMPLATE, check_template
from training.data.config import DataConfig
from training.data.errors import ConfigError
from training.data.settings import fill, mapping
from training.data.yaml_file import read_yaml
from training.official.lora import LoraSettings
from training.official.losses import LossWeights


def _at_least(name: str, value: float, least: float) -> None:
    """Refuse numbers that are too small, infinite, or none."""
    if not value >= least or not math.isfinite(value):
        raise ValueError(f"{name} must be at least {least:g}, got {value}")


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """What is trained.

    Attributes:
        checkpoint: folder in the official layout; its SAM and gamma are kept as they are.
        vision_tower: folder of the CLIP model; "" looks for it beside the checkpoint.
        conversation: template, llava_v1 or llava_llama_2.
        gamma: checkpoint keeps it; mlp (two layers, the paper's) and linear (one) begin at random.
        max_length: longest conversation with the image [tokens]; a longer one loses its end.
    """

    checkpoint: Path
    vision_tower: str = ""
    conversation: str = DEFAULT_TEMPLATE
    gamma: Literal["checkpoint", "mlp", "linear"] = "checkpoint"
    max_length: int = 512

    def __post_init__(self) -> None:
        check_template(self.conversation)
        _at_least("max_length", self.max_length, 1)


@dataclass(frozen=True, kw_only=True)
class OptimizerSettings:
    """AdamW and its learning rate; the paper's by default.

    Attributes:
        learning_rate: the highest.
        beta1, beta2, epsilon, weight_decay: of AdamW.
        clip_norm: longest gradient, over all trained parameters.
        warm_up: steps until the highest rate; from there it falls linearly to 0.
        name: adamw keeps its moments in float32, adamw8bit (bitsandbytes) in 8 bits.
    """

    learning_rate: float = 3e-4
    beta1: float = 0.9
    beta2: float = 0.95
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    warm_up: int = 100
    name: Literal["adamw", "adamw8bit"] = "adamw"

    def __post_init__(self) -> None:
        for name in ("learning_rate", "weight_decay", "warm_up"):
            _at_least(name, getattr(self, name), 0)
        for name in ("epsilon", "clip_norm"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        for name in ("beta1", "beta2"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"{name} must be in [0, 1), got {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True)
class LoraOptions:
    """LoRA on the LLM's q_proj and v_proj; the paper's by default."""

    rank: int = 8
    alpha: int = 16
    dropout: float = 0.05

    def __post_init__(self) -> None:
        _at_least("rank", self.rank, 1)
        _at_least("alpha", self.alpha, 1)
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"dropout must be in [0, 1), got {self.dropout}")

    @property
    def settings(self) -> LoraSettings:
        """As training.official takes them."""
        return LoraSettings(rank=self.rank, alpha=self.alpha, dropout=self.dropout)


@dataclass(frozen=True, kw_only=True)
class VisionSettings:
    """The image encoder; the paper's SAM, frozen, by default.

    Attributes:
        backbone: what the checkpoint has: sam, mask2former or dinov2. Of the latter two only the
            adapter is trained.
        train: of SAM's encoder: frozen, lora or all.
        start: random leaves SAM's pre-training out, of the encoder and the mask decoder.
        lora_rank, lora_alpha, lora_dropout: with ``train: lora``.
    """

    backbone: Literal["sam", "mask2former", "dinov2"] = "sam"
    train: Literal["frozen", "lora", "all"] = "frozen"
    start: Literal["checkpoint", "random"] = "checkpoint"
    lora_rank: int = 8
    lora_alpha: int = 16
    lora_dropout: float = 0.05

    def __post_init__(self) -> None:
        _at_least("lora_rank", self.lora_rank, 1)
        _at_least("lora_alpha", self.lora_alpha, 1)
        if not 0.0 <= self.lora_dropout < 1.0:
            raise ValueError(f"lora_dropout must be in [0, 1), got {self.lora_dropout}")
        if self.backbone != "sam" and (self.train, self.start) != ("frozen", "checkpoint"):
            raise ValueError(
                f"backbone: {self.backbone} is frozen below its adapter; train: {self.train} and "
                f"start: {self.start} are for backbone: sam"
            )
        if self.start == "random" and self.train != "all":
            raise ValueError(f"start: random needs train: all, got {self.train}")


@dataclass(frozen=True, kw_only=True)
class LossOptions:
    """Weights of the three loss terms; the paper's by default."""

    answer: float = 1.0
    bce: float = 2.0
    dice: float = 0.5

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _at_least(field.name, getattr(self, field.name), 0.0)

    @property
    def weights(self) -> LossWeights:
        """As training.official takes them."""
        return LossWeights(answer=self.answer, bce=self.bce, dice=self.dice)


@dataclass(frozen=True, kw_only=True)
class CheckpointSettings:
    """When the state of a run is written.

    Attributes:
        every: steps between two checkpoints; the last step always makes one.
        keep: how many of the newest stay; the one with the best validation stays beside them.
    """

    every: int = 500
    keep: int = 2

    def __post_init__(self) -> None:
        _at_least("every", self.every, 1)
        _at_least("keep", self.keep, 1)


@dataclass(frozen=True, kw_only=True)
class ValidationSettings:
    """Teacher-forced scores on ReasonSeg.

    Attributes:
        folder: a split of ReasonSeg; "" for no validation.
        every: steps between two validations; the last step always has one.
        limit: only so many images, evenly spread; 0 for all.
        pictures: images whose masks are drawn each time.
    """

    folder: str = ""
    every: int = 500
    limit: int = 0
    pictures: int = 4

    def __post_init__(self) -> None:
        _at_least("every", self.every, 1)
        _at_least("limit", self.limit, 0)
        _at_least("pictures", self.pictures, 0)


@dataclass(frozen=True, kw_only=True)
class General:
    """What the file says at its top.

    Attributes:
        data: configuration of the data, see docs/data.md.
        out: folder of the run; starting again with the same one goes on where it stopped.
        steps: optimiser steps of the whole run.
        batch: images of one pass of one process.
        accumulation: passes per optimiser step.
        seed: of LoRA's start and of dropout; the data has its own.
        precision: what frozen weights are stored and products computed in. What is trained, and
            the optimiser's state, is float32 always.
        parallel: with several processes: ddp keeps a whole model in each, fsdp2 shards it; zero2
            and zero3 are DeepSpeed's: zero2 shards gradients and moments, zero3 the weights too.
        quantization: of the LLM's frozen layers, below LoRA (QLoRA): nf4 or int8; none keeps them
            in ``precision``. With one process, ddp or zero2.
        offload: optimizer keeps its state, and with zero2 the gradients, in the CPU's memory and
            steps there; for zero2 and zero3.
        device: auto takes a GPU if there is one.
        gradient_checkpointing: recompute the LLM's activations: less memory, about a third slower.
        workers: threads per process that read and prepare images ahead of time.
        log_every: steps between two lines of metrics.jsonl.
    """

    data: Path
    out: Path
    steps: int
    batch: int = 2
    accumulation: int = 10
    seed: int = 0
    precision: Literal["bfloat16", "float32"] = "bfloat16"
    parallel: Literal["ddp", "fsdp2", "zero2", "zero3"] = "ddp"
    offload: Literal["none", "optimizer"] = "none"
    quantization: Literal["none", "nf4", "int8"] = "none"
    device: Literal["auto", "cpu"] = "auto"
    gradient_checkpointing: bool = True
    workers: int = 4
    log_every: int = 1

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "accumulation", "workers", "log_every"):
            _at_least(name, getattr(self, name), 1)
        if self.offload != "none" and self.parallel not in ("zero2", "zero3"):
            raise ValueError(
                f"offload: {self.offload} is DeepSpeed's; it needs parallel: zero2 or zero3, got "
                f"{self.parallel}"
            )
        if self.quantization != "none" and self.parallel in ("fsdp2", "zero3"):
            raise ValueError(
                f"quantization: {self.quantization} cannot be sharded: packed weights have no rows "
                f"to be cut. Use parallel: ddp or zero2, not {self.parallel}"
            )


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """The whole file."""

    general: General
    model: ModelSettings
    vision: VisionSettings = VisionSettings()
    optimizer: OptimizerSettings = OptimizerSettings()
    lora: LoraOptions = LoraOptions()
    loss: LossOptions = LossOptions()
    checkpoints: CheckpointSettings = CheckpointSettings()
    validation: ValidationSettings = ValidationSettings()

    def __post_init__(self) -> None:
        if self.optimizer.name == "adamw8bit" and self.general.parallel != "ddp":
            raise ValueError(
                "optimizer.name: adamw8bit cannot be sharded; it needs parallel: ddp, got "
                f"{self.general.parallel}"
            )

    def plain(self) -> dict[str, Any]:
        """All values as JSON has them."""
        values: dict[str, Any] = {
            key: str(value) if isinstance(value, Path) else value
            for key, value in dataclasses.asdict(self.general).items()
        }
        for field in dataclasses.fields(self):
            if field.name != "general":
                values[field.name] = {
                    key: str(value) if isinstance(value, Path) else value
                    for key, value in dataclasses.asdict(getattr(self, field.name)).items()
                }
        return values

    def curve(self, processes: int, data: DataConfig) -> dict[str, Any]:
        """What the loss curve depends on; a run can only go on with the same.

        How the images of a step are spread over processes and passes is not part of it, nor where
        files lie.

        Args:
            processes: of the run.
            data: what ``general.data`` holds.
        """
        plain = self.plain()
        values = {name: plain[name] for name in ("steps", "seed", "precision")}
        values["images per step"] = self.general.batch * self.general.accumulation * processes
        anywhere = dataclasses.replace(data, general=dataclasses.replace(data.general, root=Path()))
        values["data"] = repr(anywhere)
        for section in ("model", "optimizer", "lora", "loss"):
            values |= {f"{section}.{key}": value for key, value in plain[section].items()}
        # Left out where they say nothing new: runs of before these keys were there go on.
        if plain["quantization"] != "none":
            values["quantization"] = plain["quantization"]
        if plain["optimizer"]["name"] == "adamw":
            del values["optimizer.name"]
        if plain["model"]["gamma"] == "checkpoint":
            del values["model.gamma"]
        if self.vision != VisionSettings():
            values |= {f"vision.{key}": value for key, value in plain["vision"].items()}
        # The same weights may lie elsewhere; their sizes are compared instead.
        for place in ("model.checkpoint", "model.vision_tower"):
            del values[place]
        return values


_SECTIONS = {
    "model": ModelSettings,
    "vision": VisionSettings,
    "optimizer": OptimizerSettings,
    "lora": LoraOptions,
    "loss": LossOptions,
    "checkpoints": CheckpointSettings,
    "validation": ValidationSettings,
}


def read_settings(path: Path) -> RunSettings:
    """Read a configuration; it may name a base, see :mod:`training.data.yaml_file`.

    Raises:
        ConfigError: missing, no YAML, or a key that is unknown, missing or wrong; names it.
    """
    values = read_yaml(path, example="config/train/lisa_7b.yaml")
    try:
        return parse_settings(values)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def parse_settings(values: Any) -> RunSettings:
    """The settings of a parsed file.

    Raises:
        ConfigError: naming the key.
    """
    values = mapping(values, "")
    if "model" not in values:
        raise ConfigError("model is missing; it names the checkpoint to start from")
    sections: dict[str, Any] = {
        name: fill(cls, values.pop(name), name) for name, cls in _SECTIONS.items() if name in values
    }
    general = fill(General, values, "")
    try:
        return RunSettings(general=general, **sections)
    except ValueError as error:
        raise ConfigError(str(error)) from error
