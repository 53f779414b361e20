"""What the LLM learns of which thing is meant: from what a question was made of, without a mask."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from lisa_model.mask_head import pulls
from lisa_model.reference import Reference
from training.tiny.joint_questions import Target
from training.tiny.name_space import COSINE_SCALE

# How strong a pull is to be, to begin with: 20 logits a unit; the picture is 2 units wide.
PULL = 2.0


def reference_losses(
    reference: Reference, anchors: Tensor, generic: Tensor, meant: Sequence[Target], names: Tensor
) -> dict[str, Tensor]:
    """What the words say of which thing is meant, learnt from what the question was made of.

    Args:
        reference: n rows.
        anchors: (n, ANCHORS, out_dim) before the codebook; generic: (n,) logits.
        meant: n targets; names: (categories, out_dim).
    """
    wanted = torch.tensor([one.anchors for one in meant])
    there = wanted >= 0
    cosine = COSINE_SCALE * F.normalize(anchors[there], dim=-1) @ names.T
    open_ = torch.tensor([float(one.generic) for one in meant])
    terms = {"generic": 0.5 * F.binary_cross_entropy_with_logits(generic, open_)}
    if there.any():
        terms["anchor"] = 0.5 * F.cross_entropy(cosine, wanted[there], label_smoothing=0.05)
    pulled = [(k, one.pull) for k, one in enumerate(meant) if one.pull is not None]
    if pulled:
        asked = PULL * torch.tensor([pull for _, pull in pulled])
        found = pulls(reference)[[k for k, _ in pulled]]
        terms["pull"] = F.smooth_l1_loss(found, asked, reduction="none").sum(1).mean()
    return terms
