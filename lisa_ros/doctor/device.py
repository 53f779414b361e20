"""The processor that the model is to run on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from lisa_ros.doctor.report import Finding, failed, ok, warning

# Beside its weights a model needs room for activations, and the process for PyTorch itself:
# benchmarks/README.md has measured figures.
ROOM_FACTOR = 1.5
GIB = 2**30


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What PyTorch and the kernel say.

    Attributes:
        cores: that this process may use.
        free_bytes: memory that can be had without swapping; None when the kernel does not say.
        cuda: name of the CUDA device that was asked for, None when PyTorch does not see it.
        cuda_free_bytes, cuda_total_bytes: its memory.
        cuda_bfloat16: whether it computes in bfloat16.
        torch_cuda: CUDA release that PyTorch was built for, None for a CPU build.
    """

    cores: int
    free_bytes: int | None
    cuda: str | None = None
    cuda_free_bytes: int = 0
    cuda_total_bytes: int = 0
    cuda_bfloat16: bool = False
    torch_cuda: str | None = None


def check_device(device: str, dtype: str, machine: Machine) -> list[Finding]:
    """Check that a device is there and computes in a data type.

    Args:
        device: cpu, cuda or cuda:N.
        dtype: float32, bfloat16 or float16.
    """
    if not device.startswith("cuda"):
        return [_check_cpu(dtype, machine)]
    if machine.cuda is None:
        remedy = "Check nvidia-smi and the driver; or use --device cpu"
        if machine.torch_cuda is None:
            remedy = "Install a CUDA build of PyTorch (see its own installation page)"
        built = f"built for CUDA {machine.torch_cuda}" if machine.torch_cuda else "a CPU build"
        return [failed("device", f"PyTorch ({built}) sees no {device}", remedy)]
    total = machine.cuda_total_bytes / GIB
    findings = [ok("device", f"{device} is {machine.cuda}, {total:.1f} GiB")]
    if dtype == "bfloat16" and not machine.cuda_bfloat16:
        findings.append(
            warning("dtype", f"{machine.cuda} has no bfloat16 units", "Use float16 or float32")
        )
    else:
        findings.append(ok("dtype", f"{dtype} on {device}"))
    return findings


def _check_cpu(dtype: str, machine: Machine) -> Finding:
    if dtype == "float16":
        return failed("dtype", "float16 on a CPU", "Use float32, or bfloat16 to save memory")
    if machine.cores < 2:
        return warning(
            "device",
            f"{machine.cores} core: an answer holds up the camera driver",
            "Give it 2 cores or more (taskset, container limits)",
        )
    return ok("device", f"cpu with {machine.cores} cores, {dtype}")


def check_memory(device: str, need_bytes: int | None, machine: Machine) -> Finding | None:
    """Check the free memory against what the weights take; None when either is not known."""
    free = machine.cuda_free_bytes if device.startswith("cuda") else machine.free_bytes
    if need_bytes is None or free is None or (device.startswith("cuda") and machine.cuda is None):
        return None
    text = f"{free / GIB:.1f} GiB free on {device}, the weights take {need_bytes / GIB:.1f} GiB"
    smaller = "Use --dtype bfloat16, a quantization (docs/models.md), or free some memory"
    if free < need_bytes:
        return failed("memory", text, smaller)
    if free < need_bytes * ROOM_FACTOR:
        return warning("memory", f"{text}: little room for activations", smaller)
    return ok("memory", text)


def look_at_machine(device: str) -> Machine:
    """Ask PyTorch and the kernel.

    Raises:
        ValueError: PyTorch does not know such a device.
    """
    import torch

    cores = len(os.sched_getaffinity(0))
    free = available_memory(Path("/proc/meminfo"))
    built = torch.version.cuda
    try:
        wanted = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"--device {device}: PyTorch knows no such device") from error
    index = wanted.index or 0
    if wanted.type != "cuda" or index >= torch.cuda.device_count():
        return Machine(cores=cores, free_bytes=free, torch_cuda=built)
    cuda_free, cuda_total = torch.cuda.mem_get_info(index)
    return Machine(
        cores=cores,
        free_bytes=free,
        cuda=torch.cuda.get_device_name(index),
        cuda_free_bytes=cuda_free,
        cuda_total_bytes=cuda_total,
        cuda_bfloat16=torch.cuda.get_device_capability(index) >= (8, 0),
        torch_cuda=built,
    )


def available_memory(meminfo: Path) -> int | None:
    """Return MemAvailable of a file like /proc/meminfo in bytes, None when it has none."""
    try:
        lines = meminfo.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None
