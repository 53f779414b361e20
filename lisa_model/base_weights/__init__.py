"""Base weights of the embedded model: pinned packages, converted once into the user's cache."""

from lisa_model.base_weights.dinov2_onnx import IMAGENET_MEAN, IMAGENET_STD
from lisa_model.base_weights.sources import SOURCES, WeightsSource
from lisa_model.base_weights.store import (
    cache_root,
    ensure_base_weights,
    remake_base_weights,
    verify_base_weights,
)

__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "SOURCES",
    "WeightsSource",
    "cache_root",
    "ensure_base_weights",
    "remake_base_weights",
    "verify_base_weights",
]
