"""LISA: reasoning segmentation in plain PyTorch (no ROS).

intent + image -> vision tower + projector -> LLM -> [SEG] -> gamma -> mask decoder -> masks
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lisa_model.segmenter import ReasoningSegmenter, SegmentationResult

__all__ = ["ReasoningSegmenter", "SegmentationResult"]


def __getattr__(name: str) -> Any:
    # torch and transformers take seconds to import; geometry and errors must not pay for them.
    if name in __all__:
        from lisa_model import segmenter

        return getattr(segmenter, name)
    raise AttributeError(f"module 'lisa_model' has no attribute {name!r}")
