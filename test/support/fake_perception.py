"""Runs the real perception_node with a stand-in for the model, in tests only.

    python fake_perception.py BEHAVIOUR [ROS arguments]

BEHAVIOUR: ``red`` segments what is red; ``nothing`` answers without a mask; ``missing`` has no
weights; ``broken`` fails on every intent; ``dead`` ends at once.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np

from lisa_model.errors import WeightsMissingError
from lisa_ros import model_loader, perception_node


class FakeSegmenter:
    """Segments by colour."""

    name = "fake"
    device = "cpu"

    def __init__(self, behaviour: str) -> None:
        self._behaviour = behaviour

    def segment(
        self, image: np.ndarray, intent: str, *, max_new_tokens: int, on_progress: Any = None
    ) -> Any:
        """Return what the node reads of a result."""
        if self._behaviour == "broken":
            raise RuntimeError("the stand-in is broken on purpose")
        pixels = image.astype(np.int16)
        red = (pixels[..., 0] > pixels[..., 1] + 60)[None]
        masks = red if self._behaviour == "red" else red[:0]
        return SimpleNamespace(
            text="It is this." if len(masks) else "I see nothing of the kind.",
            token_ids=[1, 2],
            masks=masks,
            mask_logits=np.where(masks, 5.0, -5.0).astype(np.float32),
            scores=np.full(len(masks), 0.9, dtype=np.float32),
            timings={"total": 0.0},
        )


def main() -> int:
    """Run the node."""
    behaviour = sys.argv.pop(1)
    if behaviour == "dead":
        print("ended on purpose", file=sys.stderr)
        return 7

    def load(settings: Any) -> Any:
        if behaviour == "missing":
            raise WeightsMissingError("there are no weights, on purpose")
        return FakeSegmenter(behaviour)

    model_loader.load_segmenter = load
    return perception_node.main() or 0


if __name__ == "__main__":
    raise SystemExit(main())
