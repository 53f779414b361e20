import dataset_files
import pytest


@pytest.fixture(scope="session")
def whole_root(tmp_path_factory):
    """Every data set, small; not to be changed."""
    root = tmp_path_factory.mktemp("dataset")
    dataset_files.write_all(root)
    return root
