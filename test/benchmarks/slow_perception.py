"""Runs the real perception_node with a stand-in for the model that takes time, in tests only.

    python slow_perception.py SECONDS LEAKED_MB [ROS arguments]

Every intent takes SECONDS and keeps LEAKED_MB of memory for good.
"""

from __future__ import annotations

import sys
import time
from types import SimpleNamespace
from typing import Any

import numpy as np

from lisa_ros import model_loader, perception_node


class SlowSegmenter:
    """Finds a box in the middle, slowly."""

    name = "slow"
    device = "cpu"

    def __init__(self, seconds: float, leaked_mb: float) -> None:
        self._seconds = seconds
        self._leaked_mb = leaked_mb
        self._leak: list[np.ndarray] = []

    def segment(
        self, image: np.ndarray, intent: str, *, max_new_tokens: int, on_progress: Any = None
    ) -> Any:
        """Return what the node reads of a result."""
        time.sleep(self._seconds)
        self._leak.append(np.ones(int(self._leaked_mb * 1e6), dtype=np.uint8))
        masks = np.zeros((1, *image.shape[:2]), dtype=bool)
        masks[0, 40:70, 60:100] = True
        return SimpleNamespace(
            text="It is this.", masks=masks, scores=np.full(1, 0.9, np.float32), timings={}
        )


def main() -> int:
    """Run the node."""
    seconds, leaked_mb = float(sys.argv.pop(1)), float(sys.argv.pop(1))
    model_loader.load_segmenter = lambda settings: SlowSegmenter(seconds, leaked_mb)
    return perception_node.main() or 0


if __name__ == "__main__":
    raise SystemExit(main())
