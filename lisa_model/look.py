"""A look: kept [SEG] prompts on a new frame, without asking the LLM again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from lisa_model.zoom import CropWindow

# Logit of a pixel that was not looked at, or that a first pass took for the target: just "no".
OUTSIDE = -1.0
# Cosine from which a concept and a query mean the same.
SAME_CONCEPT = 0.7


@dataclass(frozen=True)
class Look:
    """What kept queries show on a frame.

    Attributes:
        mask_logits: (n, H, W) float32, one row per query; ``OUTSIDE`` out of the region.
        masks: (n, H, W) bool, ``mask_logits > 0``.
        scores: (n,) float32 in [0, 1], the IoU that the mask decoder expects of its mask.
        appearances: (n, dim) float32 of unit length: the vision features under each mask, to be
            compared (by their dot product) with those of another look of the same kind. Zeros for
            an empty mask.
        presences: (n,) float32 in [0, 1], how likely what is under the mask is what the query
            means, and none of the other things that the model has concepts of; None for a model
            that has none. See :func:`presence`.
        timings: seconds per stage.
    """

    mask_logits: NDArray[np.float32]
    masks: NDArray[np.bool_]
    scores: NDArray[np.float32]
    appearances: NDArray[np.float32]
    presences: NDArray[np.float32] | None = None
    timings: dict[str, float] = field(default_factory=dict)


class CanLook(Protocol):
    """A segmenter that can look again with the queries of an answer."""

    def look(
        self,
        image: NDArray[np.uint8],
        queries: NDArray[np.float32],
        *,
        region: CropWindow | None = None,
    ) -> Look:
        """See :meth:`lisa_model.segmenter.ReasoningSegmenter.look`."""


def checked_queries(queries: NDArray[np.float32], dim: int) -> NDArray[np.float32]:
    """Return queries that fit a model.

    Raises:
        ValueError: they are not (n, dim) finite floating-point numbers.
    """
    if queries.ndim != 2 or queries.shape[1] != dim:
        raise ValueError(f"queries must be (n, {dim}) for this model, got {queries.shape}")
    if queries.dtype != np.float32 or not np.isfinite(queries).all():
        raise ValueError("queries must be finite float32 numbers")
    return queries


def check_region(region: CropWindow, image: NDArray[np.uint8]) -> None:
    """Refuse a region that leaves the image.

    Raises:
        ValueError: naming both.
    """
    height, width = image.shape[:2]
    if region.x1 > width or region.y1 > height:
        raise ValueError(f"region {region.xyxy} leaves the image of {width}x{height}")


def appearance(features: Tensor, logits: Tensor) -> NDArray[np.float32]:
    """Mean of features under a mask, of unit length; zeros for an empty mask.

    Args:
        features: (dim, h, w) of a frame or a region.
        logits: (H, W) mask logits of the same frame or region, any size.

    Returns:
        (dim,) float32.
    """
    return F.normalize(mean_under(features, logits[None])[0], dim=0).cpu().numpy()


def mean_under(features: Tensor, logits: Tensor) -> Tensor:
    """Mean of features under masks, (n, dim) float32; zeros for an empty mask.

    Args:
        features: (dim, h, w) of a frame or a region.
        logits: (n, H, W) mask logits of the same frame or region, any size.
    """
    grid = (features.shape[-2], features.shape[-1])
    shares = F.adaptive_avg_pool2d((logits > 0).float(), grid).to(features.device)
    # No matrix product: autocast would make half precision of it.
    sums = [(features.float() * one).sum((1, 2)) for one in shares]
    weights = shares.sum((1, 2)).clamp(min=torch.finfo(torch.float32).tiny)
    return torch.stack(sums) / weights[:, None]


def presence(appearance: Tensor, query: Tensor, concepts: Tensor, *, scale: float) -> Tensor:
    """How likely looks are those of what a query means: P(query | looks).

    A softmax over the query and all concepts that mean something else, as in the training of the
    aligned features. Whether a thing is what was asked for depends less on the side from which it
    is seen than whether it looks as it did.

    Args:
        appearance: (dim,) of unit length, or zeros (a mask without pixels: 0 is returned).
        query: (dim,).
        concepts: (k, dim).
        scale: cosine -> logit.

    Returns:
        scalar in [0, 1].
    """
    if not appearance.any():
        return appearance.new_zeros(())
    query, concepts = F.normalize(query, dim=-1), F.normalize(concepts, dim=-1)
    others = concepts[concepts @ query < SAME_CONCEPT]
    logits = scale * torch.cat([query[None], others]) @ appearance
    return logits.softmax(0)[0]
