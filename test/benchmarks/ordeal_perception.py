"""Runs the real perception_node with a stand-in that can be followed, in tests only.

    python ordeal_perception.py SECONDS MISTAKE [ROS arguments]

Every intent takes SECONDS and tells its stages.  MISTAKE: ``none``; or, of every seventh request:
``loses`` it, so that it never ends; ends it ``twice``; ``raises`` in the node, not in the model.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from fake_eyes import FakeEyes, Thing

from lisa_model.progress import OnProgress, Progress, Stage, report
from lisa_ros import engine, model_loader, perception_node
from lisa_ros.control import Control

EVERY = 7
TOKENS = 4


class FollowedSegmenter:
    """Finds a box in the middle, slowly, and again in every frame after that."""

    name = "followed"
    device = "cpu"

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._eyes = FakeEyes(world=[[Thing((60, 40, 100, 70))]] * 256)

    def segment(
        self,
        image: np.ndarray,
        intent: str,
        *,
        max_new_tokens: int,
        on_progress: OnProgress | None = None,
    ) -> Any:
        """Return what the node and the follower read of a result."""
        report(on_progress, Stage.READING)
        for token in range(TOKENS):
            time.sleep(self._seconds / TOKENS)
            if on_progress is not None:
                on_progress(Progress(Stage.ANSWERING, token + 1, lambda: "It is"))
        report(on_progress, Stage.MARKING)
        return self._eyes.segment(image, intent)

    def look(
        self, image: np.ndarray, queries: np.ndarray, *, on_progress: Any = None, **options: Any
    ) -> Any:
        """Look without asking."""
        report(on_progress, Stage.READING)
        return self._eyes.look(image, queries, **options)


def make_mistakes(mistake: str) -> None:
    """Have the engine mistreat every seventh request."""
    ask = engine.PerceptionEngine.ask
    asked = 0

    def wrong(
        self: Any, text: str, on_done: Callable[[Any], None], frame: Any = None, **options: Any
    ) -> Control:
        nonlocal asked
        asked += 1
        if mistake == "none" or asked % EVERY:
            return ask(self, text, on_done, frame, **options)
        if mistake == "loses":
            self._diagnostics.count("intents_received")
            return Control()
        if mistake == "twice":
            self.refuse(engine._not_active())
            return ask(self, text, on_done, frame, **options)
        raise RuntimeError("a mistake on purpose")

    engine.PerceptionEngine.ask = wrong


def main() -> int:
    """Run the node."""
    seconds, mistake = float(sys.argv.pop(1)), sys.argv.pop(1)
    model_loader.load_segmenter = lambda settings: FollowedSegmenter(seconds)
    make_mistakes(mistake)
    return perception_node.main() or 0


if __name__ == "__main__":
    raise SystemExit(main())
