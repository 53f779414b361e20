"""From CLIP features to the LLM's embeddings: one linear layer (LLaVA v1) or two (LLaVA-1.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn

from lisa_model.errors import WeightsMissingError


def build_projector(
    shapes: Mapping[str, Sequence[int]], prefix: str, *, where: str = "the checkpoint"
) -> nn.Module:
    """The projector that a checkpoint's tensors belong to.

    Args:
        shapes: of all tensors of the checkpoint, by key.
        prefix: of the projector's keys, such as ``model.mm_projector.``.
        where: the checkpoint's folder, for messages.

    Raises:
        WeightsMissingError: the keys fit neither kind.
    """
    if prefix + "weight" in shapes:
        out, width = shapes[prefix + "weight"]
        return nn.Linear(width, out)
    first, second = prefix + "0.weight", prefix + "2.weight"
    if first in shapes and second in shapes:
        hidden, width = shapes[first]
        out = shapes[second][0]
        return nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, out))
    raise WeightsMissingError(
        f"{where} has no projector: neither {prefix + 'weight'!r} (one layer) nor {first!r} and "
        f"{second!r} (two layers). Download all files of the checkpoint"
    )
