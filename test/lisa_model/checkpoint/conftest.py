import json

import pytest
import torch

from benchmarks.checkpoint_shapes import SIZES
from benchmarks.full_size_checkpoint import write_checkpoint


@pytest.fixture(scope="session")
def official(tmp_path_factory):
    """A tiny checkpoint in the official layout, in several .bin files, and its vision tower."""
    out = tmp_path_factory.mktemp("official")
    return write_checkpoint(out, SIZES["tiny"], dtype=torch.float32, shard_bytes=300_000)


@pytest.fixture
def small():
    """A few tensors of several dtypes."""
    torch.manual_seed(0)
    return {
        "a.weight": torch.randn(4, 3),
        "a.bias": torch.randn(4, dtype=torch.bfloat16),
        "steps": torch.tensor(7),
        "table": torch.randn(5, 2, dtype=torch.float16),
    }


@pytest.fixture
def sharded(tmp_path, small):
    """Two .bin files and their index."""
    folder = tmp_path / "sharded"
    folder.mkdir()
    names = [f"pytorch_model-0000{n}-of-00002.bin" for n in (1, 2)]
    keys = list(small)
    weight_map = {}
    for name, part in zip(names, (keys[:2], keys[2:]), strict=True):
        torch.save({key: small[key] for key in part}, folder / name)
        weight_map |= dict.fromkeys(part, name)
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    return folder
