"""DeepSpeed's ZeRO in a run: stage 2 shards gradients and moments, stage 3 the weights too.

The official recipe (ZeRO-2, contiguous gradients, overlap, buckets of 5e8 elements, gradients
clipped at 1) with two differences. DeepSpeed's own ``bf16`` section is left out: it would round
SAM's mask decoder and gamma, which compute in float32 here; the module's own autocast computes
products in bfloat16. And torch's AdamW runs on the shards, also on those that are kept in the CPU's
memory, so that a run can go on with another ``parallel``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lisa_model.errors import LisaError
from training.run.module import TrainingModule
from training.run.processes import whole_shape
from training.run.settings import RunSettings
from training.run.update import MOMENTS, make_optimizer, moment_shapes

STAGES = {"zero2": 2, "zero3": 3}
# Elements; of the official recipe.
BUCKET = 500_000_000


def engine_config(settings: RunSettings, trained: int) -> dict[str, Any]:
    """DeepSpeed's configuration of a run.

    Args:
        settings: with ``parallel`` zero2 or zero3.
        trained: number of trained elements; a bucket is never larger, since it is allocated whole.
    """
    general = settings.general
    bucket = min(BUCKET, trained)
    zero: dict[str, Any] = {
        "stage": STAGES[general.parallel],
        "contiguous_gradients": True,
        "overlap_comm": True,
        "reduce_scatter": True,
        "reduce_bucket_size": bucket,
        "allgather_bucket_size": bucket,
    }
    if general.offload == "optimizer":
        zero["offload_optimizer"] = {"device": "cpu", "pin_memory": general.device != "cpu"}
    return {
        "train_micro_batch_size_per_gpu": general.batch,
        "gradient_accumulation_steps": general.accumulation,
        "gradient_clipping": settings.optimizer.clip_norm,
        "zero_optimization": zero,
        # Of torch, see the module.
        "zero_force_ds_cpu_optimizer": False,
        "steps_per_print": 1_000_000_000,
    }


def load_deepspeed(device: torch.device) -> Any:
    """The package, with its process group joined to torch's.

    Raises:
        LisaError: it is not installed.
    """
    if device.type == "cpu":
        # DeepSpeed looks for a GPU by itself, which `device: cpu` does not want.
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    os.environ.setdefault("DEEPSPEED_LOG_LEVEL", "warning")
    try:
        import deepspeed
    except ImportError as error:
        raise LisaError(
            "parallel: zero2 and zero3 need the package deepspeed, which is not installed: "
            "pip install '.[deepspeed]' (the extra of this project), or use "
            "parallel: fsdp2"
        ) from error
    deepspeed.init_distributed(auto_mpi_discovery=False, verbose=False)
    return deepspeed


def begin(
    module: TrainingModule, settings: RunSettings, device: torch.device
) -> tuple[nn.Module, ZeroUpdate]:
    """Shard a model that is on the CPU.

    Args:
        module: with what is trained marked.
        settings: with ``parallel`` zero2 or zero3.
        device: of this process.

    Returns:
        what is to be called, and what changes its weights.

    Raises:
        LisaError: DeepSpeed is not installed.
    """
    deepspeed = load_deepspeed(device)
    named = {name: p for name, p in module.lisa.named_parameters() if p.requires_grad}
    config = engine_config(settings, sum(p.numel() for p in named.values()))
    if STAGES[settings.general.parallel] == 3:
        # One parameter at a time, so that the whole model never lies on a GPU.
        deepspeed.zero.Init(module=module, config_dict_or_path=config)
        for part in module.modules():
            for name, buffer in part.named_buffers(recurse=False):
                setattr(part, name, buffer.to(device))
    engine, *_ = deepspeed.initialize(
        model=module,
        optimizer=make_optimizer(named, settings.optimizer),
        model_parameters=list(named.values()),
        config=config,
        dist_init_required=False,
    )
    return engine, ZeroUpdate(engine=engine, parameters=named)


@dataclass(frozen=True, kw_only=True)
class ZeroUpdate:
    """An :class:`training.run.update.Update` by a DeepSpeed engine.

    Attributes:
        engine: of DeepSpeed.
        parameters: what is trained, by name.
    """

    engine: Any
    parameters: dict[str, nn.Parameter]

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of one pass and exchange them; the last pass changes the weights."""
        # The share of a pass is in the loss already.
        self.engine.backward(loss, scale_wrt_gas=False)
        if not self.engine.is_gradient_accumulation_boundary():
            self.engine.step()

    def apply(self, rate: float) -> float:
        """See :class:`training.run.update.Update`."""
        for group in self.engine.optimizer.param_groups:
            group["lr"] = rate
        self.engine.step()
        return float(self.engine.get_global_grad_norm())

    def weights(self) -> Iterator[tuple[str, Tensor]]:
        """See :class:`training.run.update.Update`."""
        from deepspeed.utils import safe_get_full_fp32_param

        for name, parameter in self.parameters.items():
            yield name, _shaped(safe_get_full_fp32_param(parameter), parameter)

    def moment_shapes(self) -> dict[str, tuple[int, ...]]:
        """See :class:`training.run.update.Update`."""
        return moment_shapes(self.parameters)

    def moments(self) -> Iterator[tuple[str, Tensor]]:
        """See :class:`training.run.update.Update`."""
        from deepspeed.utils import safe_get_full_optimizer_state

        for moment in MOMENTS:
            for name, parameter in self.parameters.items():
                values = safe_get_full_optimizer_state(parameter, moment)
                yield f"{moment}/{name}", _shaped(values, parameter)

    def restore(self, step: int, read: Callable[[str], Tensor]) -> None:
        """See :class:`training.run.update.Update`."""
        _make_moments(self.engine.optimizer, step)
        put = _put_stage_3 if self.engine.zero_optimization_stage() == 3 else _put_stage_2
        for name, parameter in self.parameters.items():
            put(parameter, read(name), None)
            for moment in MOMENTS:
                put(parameter, read(f"{moment}/{name}"), moment)


def _shaped(values: Tensor, parameter: nn.Parameter) -> Tensor:
    """On the CPU; a sharded parameter's own shape is empty."""
    return values.detach().reshape(whole_shape(parameter)).float().cpu()


def _make_moments(optimizer: Any, step: int) -> None:
    """AdamW's state of each shard, as the first step would make it."""
    inner = optimizer.optimizer
    third = hasattr(optimizer, "fp32_partitioned_groups_flat")
    for shard in (
        optimizer.fp32_partitioned_groups_flat
        if third
        else optimizer.single_partition_of_fp32_groups
    ):
        inner.state[shard] = {
            "step": torch.tensor(float(step)),
            **{moment: torch.zeros_like(shard) for moment in MOMENTS},
        }
    if not third:
        optimizer._lazy_init_hp_params_optimizer_state()


def _put_stage_2(parameter: nn.Parameter, values: Tensor, moment: str | None) -> None:
    from deepspeed.utils import safe_set_full_fp32_param, safe_set_full_optimizer_state

    values = values.to(parameter.device)
    if moment is not None:
        safe_set_full_optimizer_state(parameter, values, moment)
        return
    with torch.no_grad():
        parameter.copy_(values)
    safe_set_full_fp32_param(parameter, values)


def _put_stage_3(parameter: Any, values: Tensor, moment: str | None) -> None:
    from deepspeed.utils import safe_set_local_fp32_param, safe_set_local_optimizer_state

    # DeepSpeed's setters of whole tensors refuse sizes that do not divide by the processes.
    held = parameter.ds_tensor
    count, rank = held.numel(), torch.distributed.get_rank()
    flat = values.flatten()[count * rank : count * (rank + 1)]
    mine = F.pad(flat, (0, count - flat.numel())).to(held.device)
    if moment is not None:
        safe_set_local_optimizer_state(parameter, mine, moment)
        return
    held.copy_(mine)
    safe_set_local_fp32_param(parameter, mine)
