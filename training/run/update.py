"""From losses to changed weights: by torch's AdamW, or by DeepSpeed (:mod:`training.run.zero`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from training.run.processes import in_turn, like, whole, whole_shape
from training.run.settings import OptimizerSettings

MOMENTS = ("exp_avg", "exp_avg_sq")


class Update(Protocol):
    """What changes the trained parameters of a run, and knows the optimiser's state of each."""

    @property
    def parameters(self) -> dict[str, nn.Parameter]:
        """What is trained, by name."""

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of one pass."""

    def apply(self, rate: float) -> float:
        """Clip what was added since the last time, change the weights and begin anew.

        Args:
            rate: learning rate.

        Returns:
            length of the gradient before it was clipped; if it is no finite number, nothing was
            changed.
        """

    def weights(self) -> Iterator[tuple[str, Tensor]]:
        """Trained weights by name, whole, float32, on the CPU; all processes must ask for them."""

    def moment_shapes(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes of what :meth:`moments` gives, in its order."""

    def moments(self) -> Iterator[tuple[str, Tensor]]:
        """AdamW's moments as ``exp_avg/NAME`` and ``exp_avg_sq/NAME``, likewise."""

    def restore(self, step: int, read: Callable[[str], Tensor]) -> None:
        """Take over weights and moments.

        Args:
            step: steps that were done.
            read: whole tensor on the CPU by the names of :meth:`weights` and :meth:`moments`.
        """


def moment_shapes(parameters: dict[str, nn.Parameter]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the moments of parameters."""
    return {
        f"{moment}/{name}": whole_shape(parameter)
        for moment in MOMENTS
        for name, parameter in parameters.items()
    }


@dataclass(frozen=True, kw_only=True)
class TorchUpdate:
    """AdamW of torch, on whole parameters or on the shards of FSDP2.

    Attributes:
        parameters: what is trained, by name.
        optimizer: of these.
        clip_norm: longest gradient.
    """

    parameters: dict[str, nn.Parameter]
    optimizer: torch.optim.Optimizer
    clip_norm: float

    def backward(self, loss: Tensor) -> None:
        """See :class:`Update`."""
        loss.backward()

    def apply(self, rate: float) -> float:
        """See :class:`Update`."""
        norm = float(
            whole(nn.utils.clip_grad_norm_(list(self.parameters.values()), self.clip_norm))
        )
        if math.isfinite(norm):
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return norm

    def weights(self) -> Iterator[tuple[str, Tensor]]:
        """See :class:`Update`."""
        return in_turn(iter(self.parameters.items()))

    def moment_shapes(self) -> dict[str, tuple[int, ...]]:
        """See :class:`Update`."""
        return moment_shapes(self.parameters)

    def moments(self) -> Iterator[tuple[str, Tensor]]:
        """See :class:`Update`."""
        return in_turn(
            (f"{moment}/{name}", self.optimizer.state[parameter][moment])
            for moment in MOMENTS
            for name, parameter in self.parameters.items()
        )

    def restore(self, step: int, read: Callable[[str], Tensor]) -> None:
        """See :class:`Update`."""
        self.optimizer.state.clear()
        for name, parameter in self.parameters.items():
            with torch.no_grad():
                parameter.copy_(like(read(name), parameter))
            held: dict[str, Any] = self.optimizer.state[parameter]
            held["step"] = torch.tensor(float(step))
            for moment in MOMENTS:
                # A copy: torch.optim changes it in place.
                held[moment] = like(read(f"{moment}/{name}"), parameter).clone()


def make_optimizer(
    parameters: dict[str, nn.Parameter], settings: OptimizerSettings
) -> torch.optim.AdamW:
    """AdamW over the trained parameters."""
    return torch.optim.AdamW(
        list(parameters.values()),
        lr=settings.learning_rate,
        betas=(settings.beta1, settings.beta2),
        eps=settings.epsilon,
        weight_decay=settings.weight_decay,
    )
