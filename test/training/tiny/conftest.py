import pytest
from cached_frame import whole_views


@pytest.fixture
def views(tmp_path):
    """The whole of a cached frame with a mug and a fork."""
    return whole_views(tmp_path)
