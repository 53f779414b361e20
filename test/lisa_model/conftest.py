from pathlib import Path

import pytest

from lisa_model.rgbd import load_frame
from lisa_model.segmenter import ReasoningSegmenter

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def segmenter():
    """The shipped model; its weights belong to the package, so missing ones are a failure."""
    return ReasoningSegmenter.from_pretrained("lisa-tiny", device="cpu", dtype="float32")


@pytest.fixture(scope="session")
def living_room():
    """The demo's frame, with its truth."""
    return load_frame(ROOT / "scenes" / "living_room_remote.json")
