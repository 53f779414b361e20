"""Our writer of safetensors, read back by the format's own library."""

import hashlib

import pytest
import torch
from safetensors.torch import load_file

from lisa_model.checkpoint.tensor_file import TensorInfo
from lisa_model.checkpoint.writer import write_safetensors


def layout_of(tensors, path):
    return {
        key: TensorInfo(path, tuple(value.shape), value.dtype) for key, value in tensors.items()
    }


@pytest.fixture
def tensors(small):
    ordered = {key: small[key] for key in ("steps", "a.weight", "a.bias", "table")}
    ordered["empty"] = torch.zeros(0, 3, dtype=torch.float16)
    ordered["turned"] = torch.randn(3, 4).half().T  # not contiguous
    return ordered


def test_read_back(tmp_path, tensors):
    path = tmp_path / "x.safetensors"
    told = []
    entry = write_safetensors(
        path, layout_of(tensors, path), iter(tensors.items()), advance=told.append
    )
    found = load_file(path)
    assert set(found) == set(tensors)
    for key, tensor in tensors.items():
        torch.testing.assert_close(found[key], tensor, rtol=0, atol=0)
    assert entry.bytes == path.stat().st_size
    assert entry.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert sum(told) == sum(tensor.nbytes for tensor in tensors.values())
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("fault", ["order", "shape", "dtype", "short", "long"])
def test_a_broken_promise_leaves_no_file(tmp_path, tensors, fault):
    path = tmp_path / "x.safetensors"
    layout = layout_of(tensors, path)
    given = list(tensors.items())
    if fault == "order":
        given[0], given[1] = given[1], given[0]
    elif fault == "shape":
        given[1] = (given[1][0], given[1][1].reshape(-1))
    elif fault == "dtype":
        given[1] = (given[1][0], given[1][1].double())
    elif fault == "short":
        given.pop()
    else:
        given.append(("more", torch.zeros(1)))
    with pytest.raises(ValueError, match="promised"):
        write_safetensors(path, layout, iter(given))
    assert not path.exists()


def test_misaligned_layouts_are_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    tensors = {"a": torch.zeros(1, dtype=torch.bfloat16), "b": torch.zeros(1)}
    with pytest.raises(ValueError, match="wider dtypes must come first"):
        write_safetensors(path, layout_of(tensors, path), iter(tensors.items()))
