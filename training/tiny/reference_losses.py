"""What the LLM learns of which thing is meant: from what a question was made of, without a mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from lisa_model.reference import Reference
from lisa_model.reference_keys import pulls, tints
from training.tiny.joint_questions import Target
from training.tiny.name_space import COSINE_SCALE
from training.tiny.readings import Reading, meant_shares

# How strong a pull is to be, to begin with: 20 logits a unit; the picture is 2 units wide.
PULL = 2.0
# How strongly a colour tells: strong colours are some 3 units apart.
TINT = 0.5


def name_loss(words: Tensor, meant: Sequence[Target], names: Tensor) -> tuple[Tensor, float]:
    """Cross entropy of what words mean, and the share of words that mean something that they fit.

    Args:
        words: (n, out_dim) raw prompts.
        meant: n targets; those whose words tell no category do not count.
        names: (categories, out_dim) of unit length.
    """
    told = torch.tensor([not one.generic for one in meant])
    known = [one for one in meant if not one.generic]
    cosine = F.normalize(words[told], dim=1) @ names.T
    return _understood(COSINE_SCALE * cosine, known, smoothing=0.05)


def shown_loss(logits: Tensor, meant: Sequence[Target]) -> tuple[Tensor, float]:
    """Cross entropy of what words mean beside a picture: of all that they fit, what is in view; and
    the share of words that are understood so.

    Args:
        logits: (n, concepts) of the blends, see ``LanguageModel.blended_logits``.
        meant: n targets; those that are absent, or whose words tell no category, do not count.
    """
    there = [k for k, one in enumerate(meant) if one.ids and not one.generic]
    if not there:
        return logits.sum() * 0.0, 0.0
    known = [replace(meant[k], others=Reading(meant[k].shown)) for k in there]
    loss, right = _understood(logits[there], known)
    return 0.5 * loss, right


def _understood(
    logits: Tensor, meant: Sequence[Target], smoothing: float = 0.0
) -> tuple[Tensor, float]:
    """Cross entropy of logits (n, categories) with what n targets' words fit, and the share whose
    best is among that."""
    others = [one.others for one in meant]
    shares = meant_shares([one.category for one in meant], others, logits.shape[1])
    loss = F.cross_entropy(logits, shares, label_smoothing=smoothing)
    return loss, float(fits(logits, meant).float().mean())


def fits(scores: Tensor, meant: Sequence[Target]) -> Tensor:
    """Whether the best of each row of scores (n, categories) is something that the words fit: (n,)
    bool."""
    best = scores.argmax(1).tolist()
    rows = zip(best, meant, strict=True)
    return torch.tensor([k == one.category or k in one.others.also for k, one in rows])


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
    for name, found, strength, told in (
        ("pull", pulls(reference), PULL, [one.pull for one in meant]),
        ("tint", tints(reference), TINT, [one.tint for one in meant]),
    ):
        if rows := [k for k, direction in enumerate(told) if direction is not None]:
            # On one scale: a tint is a smaller number than a pull, and tells as much.
            asked = PULL * torch.tensor([told[k] for k in rows])
            miss = F.smooth_l1_loss(PULL / strength * found[rows], asked, reduction="none")
            terms[name] = miss.sum(1).mean()
    return terms
