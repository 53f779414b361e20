"""A Markdown table of what a configuration needs in the ways that it can run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from training.run.memory import need
from training.run.settings import RunSettings

GPUS = 8


@dataclass(frozen=True, kw_only=True)
class Way:
    """One row.

    Attributes:
        name: of it.
        processes: GPUs.
        general: changes of the file's top.
        optimizer: changes of its section ``optimizer``.
    """

    name: str
    processes: int
    general: Mapping[str, Any] = field(default_factory=dict)
    optimizer: Mapping[str, Any] = field(default_factory=dict)


def _way(name: str, processes: int, *, optimizer: str = "adamw", **general: str) -> Way:
    plain = {"parallel": "ddp", "offload": "none", "quantization": "none"}
    return Way(
        name=name,
        processes=processes,
        general={**plain, **general},
        optimizer={"name": optimizer},
    )


WAYS = (
    _way("one GPU", 1),
    _way("one GPU, `int8`", 1, quantization="int8"),
    _way("one GPU, `nf4`", 1, quantization="nf4"),
    _way("one GPU, `nf4`, `adamw8bit`", 1, quantization="nf4", optimizer="adamw8bit"),
    _way("8 GPUs, `ddp`", GPUS),
    _way("8 GPUs, `ddp`, `nf4`", GPUS, quantization="nf4"),
    _way("8 GPUs, `fsdp2`", GPUS, parallel="fsdp2"),
    _way("8 GPUs, `zero2`", GPUS, parallel="zero2"),
    _way("8 GPUs, `zero2`, offload", GPUS, parallel="zero2", offload="optimizer"),
    _way("8 GPUs, `zero2`, `nf4`", GPUS, parallel="zero2", quantization="nf4"),
    _way("8 GPUs, `zero3`", GPUS, parallel="zero3"),
    _way("8 GPUs, `zero3`, offload", GPUS, parallel="zero3", offload="optimizer"),
)
_COLUMNS = ("", "frozen weights", "trained, with optimiser", "other", "each GPU", "CPU, all GPUs")
_TRAINED = ("trained", "gradients", "AdamW", "the optimiser")


def markdown(
    settings: RunSettings, lisa: Mapping[str, Sequence[int]], clip: Mapping[str, Sequence[int]]
) -> str:
    """The table, in GB (10^9 bytes), and a line about the disk.

    Args:
        settings: of the run; how it is spread and quantized is replaced, row by row.
        lisa: shapes of the checkpoint.
        clip: shapes of the vision tower.
    """
    lines = ["| " + " | ".join(_COLUMNS) + " |", "|---" * len(_COLUMNS) + "|"]
    disk: dict[str, int] = {}
    for way in WAYS:
        changed = dataclasses.replace(
            settings,
            general=dataclasses.replace(settings.general, **way.general),
            optimizer=dataclasses.replace(settings.optimizer, **way.optimizer),
        )
        wanted = need(changed, lisa, clip, processes=way.processes)
        disk = wanted.disk
        frozen = wanted.memory["frozen weights"]
        trained = sum(n for name, n in wanted.memory.items() if name.startswith(_TRAINED))
        together = sum(wanted.memory.values())
        host = sum(wanted.host.values()) * way.processes
        figures = (frozen, trained, together - frozen - trained, together)
        cells = [way.name, *(f"{n / 1e9:.2f}" for n in figures)]
        lines.append("| " + " | ".join([*cells, f"{host / 1e9:.2f}" if host else "-"]) + " |")
    text = ", ".join(f"{name} {size / 1e9:.2f} GB" for name, size in disk.items())
    return "\n".join([*lines, "", f"Disk: {text}."])
