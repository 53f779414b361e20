"""Bytes that a run's processes hold after a step, which torchrun starts; the first prints them.

Arguments: CONFIG of each run, one after the other. Prints a line of JSON for each: the bytes of
weights (trained, frozen), gradients and optimiser, summed over all processes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from torch.distributed.tensor import DTensor

from training.data.config import read_config
from training.run.assembly import assemble, open_feed
from training.run.processes import Processes
from training.run.settings import read_settings
from training.run.zero import ZeroUpdate


def local(tensor):
    """Bytes of this process's part."""
    tensor = getattr(tensor, "ds_tensor", tensor)
    return (tensor.to_local() if isinstance(tensor, DTensor) else tensor).nbytes


def held(learner):
    inner = learner.update
    module = learner.module
    optimizer = inner.engine.optimizer.optimizer if isinstance(inner, ZeroUpdate) else None
    states = (optimizer or inner.optimizer).state
    tensors = [
        tensor for state in states.values() for tensor in state.values() if torch.is_tensor(tensor)
    ]
    return {
        "frozen": sum(local(p) for p in module.parameters() if not p.requires_grad),
        "trained": sum(local(p) for p in module.parameters() if p.requires_grad),
        "copies": sum(local(p) for p in states) if optimizer is not None else 0,
        "moments": sum(local(tensor) for tensor in tensors if tensor.numel() > 1),
    }


for argument in sys.argv[1:]:
    settings = read_settings(Path(argument))
    processes = Processes(device="cpu", parallel=settings.general.parallel)
    assembly = assemble(settings, processes)
    data = read_config(settings.general.data)
    feed, _ = open_feed(settings, data, assembly.collate, processes)
    assembly.learner.step(next(feed.steps(0, 1)), number=0, rate=1e-4)
    found = held(assembly.learner)
    totals = dict(zip(found, processes.sum(list(found.values())), strict=True))
    if processes.first:
        print(json.dumps({"parallel": processes.parallel, **totals}), flush=True)
