"""Tensors into modules without memory."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from lisa_model.checkpoint.loading import load_into
from lisa_model.checkpoint.reader import open_checkpoint
from lisa_model.errors import WeightsCorruptError, WeightsMissingError


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
        self.register_buffer("grid", torch.zeros(2, 5))


def meta_net():
    with torch.device("meta"):
        return Net()


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(1)
    net = Net()
    for parameter in [*net.parameters(), net.grid]:
        nn.init.normal_(parameter)
    return net.state_dict(), tmp_path


def open_saved(saved, **changes):
    state, folder = saved
    state = {key: value for key, value in (state | changes).items() if value is not None}
    save_file(state, folder / "model.safetensors")
    return open_checkpoint(folder)


def test_everything_is_loaded(saved):
    net = meta_net()
    load_into(net, open_saved(saved), dtype=torch.float32)
    state = net.state_dict()
    assert list(state) == list(saved[0])
    for key, tensor in saved[0].items():
        torch.testing.assert_close(state[key], tensor, rtol=0, atol=0)
    assert isinstance(net.inner[0].weight, nn.Parameter)
    assert not net.inner[0].weight.requires_grad
    assert not list(net.inner[0].buffers())


def test_dtypes(saved):
    net = meta_net()
    load_into(
        net, open_saved(saved), dtype=torch.bfloat16, keep_float32=lambda name: name == "grid"
    )
    assert net.inner[0].weight.dtype == torch.bfloat16
    assert net.grid.dtype == torch.float32
    assert net.inner[1].num_batches_tracked.dtype == torch.int64
    torch.testing.assert_close(
        net.inner[0].weight, saved[0]["inner.0.weight"].bfloat16(), rtol=0, atol=0
    )


def test_half_precision_is_widened_where_asked(saved):
    half = {
        key: value.to(torch.bfloat16)
        for key, value in saved[0].items()
        if value.is_floating_point()
    }
    net = meta_net()
    load_into(
        net,
        open_saved(saved, **half),
        dtype=torch.bfloat16,
        keep_float32=lambda name: name == "grid",
    )
    assert net.grid.dtype == torch.float32


def test_names_are_changed_before_they_are_ignored(saved):
    state, folder = saved
    state = {f"old.{key}": value for key, value in state.items()}
    net = meta_net()
    load_into(
        net,
        open_saved((state, folder), **{"old.surplus": torch.ones(1)}),
        dtype=torch.float32,
        rename=lambda key: key.removeprefix("old."),
        ignore=lambda name: name in ("surplus", "grid"),
    )
    assert net.inner[0].weight.device.type == "cpu"
    assert net.grid.device.type == "meta"  # left out, as asked


def test_the_last_change_of_a_tensor(saved):
    net = meta_net()
    seen = []

    def double(owner, name, tensor):
        seen.append((type(owner), name))
        return tensor * 2

    load_into(net, open_saved(saved), dtype=torch.float32, transform=double)
    assert (nn.Linear, "inner.0.weight") in seen
    torch.testing.assert_close(net.grid, saved[0]["grid"] * 2)


def test_a_missing_key_is_named(saved):
    with pytest.raises(WeightsMissingError, match=r"'inner\.0\.bias' is missing.*model\.safe"):
        load_into(meta_net(), open_saved(saved, **{"inner.0.bias": None}), dtype=torch.float32)


def test_a_surplus_key_is_named(saved):
    with pytest.raises(WeightsCorruptError, match=r"model\.safetensors: 'more' is not part"):
        load_into(meta_net(), open_saved(saved, more=torch.ones(1)), dtype=torch.float32)


def test_a_wrong_shape_is_named(saved):
    with pytest.raises(
        WeightsCorruptError, match=r"model\.safetensors: 'grid' has shape \[5, 2\].*\[2, 5\]"
    ):
        load_into(meta_net(), open_saved(saved, grid=torch.ones(5, 2)), dtype=torch.float32)


def test_two_keys_of_one_tensor_are_named(saved):
    with pytest.raises(WeightsCorruptError, match="the same tensor 'grid'"):
        load_into(
            meta_net(),
            open_saved(saved, **{"old.grid": torch.ones(2, 5)}),
            dtype=torch.float32,
            rename=lambda key: key.removeprefix("old."),
        )


def test_nothing_is_loaded_when_something_is_wrong(saved):
    net = meta_net()
    with pytest.raises(WeightsMissingError):
        load_into(net, open_saved(saved, grid=None), dtype=torch.float32)
    assert all(tensor.is_meta for tensor in net.state_dict().values())
