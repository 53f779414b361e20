"""The processes of a run: how many there are, and how the model is spread over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, gather_object
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

from training.run.module import TrainingModule

T = TypeVar("T")


class Processes:
    """This process among those of the run.

    `torchrun` starts them; alone, a process is the only one. On CPUs they talk over gloo, on GPUs
    over NCCL.

    Args:
        device: auto takes a GPU if there is one.
        parallel: ddp, fsdp2, zero2 or zero3; of no effect on a single process, but that DeepSpeed
            is used on one that torchrun started.
    """

    def __init__(self, *, device: str, parallel: str) -> None:
        cpu = device == "cpu" or not torch.cuda.is_available()
        self._state: Any = PartialState(cpu=cpu)
        started = self._state.num_processes > 1 or (self.zero(parallel) and dist.is_initialized())
        self.parallel = parallel if started else "single"

    @staticmethod
    def zero(parallel: str) -> bool:
        """Whether that is a stage of DeepSpeed's ZeRO."""
        return parallel in ("zero2", "zero3")

    @property
    def count(self) -> int:
        """Number of processes."""
        return int(self._state.num_processes)

    @property
    def rank(self) -> int:
        """Number of this one, from 0."""
        return int(self._state.process_index)

    @property
    def first(self) -> bool:
        """Whether this one prints and writes."""
        return bool(self._state.is_main_process)

    @property
    def device(self) -> torch.device:
        """Where this one computes."""
        return self._state.device

    def wait(self) -> None:
        """Until all are here."""
        self._state.wait_for_everyone()

    def sum(self, values: Sequence[float]) -> list[float]:
        """Sums over all processes, in float64."""
        if self.count == 1:
            return [float(value) for value in values]
        tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(tensor)
        return [float(value) for value in tensor.tolist()]

    def gather(self, values: list[T]) -> list[T]:
        """The lists of all processes in one, on every process."""
        return list(values) if self.count == 1 else list(gather_object(values))

    def from_first(self, value: T) -> T:
        """What the first process has."""
        if self.count == 1:
            return value
        held = [value]
        broadcast_object_list(held)
        return held[0]

    def place(self, module: TrainingModule, tower: nn.Module) -> nn.Module:
        """Put the model where it is trained, whole or its shard of it.

        Optimisers are to be made afterwards: sharding replaces the parameters. For DeepSpeed only
        the tower is placed; the rest is :func:`training.run.zero.begin`'s.

        Returns:
            what is to be called.
        """
        tower.to(self.device)
        if self.zero(self.parallel):
            return module
        if self.parallel != "fsdp2":
            module.to(self.device)
            if self.parallel == "single":
                return module
            return DistributedDataParallel(
                module, broadcast_buffers=False, gradient_as_bucket_view=True
            )
        mesh = init_device_mesh(self.device.type, (self.count,))
        # The mask decoder stays with the root: an image without masks does not call it, and a
        # unit of its own would then wait for the other processes for ever.
        llm, encoder = module.lisa.model.layers, module.lisa.sam.blocks
        for unit in [*llm, *encoder]:
            fully_shard(unit, mesh=mesh)
        fully_shard(module, mesh=mesh)
        return module

    def without_exchange(self, module: nn.Module) -> AbstractContextManager[Any]:
        """Gradients stay in this process: for all passes of a step but the last.

        Shards (FSDP2, ZeRO) are exchanged at each pass: keeping whole gradients would cost the
        memory that sharding saves.
        """
        if isinstance(module, DistributedDataParallel):
            return module.no_sync()
        return nullcontext()


def whole(tensor: Tensor) -> Tensor:
    """A tensor put together from its shards; every process must ask for it."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def whole_shape(parameter: Tensor) -> tuple[int, ...]:
    """Shape of a parameter; ZeRO-3 leaves it an empty one and keeps the true one beside."""
    return tuple(getattr(parameter, "ds_shape", parameter.shape))


def like(values: Tensor, parameter: Tensor) -> Tensor:
    """A whole tensor, which every process has, on the device of a parameter and sharded like it."""
    if isinstance(parameter, DTensor):
        return distribute_tensor(
            values.to(parameter.device),
            parameter.device_mesh,
            parameter.placements,
            src_data_rank=None,
        )
    return values.to(parameter.device)


def in_turn(tensors: Iterator[tuple[str, Tensor]]) -> Iterator[tuple[str, Tensor]]:
    """Whole tensors on the CPU, one at a time."""
    for name, tensor in tensors:
        yield name, whole(tensor.detach()).cpu()
