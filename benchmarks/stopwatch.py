"""Seconds and calls of the stages of an answer, for any way of computing it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lisa_model.llava.segmenter import LisaSegmenter

# In the order of the data's path.
STAGES = ("clip", "llm", "head", "sam_encoder", "mask_decoder")


class Stopwatch:
    """Sums seconds and counts calls by stage.

    Attributes:
        seconds, calls: by stage, of STAGES those that ran.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.calls: dict[str, int] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what runs inside."""
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            self.seconds[name] = self.seconds.get(name, 0.0) + spent
            self.calls[name] = self.calls.get(name, 0) + 1

    @contextmanager
    def watching(self, segmenter: LisaSegmenter) -> Iterator[None]:
        """Time the stages of a segmenter's own engine."""
        model = segmenter.engine.model
        places = (
            (segmenter.engine.tower, "forward", "clip"),
            (model, "states", "llm"),
            (model.lm_head, "forward", "head"),
            (model.sam, "encode", "sam_encoder"),
            (model.sam, "decode", "mask_decoder"),
        )
        for owner, method, stage in places:
            object.__setattr__(owner, method, self._timed(getattr(owner, method), stage))
        try:
            yield
        finally:
            for owner, method, _ in places:
                object.__delattr__(owner, method)

    def _timed(self, function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.stage(stage):
                return function(*args, **kwargs)

        return timed
