"""Where the node gets its model from; the one place that imports the model, and PyTorch with it."""

from __future__ import annotations

import gc
import sys
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lisa_model.progress import OnProgress
from lisa_ros.memory import is_out_of_memory, smaller_settings
from lisa_ros.parameters import Settings


class ModelNotLoadedError(Exception):
    """The model could not be loaded; says which, why, and what to do."""


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


def load_or_explain(settings: Settings) -> Segmenter:
    """Load the model as ``load_segmenter`` does, with one error for whatever goes wrong.

    Raises:
        ModelNotLoadedError: what was loaded by then has been given back.
    """
    try:
        return load_segmenter(settings)
    except Exception as error:
        hint = f". Set {smaller_settings(settings)}" if is_out_of_memory(error) else ""
        problem = f"{type(error).__name__}: {error}{hint}"
    # Not within the handler: the exception holds the half-loaded model.
    release_memory()
    raise ModelNotLoadedError(f"cannot load {describe_model(settings)}: {problem}")


def describe_model(settings: Settings) -> str:
    """Return which model the parameters name, for the log."""
    return f"model {settings.model!r} on {settings.device} as {settings.dtype}"


def release_memory() -> None:
    """Give back what a model that is no longer referenced held, on the GPU too."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
