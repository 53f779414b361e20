"""AdamW with moments in 8 bits, by bitsandbytes (Dettmers et al., 2022, arXiv:2110.02861).

Blocks of 256 elements share a scale; parameters of fewer than 4,096 elements keep float32 moments.
A checkpoint holds the moments as float32, as of any run, and beside them the blocks' scales: the
256 levels reach from -0.993 to 1, so that a scale cannot be told from the elements.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from training.data.errors import ConfigError
from training.run.settings import OptimizerSettings
from training.run.update import MOMENTS, TorchUpdate

BLOCK = 256
_SCALE = "absmax/"
# Smaller parameters keep float32 moments; bitsandbytes' own default.
SMALLEST = 4096


def make_optimizer(
    parameters: dict[str, nn.Parameter], settings: OptimizerSettings
) -> torch.optim.Optimizer:
    """bitsandbytes' AdamW8bit over the trained parameters.

    Raises:
        ConfigError: bitsandbytes is not installed.
    """
    return _bitsandbytes().optim.AdamW8bit(
        list(parameters.values()),
        lr=settings.learning_rate,
        betas=(settings.beta1, settings.beta2),
        eps=settings.epsilon,
        weight_decay=settings.weight_decay,
        min_8bit_size=SMALLEST,
    )


@dataclass(frozen=True, kw_only=True)
class EightBitUpdate(TorchUpdate):
    """An :class:`training.run.update.Update` whose optimiser is that of :func:`make_optimizer`."""

    def moment_shapes(self) -> dict[str, tuple[int, ...]]:
        """See :class:`training.run.update.Update`."""
        scales = {
            f"{_SCALE}{moment}/{name}": (-(-parameter.numel() // BLOCK),)
            for moment in MOMENTS
            for name, parameter in self.parameters.items()
            if parameter.numel() >= SMALLEST
        }
        return {**super().moment_shapes(), **scales}

    def moments(self) -> Iterator[tuple[str, Tensor]]:
        """See :class:`training.run.update.Update`."""
        numbers = {moment: number for number, moment in enumerate(MOMENTS, start=1)}
        for key in self.moment_shapes():
            moment, _, name = key.removeprefix(_SCALE).partition("/")
            state, number = self.optimizer.state[self.parameters[name]], numbers[moment]
            scale = key.startswith(_SCALE)
            yield key, (state[f"absmax{number}"] if scale else _read(state, number)).cpu()

    def restore(self, step: int, read: Callable[[str], Tensor]) -> None:
        """See :class:`training.run.update.Update`."""
        optimizer: Any = self.optimizer
        optimizer.state.clear()
        # What its first step does otherwise, after which it leaves states alone.
        optimizer.check_overrides()
        optimizer.initialized = True
        for place, (name, parameter) in enumerate(self.parameters.items()):
            with torch.no_grad():
                parameter.copy_(read(name))
            optimizer.init_state(optimizer.param_groups[0], parameter, 0, place)
            held = optimizer.state[parameter]
            held["step"] = step
            for number, moment in enumerate(MOMENTS, start=1):
                values = read(f"{moment}/{name}").to(parameter.device)
                if parameter.numel() < SMALLEST:
                    held[f"state{number}"].copy_(values)
                    continue
                scales = held[f"absmax{number}"]
                scales.copy_(read(f"{_SCALE}{moment}/{name}"))
                held[f"state{number}"].copy_(nearest(values, scales, held[f"qmap{number}"]))


def _read(state: dict[str, Any], number: int) -> Tensor:
    """A moment in float32."""
    values = state[f"state{number}"]
    if values.dtype is not torch.uint8:
        return values.clone()
    return _bitsandbytes().functional.dequantize_blockwise(
        values, absmax=state[f"absmax{number}"], code=state[f"qmap{number}"], blocksize=BLOCK
    )


def nearest(values: Tensor, scales: Tensor, levels: Tensor) -> Tensor:
    """Numbers (uint8) of the levels nearest to values / scales.

    Args:
        values: of any shape, float32.
        scales: (blocks,) float32 of each BLOCK elements; 0 where all of a block are.
        levels: (256,) float32, ascending.
    """
    flat = values.flatten()
    each = scales.repeat_interleave(BLOCK)[: len(flat)]
    shares = torch.where(each > 0.0, flat / each, torch.zeros_like(flat))
    middles = (levels[1:] + levels[:-1]) / 2
    return torch.bucketize(shares, middles).to(torch.uint8).reshape(values.shape)


def _bitsandbytes() -> Any:
    try:
        return importlib.import_module("bitsandbytes")
    except ImportError as error:
        raise ConfigError(
            "optimizer.name: adamw8bit needs the package bitsandbytes, which is not installed: "
            "pip install bitsandbytes (or the extra: pip install '.[nf4]'), or use adamw"
        ) from error
