"""What a [SEG] means, and whether what a mask shows is that."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lisa_model.reference import Reference


@dataclass(frozen=True)
class Meaning:
    """What one [SEG] says.

    Attributes:
        prompt: (out_dim,) what kind of thing to mark, of those that the picture shows.
        words: (out_dim,) what kind of thing was meant, whatever the picture shows.
        reference: which of several, 1 row; None for whichever.
        certainty: 0..1 that there is something to mark.
    """

    prompt: Tensor
    words: Tensor
    reference: Reference | None = None
    certainty: float = 1.0

    @property
    def generic(self) -> float:
        """0..1, how far any kind of thing will do ("the thing on the left")."""
        return 0.0 if self.reference is None else float(self.reference.generic)


def agreement(one: Tensor, other: Tensor) -> Tensor:
    """How far two classifications agree: the Bhattacharyya coefficient of the softmax of their
    logits (..., k), in [0, 1].

    The picture makes of a misread or an absent thing another one that is there, and what is marked
    then looks like what it was marked for. Beside the words alone the difference shows.
    """
    shares = torch.softmax(one.float(), dim=-1) * torch.softmax(other.float(), dim=-1)
    return shares.sqrt().sum(-1)
