from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lisa_ros.doctor.device import (
    GIB,
    Machine,
    available_memory,
    check_device,
    check_memory,
    look_at_machine,
)
from lisa_ros.doctor.report import Status

CPU = Machine(cores=4, free_bytes=8 * GIB)
GPU = Machine(
    cores=4,
    free_bytes=8 * GIB,
    cuda="A card",
    cuda_free_bytes=20 * GIB,
    cuda_total_bytes=24 * GIB,
    cuda_bfloat16=True,
    torch_cuda="13.0",
)


def changed(machine: Machine, **values: Any) -> Machine:
    return Machine(**(vars(machine) | values))


@pytest.mark.parametrize(
    ("device", "dtype", "machine", "statuses", "said"),
    [
        ("cpu", "float32", CPU, [Status.OK], "4 cores"),
        ("cpu", "bfloat16", CPU, [Status.OK], "bfloat16"),
        ("cpu", "float16", CPU, [Status.FAILED], "float16 on a CPU"),
        ("cpu", "float32", changed(CPU, cores=1), [Status.WARNING], "1 core"),
        ("cuda", "float16", GPU, [Status.OK, Status.OK], "A card"),
        ("cuda", "bfloat16", changed(GPU, cuda_bfloat16=False), [Status.OK, Status.WARNING], ""),
        ("cuda:3", "float16", changed(GPU, cuda=None), [Status.FAILED], "built for CUDA 13.0"),
        ("cuda", "float16", CPU, [Status.FAILED], "a CPU build"),
    ],
)
def test_device_and_data_type(
    device: str, dtype: str, machine: Machine, statuses: list[Status], said: str
):
    findings = check_device(device, dtype, machine)
    assert [one.status for one in findings] == statuses
    assert said in findings[0].what


@pytest.mark.parametrize(
    ("device", "need_gib", "status"),
    [
        ("cpu", 1, Status.OK),
        ("cpu", 6, Status.WARNING),
        ("cpu", 9, Status.FAILED),
        ("cuda", 9, Status.OK),
        ("cuda", 15, Status.WARNING),
        ("cuda:0", 21, Status.FAILED),
    ],
)
def test_memory(device: str, need_gib: int, status: Status):
    finding = check_memory(device, need_gib * GIB, GPU)
    assert finding is not None
    assert finding.status is status


def test_memory_that_is_not_known_is_not_judged():
    assert check_memory("cpu", None, CPU) is None
    assert check_memory("cpu", GIB, changed(CPU, free_bytes=None)) is None
    assert check_memory("cuda", GIB, CPU) is None


def test_available_memory_is_read(tmp_path: Path):
    path = tmp_path / "meminfo"
    path.write_text("MemTotal: 100 kB\nMemAvailable:   2048 kB\n")
    assert available_memory(path) == 2048 * 1024
    path.write_text("MemTotal: 100 kB\n")
    assert available_memory(path) is None
    assert available_memory(tmp_path / "nothing") is None


def test_this_machine():
    machine = look_at_machine("cpu")
    assert machine.cores >= 1
    assert machine.free_bytes is not None
    assert machine.free_bytes > 0
    assert look_at_machine("cuda:99").cuda is None
    with pytest.raises(ValueError, match="--device abacus"):
        look_at_machine("abacus")
