from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from lisa_ros.memory import is_out_of_memory, out_of_memory, smaller_settings
from lisa_ros.parameters import Settings

SETTINGS = Settings.defaults()


def test_what_pytorch_really_raises_on_this_cpu_is_known():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("shapes do not match"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_it_is_told_from_other_errors(error: Exception, expected: bool):
    assert is_out_of_memory(error) is expected


def test_only_settings_that_can_still_be_smaller_are_named():
    tiny = smaller_settings(SETTINGS)
    assert "bfloat16" in tiny
    assert "quantization" not in tiny
    large = replace(SETTINGS, model="/lisa-13b", dtype="bfloat16", device="cuda")
    assert "quantization to int8, int4 or nf4" in smaller_settings(large)
    assert "to cpu" in smaller_settings(large)
    assert "dtype" not in smaller_settings(large)
    assert "int8" not in smaller_settings(replace(large, quantization="int8"))


def test_the_refusal_names_device_cause_and_remedy():
    refusal = out_of_memory(torch.OutOfMemoryError("CUDA out of memory.\nDetails"), SETTINGS)
    assert refusal.code == "out_of_memory"
    assert "on cpu" in str(refusal)
    assert "CUDA out of memory." in str(refusal)
    assert "Details" not in str(refusal)
