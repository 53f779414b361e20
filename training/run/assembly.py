"""From the settings to what a run works with: model, tower, data, optimiser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from lisa_model.checkpoint.plan import describe
from lisa_model.checkpoint.reader import open_checkpoint
from lisa_model.llava.clip_tower import ClipTower
from lisa_model.llava.config import CheckpointConfig, find_tower
from lisa_model.llava.model import LisaForCausalLM
from lisa_model.llava.tokenizer import LegacyTokenizer
from training.data.collate import Collator
from training.data.config import DataConfig
from training.data.errors import ConfigError
from training.data.mixture import Ledger, open_ledger, open_mixture
from training.run import eight_bit as eight_bits
from training.run.feed import Feed, Spread
from training.run.module import TrainingModule
from training.run.policy import make_trainable, model_parts, table
from training.run.processes import Processes
from training.run.quantized import quantize_frozen
from training.run.randomness import seed_all
from training.run.settings import RunSettings
from training.run.steps import Learner
from training.run.update import TorchUpdate, Update, make_optimizer
from training.run.vision import check_backbone, recompute_encoder, start_anew


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """What a run works with.

    Attributes:
        learner: model and optimiser.
        collate: makes batches for the model.
        policy: the table of what is trained.
        base: bytes of the files of the checkpoint that the run begins with, by name.
    """

    learner: Learner
    collate: Collator
    policy: str
    base: dict[str, int]


def assemble(settings: RunSettings, processes: Processes) -> Assembly:
    """Load the model, put LoRA in and make the optimiser.

    Raises:
        LisaError: of the checkpoint or the vision tower, naming file and remedy.
    """
    general, model = settings.general, settings.model
    folder = model.checkpoint
    dtype = getattr(torch, general.precision)
    checkpoint = open_checkpoint(folder)
    config = CheckpointConfig.read(folder, checkpoint)
    check_backbone(settings.vision, config, folder)
    tokenizer = LegacyTokenizer.from_folder(folder)
    tower = ClipTower.from_folder(
        find_tower(folder, config, model.vision_tower or None),
        select_layer=config.select_layer,
        dtype=dtype,
    )
    # On the CPU first: sharded over the GPUs, it need not fit into one.
    lisa = LisaForCausalLM.from_checkpoint(checkpoint, config, dtype=dtype)
    seed_all(general.seed, "vision")
    start_anew(lisa, model, settings.vision)
    if general.quantization != "none":
        quantize_frozen(lisa, general.quantization, processes.device)
    seed_all(general.seed, "lora")  # the same start in all processes
    make_trainable(lisa, settings.lora.settings, settings.vision)
    if general.gradient_checkpointing:
        recompute(lisa)
        recompute_encoder(lisa)
    policy = table(model_parts(lisa))
    module = TrainingModule(
        lisa=lisa,
        seg_id=tokenizer.seg_id,
        autocast=None if dtype is torch.float32 else dtype,
    )
    wrapped, update = _begin(module, tower, settings, processes)
    learner = Learner(
        module=wrapped,
        tower=tower,
        update=update,
        processes=processes,
        weights=settings.loss.weights,
        seed=general.seed,
    )
    collate = Collator(
        tokenizer=tokenizer,
        clip_pixels=tower.pixels,
        patches=tower.patches,
        sam_size=config.sam.image_size,
        sam_mean=config.sam.mean,
        sam_std=config.sam.std,
        template=model.conversation,
        max_length=model.max_length,
    )
    return Assembly(
        learner=learner,
        collate=collate,
        policy=policy,
        base={str(k): int(v) for k, v in describe(checkpoint)["files"].items()},
    )


def _begin(
    module: TrainingModule, tower: ClipTower, settings: RunSettings, processes: Processes
) -> tuple[nn.Module, Update]:
    """Place or shard the model and make its optimiser."""
    placed = processes.place(module, tower)
    if processes.zero(processes.parallel):
        from training.run import zero

        return zero.begin(module, settings, processes.device)
    if settings.general.offload != "none":
        raise ConfigError(
            f"offload: {settings.general.offload} needs DeepSpeed's engine, which a process that "
            "runs alone has only under torchrun: torchrun --standalone --nproc-per-node 1 -m "
            "lisa_model.cli train CONFIG"
        )
    parameters = {n: p for n, p in module.lisa.named_parameters() if p.requires_grad}
    eight_bit = settings.optimizer.name == "adamw8bit"
    make, kind = (
        (eight_bits.make_optimizer, eight_bits.EightBitUpdate)
        if eight_bit
        else (make_optimizer, TorchUpdate)
    )
    return placed, kind(
        parameters=parameters,
        optimizer=make(parameters, settings.optimizer),
        clip_norm=settings.optimizer.clip_norm,
    )


def open_feed(
    settings: RunSettings, data: DataConfig, collate: Collator, processes: Processes
) -> tuple[Feed, Ledger]:
    """The batches of this process, and the ledger that books them.

    Raises:
        DataError: a data set is missing or unusable.
    """
    general = settings.general
    mixture = open_mixture(data, refuse=collate.refuse)
    ledger = open_ledger(data)
    spread = Spread(
        batch=general.batch,
        accumulation=general.accumulation,
        processes=processes.count,
        rank=processes.rank,
    )
    feed = Feed(
        draw=mixture.draw,
        collate=collate,
        spread=spread,
        ledger=ledger,
        workers=general.workers,
    )
    return feed, ledger


def recompute(lisa: LisaForCausalLM) -> None:
    """Have the LLM's layers recompute their activations in the backward pass."""
    llm: Any = lisa.model
    # The new name came during transformers 5.
    enable = getattr(llm, "activation_checkpointing_enable", llm.gradient_checkpointing_enable)
    # A backbone of transformers has switches of the same names.
    images, llm.visual_model = llm.visual_model, nn.Identity()
    enable({"use_reentrant": False})
    llm.visual_model = images
