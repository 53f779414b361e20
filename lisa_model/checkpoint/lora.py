"""Weights of a training run: names as the released checkpoints have them, LoRA merged.

peft wraps a model, which puts ``base_model.model.`` in front of every key, and keeps the trained
part of a layer apart as two factors. Merged: W = W0 + (alpha / r) B A. The rank r is A's height;
alpha is not among the weights and comes from adapter_config.json or from the user.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from lisa_model.checkpoint.reader import Checkpoint
from lisa_model.checkpoint.tensor_file import TensorInfo, corrupt

PREFIX = "base_model.model."
ADAPTER_CONFIG = "adapter_config.json"
_FACTOR = re.compile(r"(?P<layer>.+)\.lora_(?P<side>[AB])(?:\.(?P<adapter>[^.]+))?\.weight")
# Settings of peft that change the formula. They are off in the official training.
_OTHER_FORMULAS = ("use_rslora", "use_dora", "fan_in_fan_out", "rank_pattern", "alpha_pattern")


@dataclass(frozen=True)
class MergedCheckpoint(Checkpoint):
    """A training run's weights seen as a released checkpoint.

    Attributes:
        stored: the files' own table.
        keys: released key -> stored key.
        factors: released key -> its stored factors (A, B).
        alphas: released key -> alpha of its factors.
    """

    stored: Checkpoint = field(repr=False)
    keys: Mapping[str, str] = field(repr=False)
    factors: Mapping[str, tuple[str, str]] = field(repr=False)
    alphas: Mapping[str, float] = field(repr=False)

    def tensors(self, keys: Collection[str] | None = None) -> Iterator[tuple[str, Tensor]]:
        """As :meth:`Checkpoint.tensors`; merged in float32, returned in the stored dtype."""
        if keys is not None:
            self._check_known(keys)
            keys = set(keys)
        wanted = [name for name in self.info if keys is None or name in keys]
        small = {key for name in wanted for key in self.factors.get(name, ())}
        factors = {key: tensor.clone() for key, tensor in self.stored.tensors(small)}
        released = {self.keys[name]: name for name in wanted}
        for key, tensor in self.stored.tensors(released.keys()):
            name = released[key]
            if name in self.factors:
                low, high = (factors[factor].float() for factor in self.factors[name])
                change = (self.alphas[name] / low.shape[0]) * (high @ low)
                tensor = (tensor.float() + change).to(tensor.dtype)
            yield name, tensor


def merged(
    checkpoint: Checkpoint, *, lora_alpha: float | Callable[[str], float] | None = None
) -> Checkpoint:
    """The checkpoint under released names with its LoRA part merged; itself if it has neither.

    Args:
        checkpoint: as stored.
        lora_alpha: overrides adapter_config.json; where factors differ in it, by released key.

    Raises:
        WeightsCorruptError: the LoRA part is incomplete, of another kind, or alpha is unknown.
    """
    if not any(key.startswith(PREFIX) or ".lora_" in key for key in checkpoint.info):
        return checkpoint
    keys: dict[str, str] = {}
    sides: dict[str, dict[str, str]] = {}
    for key in checkpoint.info:
        name = key.removeprefix(PREFIX)
        match = _FACTOR.fullmatch(name)
        if match:
            layer = sides.setdefault(match["layer"] + ".weight", {})
            if match["side"] in layer:
                raise corrupt(
                    checkpoint.file_of(key),
                    f"{match['layer']} has several LoRA adapters",
                    remedy="Merge them with peft's merge_and_unload before opening the weights",
                )
            layer[match["side"]] = key
            continue
        if "lora_" in name or ".modules_to_save." in name:
            raise corrupt(
                checkpoint.file_of(key),
                f"{key!r} belongs to a kind of adapter that is not supported",
                remedy="Merge it with peft's merge_and_unload before opening the weights",
            )
        name = name.replace(".base_layer.", ".")  # newer peft keeps W0 under this name
        if name in keys:
            raise corrupt(checkpoint.file_of(key), f"holds both {keys[name]!r} and {key!r}")
        keys[name] = key
    factors = {layer: _pair(checkpoint, layer, pair, keys) for layer, pair in sides.items()}
    alphas: dict[str, float] = {}
    if factors:
        if callable(lora_alpha):
            alphas = {name: lora_alpha(name) for name in factors}
        else:
            known = _alpha(checkpoint, next(iter(factors))) if lora_alpha is None else lora_alpha
            alphas = dict.fromkeys(factors, known)
    info = {name: checkpoint.info[key] for name, key in keys.items()}
    return MergedCheckpoint(
        folder=checkpoint.folder,
        info=info,
        stored=checkpoint,
        keys=keys,
        factors=factors,
        alphas=alphas,
    )


def _pair(
    checkpoint: Checkpoint, layer: str, sides: dict[str, str], keys: Mapping[str, str]
) -> tuple[str, str]:
    here = checkpoint.file_of(next(iter(sides.values())))
    if set(sides) != {"A", "B"}:
        raise corrupt(here, f"{layer!r} has only one of its two LoRA factors")
    if layer not in keys:
        raise corrupt(
            here,
            f"has LoRA factors of {layer!r} but not the weights that they change",
            remedy="Merge the adapter into its base model first",
        )
    info: TensorInfo = checkpoint.info[keys[layer]]
    low, high = checkpoint.info[sides["A"]].shape, checkpoint.info[sides["B"]].shape
    fits = len(low) == len(high) == 2 and low[0] == high[1] and (high[0], low[1]) == info.shape
    if not fits:
        raise corrupt(
            here,
            f"LoRA factors {list(low)} and {list(high)} do not fit {layer!r} {list(info.shape)}",
        )
    return sides["A"], sides["B"]


def _alpha(checkpoint: Checkpoint, layer: str) -> float:
    path: Path = checkpoint.folder / ADAPTER_CONFIG
    if not path.is_file():
        raise corrupt(
            checkpoint.files[0],
            f"the LoRA part of {layer!r} is not merged, and without {ADAPTER_CONFIG} its alpha is "
            "unknown",
            remedy="Merge it with `lisa convert SRC DST --lora-alpha ALPHA` (the official training "
            "script's default is 16)",
        )
    try:
        values = json.loads(path.read_text("utf-8"))
        alpha = float(values["lora_alpha"])
    except (ValueError, KeyError, TypeError) as error:
        raise corrupt(path, f"has no usable lora_alpha ({error!r})") from error
    other = [name for name in _OTHER_FORMULAS if values.get(name)]
    if other:
        raise corrupt(
            path,
            f"asks for {', '.join(other)}, which is not supported",
            remedy="Merge with peft's merge_and_unload before opening the weights",
        )
    return alpha
