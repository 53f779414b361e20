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


def agreement(meant: Tensor, looks: Tensor) -> Tensor:
    """How well something is what words mean, 0..1: what it looks like, each kind as plausible as
    the words make it beside the kind that they make most plausible.

    "Something a handyman works with" means a hammer and five other things, and a hammer is that as
    fully as a mug is "the mug". The picture makes of a misread or an absent thing another one that
    is there, and what is marked then looks like what it was marked for; beside the words alone the
    difference shows.

    Args:
        meant: (..., k) logits of what the words mean.
        looks: (..., k) logits of what something looks like.
    """
    plausible = torch.softmax(meant.float(), dim=-1)
    plausible = plausible / plausible.amax(-1, keepdim=True)
    return (torch.softmax(looks.float(), dim=-1) * plausible).sum(-1)
