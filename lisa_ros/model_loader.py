"""Where the node gets its model from; the one place that imports the model, and PyTorch with it."""

from __future__ import annotations

import gc
import sys
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lisa_model.progress import OnProgress
from lisa_ros.parameters import Settings


class SegmentationResultLike(Protocol):
    """What the node reads of lisa_model.SegmentationResult."""

    @property
    def text(self) -> str:
        """What the model wrote."""

    @property
    def masks(self) -> NDArray[np.bool_]:
        """(n, H, W) bool, one mask per [SEG] token."""

    @property
    def scores(self) -> NDArray[np.float32]:
        """(n,) in 0..1."""

    @property
    def timings(self) -> dict[str, float]:
        """Seconds per stage."""


class Segmenter(Protocol):
    """What the node needs of lisa_model.ReasoningSegmenter."""

    @property
    def name(self) -> str:
        """The model's name."""

    @property
    def device(self) -> Any:
        """Where it runs."""

    def segment(
        self,
        image: NDArray[np.uint8],
        intent: str,
        *,
        max_new_tokens: int,
        on_progress: OnProgress | None = None,
    ) -> SegmentationResultLike:
        """Answer an intent about a (H, W, 3) uint8 RGB image."""


def load_segmenter(settings: Settings) -> Segmenter:
    """Load the model that the parameters name.

    Takes seconds, and minutes when base weights have to be downloaded first.

    Raises:
        lisa_model.errors.LisaError: the weights are missing or corrupt.
        Exception: whatever PyTorch raises for an unknown device or too little memory.
    """
    # Here and not above: PyTorch takes seconds to import, and an unconfigured node does without.
    from lisa_model import ReasoningSegmenter

    return ReasoningSegmenter.from_pretrained(
        settings.model,
        vision_tower=settings.vision_tower or None,
        device=settings.device,
        dtype=settings.dtype,
        conversation=settings.conversation,
        quantization=None if settings.quantization == "none" else settings.quantization,
    )


def release_memory() -> None:
    """Give back what a model that is no longer referenced held, on the GPU too."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
