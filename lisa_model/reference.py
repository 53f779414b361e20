"""Which one is meant: "the red one", "the leftmost", "the one next to the kettle".

A [SEG]'s prompt says what kind of thing is meant; its :class:`Reference` says which of them. Three
things decide, and each is a comparison within the image, so that the LLM need only know words:

* what a patch is like (colour, place, kind): ``which`` is compared with the patch's keys. The sum
  is its *appeal*, and the most appealing of the candidates wins ("leftmost" is a direction, the
  candidates are what the prompt marks);
* how far it is from up to two *anchors*, other things that the words name ("between the kettle and
  the clock"). An anchor is found as a prompt is: by comparison with the aligned patches. Itself it
  is not meant: the nearest neighbour of the kettle is not the kettle;
* whether any thing will do (``generic``), as in "the thing on the left".

The place of the winner is given to the decoder like a click: the outline is then a matter of what
the picture shows there.

All coordinates are those of the whole frame, -1 to 1. A closer look at a part of the frame sees
neither all candidates nor the anchors, so it is given what the whole frame has told
(:class:`Context`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ANCHORS = 2
# Neighbours may be a tenth of the picture apart, and one must win clearly; an LLM's states, through
# a layer that has just begun to learn, give numbers around 0.1.
APPEAL_SCALE = 10.0
# What an anchor loses, in distances: more than the picture's width.
OWN_DISTANCE = 3.0


@dataclass(frozen=True)
class Reference:
    """Which things n prompts mean.

    Attributes:
        which: (n, key_dim) what their patches are like.
        reach: (n, ANCHORS) weight of the distance from each anchor; negative for "near".
        anchors: (n, ANCHORS, out_dim) the anchors' prompts; only their direction counts.
        generic: (n,) 0..1, how far any thing will do.
    """

    which: Tensor
    reach: Tensor
    anchors: Tensor
    generic: Tensor

    def __len__(self) -> int:
        return len(self.which)

    def select(self, index: Tensor | slice) -> Reference:
        """Rows of it."""
        return self._each(lambda one: one[index])

    def float(self) -> Reference:
        """In float32."""
        return self._each(Tensor.float)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Reference:
        return Reference(
            change(self.which), change(self.reach), change(self.anchors), change(self.generic)
        )

    def scaled(self, share: Tensor) -> Reference:
        """Every row as strong as its share (n,) says; of 0 there is no reference."""
        return Reference(
            self.which * share[:, None],
            self.reach * share[:, None],
            self.anchors,
            self.generic * share,
        )


def no_reference(prompts: Tensor, key_dim: int) -> Reference:
    """For prompts (n, out_dim) that mean whichever thing of their kind."""
    n = len(prompts)
    return Reference(
        prompts.new_zeros(n, key_dim),
        prompts.new_zeros(n, ANCHORS),
        prompts[:, None].expand(-1, ANCHORS, -1),
        prompts.new_zeros(n),
    )


def joined(parts: list[Reference]) -> Reference:
    """The rows of several."""
    return Reference(
        torch.cat([one.which for one in parts]),
        torch.cat([one.reach for one in parts]),
        torch.cat([one.anchors for one in parts]),
        torch.cat([one.generic for one in parts]),
    )


@dataclass(frozen=True)
class Context:
    """What the whole frame tells of n references.

    Attributes:
        anchors: (n, ANCHORS, 2) where the anchors are.
        best: (n,) the appeal of the most appealing candidate.
        point: (n, 2) where it is.
    """

    anchors: Tensor
    best: Tensor
    point: Tensor


@dataclass(frozen=True)
class Located:
    """What the patches of n views say to n references.

    Attributes:
        context: of the whole frames.
        appeals: (n, h, w) how well each patch answers.
        candidate: (n, h, w) logits that each is of the meant kind.
    """

    context: Context
    appeals: Tensor
    candidate: Tensor

    def clicked(self, point: Tensor) -> Located:
        """The same with other places (n, 2) of what is meant."""
        return replace(self, context=replace(self.context, point=point))


class ReferenceFcs(nn.Module):
    """LLM states that predict a [SEG] -> what they say of which thing is meant."""

    def __init__(self, *, llm_dim: int, out_dim: int, key_dim: int) -> None:
        super().__init__()
        self.out_dim = out_dim
        self.hidden = nn.Linear(llm_dim, llm_dim)
        self.which = nn.Linear(llm_dim, key_dim)
        self.reach = nn.Linear(llm_dim, ANCHORS)
        self.anchors = nn.Linear(llm_dim, ANCHORS * out_dim)
        self.generic = nn.Linear(llm_dim, 1)
        # Hardly any question is of the kind "the thing on the left".
        nn.init.constant_(self.generic.bias, -3.0)
        # Silent at first: any other start would prefer one thing to another at random.
        for layer in (self.which, self.reach):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, states: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(n, llm_dim) -> which (n, key_dim), reach (n, ANCHORS), raw anchors (n, ANCHORS,
        out_dim), logit of generic (n,)."""
        hidden = F.relu(self.hidden(states))
        anchors = self.anchors(hidden).view(len(states), ANCHORS, self.out_dim)
        return self.which(hidden), self.reach(hidden), anchors, self.generic(hidden)[:, 0]


def anchor_cosines(aligned: Tensor, anchors: Tensor) -> Tensor:
    """How much each patch looks like each anchor, (n, ANCHORS, h, w): cosines.

    Args:
        aligned: (n, out_dim, h, w) unit-length patch vectors.
        anchors: (n, ANCHORS, out_dim).
    """
    return torch.einsum("nac,nchw->nahw", F.normalize(anchors, dim=-1), aligned)


def anchor_places(cosines: Tensor, grid: Tensor, scale: Tensor) -> Tensor:
    """Where anchors are: the mean place of the patches that look like them, (n, ANCHORS, 2).

    Args:
        cosines: (n, ANCHORS, h, w).
        grid: (n, 2, h, w) places of the patches.
        scale: of the cosines; a softmax over the patches follows.
    """
    share = (scale * cosines).flatten(2).softmax(-1)
    return torch.einsum("nap,ndp->nad", share, grid.flatten(2))


def appeal(
    keys: Tensor, grid: Tensor, reference: Reference, anchors: Tensor, likeness: Tensor
) -> Tensor:
    """How well each patch answers to a reference, (n, h, w); only differences count.

    Args:
        keys: (n, key_dim, h, w) what the patches are like.
        grid: (n, 2, h, w) their places.
        reference: n rows.
        anchors: (n, ANCHORS, 2) places.
        likeness: (n, ANCHORS, h, w) how far a patch is an anchor itself.
    """
    like = torch.einsum("nc,nchw->nhw", reference.which, keys) / keys.shape[1] ** 0.5
    apart = grid[:, None] - anchors[..., None, None]
    distance = (apart.square().sum(2) + 1e-4).sqrt()
    reached = torch.einsum("na,nahw->nhw", reference.reach, distance)
    own = torch.einsum("na,nahw->nhw", reference.reach.abs(), likeness)
    return APPEAL_SCALE * (like + reached - OWN_DISTANCE * own)


def candidates(similarity: Tensor, things: Tensor, generic: Tensor) -> Tensor:
    """Logit per patch that it is of the meant kind: (n, h, w).

    Args:
        similarity: (n, h, w) logits of the prompt.
        things: (n, h, w) logits that a patch shows any thing.
        generic: (n,) 0..1, how far any thing will do.
    """
    share = generic[:, None, None]
    return (1 - share) * similarity + share * things


def chances(appeals: Tensor, candidate: Tensor, weight: Tensor) -> Tensor:
    """Logits over the patches of a whole frame that each is where the meant thing is: (n, h, w).

    Args:
        appeals: (n, h, w); candidate: (n, h, w) logits.
        weight: how much it counts that a patch is no candidate.
    """
    return appeals + weight * F.logsigmoid(candidate)


def best_appeal(appeals: Tensor, chance: Tensor) -> Tensor:
    """The appeal of the most appealing candidates, (n,): a mean over patches, soft as to which.

    Args:
        appeals: (n, h, w); chance: (n, h, w) see :func:`chances`.
    """
    return (chance.flatten(1).softmax(1) * appeals.flatten(1)).sum(1)


def best_place(chance: Tensor, grid: Tensor) -> Tensor:
    """The place of the likeliest patch, (n, 2).

    Args:
        chance: (n, h, w); grid: (n, 2, h, w) places.
    """
    best = chance.flatten(1).argmax(1)
    return grid.flatten(2).gather(2, best[:, None, None].expand(-1, 2, 1))[..., 0]


def patch_units(point: Tensor, grid: Tensor) -> Tensor:
    """Places (n, 2) of the whole frame -> columns and rows of a view's grid, 0 at its edge.

    Args:
        grid: (n, 2, h, w) places of the view's patches, at least two by two.
    """
    first, last = grid[:, :, 0, 0], grid[:, :, -1, -1]
    sides = point.new_tensor([grid.shape[-1], grid.shape[-2]])
    return (point - first) / (last - first) * (sides - 1) + 0.5


def shown_at(patches: Tensor, at: Tensor) -> Tensor:
    """What the patches (n, c, h, w) at places ``at`` show: (n, c); beyond the edge, at the edge.

    Args:
        patches: of views.
        at: (n, 2) columns and rows, see :func:`patch_units`.
    """
    rows, columns = patches.shape[-2:]
    x = at[:, 0].floor().long().clamp(0, columns - 1)
    y = at[:, 1].floor().long().clamp(0, rows - 1)
    return patches[torch.arange(len(at), device=at.device), :, y, x]


def spot(at: Tensor, rows: int, columns: int) -> Tensor:
    """A bump of one patch's width at places (n, 2) of a view: (n, rows, columns), at most 1.

    Args:
        at: columns and rows, see :func:`patch_units`.
        rows, columns: of the view.
    """
    x = torch.arange(columns, device=at.device) + 0.5 - at[:, :1]
    y = torch.arange(rows, device=at.device) + 0.5 - at[:, 1:]
    return torch.exp(-0.5 * (x.square()[:, None, :] + y.square()[:, :, None]))


def handicap(appeals: Tensor, best: Tensor) -> Tensor:
    """What a patch loses to the best candidate: (n, h, w), 0 where it is as appealing.

    More appeal than the best candidate's gains next to nothing: those are no candidates.
    """
    return F.softplus(torch.zeros_like(best))[:, None, None] - F.softplus(
        best[:, None, None] - appeals
    )
