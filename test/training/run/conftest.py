import pytest
import torch
import training_run


@pytest.fixture(scope="session")
def inputs(tmp_path_factory):
    """A tiny checkpoint and tiny data sets; not to be changed."""
    folder = tmp_path_factory.mktemp("inputs")
    training_run.write_inputs(folder)
    return folder


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """As the processes of a run have here; more only wait for each other at tiny sizes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
