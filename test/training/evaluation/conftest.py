import pytest
import torch
import training_run

from benchmarks.checkpoint_shapes import SIZES
from benchmarks.full_size_checkpoint import write_checkpoint


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """A tiny random LISA in the official layout, its vision tower beside it; not to be changed."""
    folder = tmp_path_factory.mktemp("checkpoint")
    write_checkpoint(folder, SIZES["tiny"], dtype=torch.float32, shard_bytes=300_000)
    return folder / "LISA-random"


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A tiny checkpoint with data sets, to train on."""
    folder = tmp_path_factory.mktemp("inputs")
    training_run.write_inputs(folder)
    return folder


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Several threads may add up in another order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
