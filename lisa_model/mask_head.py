"""The mask side of LISA at small scale: [SEG] prompt + vision features -> mask logits.

SAM's own two-way transformer and mask decoder (package ``segment_anything``) do the work. What is
added, because a small encoder's grid is coarse and household targets are a few patches wide:

* ``neck``: vision features -> decoder width, like the neck of SAM's image encoder;
* ``similarity``: cosine between the [SEG] prompt and every aligned patch. It enters as SAM's dense
  (mask) prompt, so the decoder starts from where the meant thing seems to be;
* ``stem``: convolutions on the RGB image at the output resolution, added inside the upscaling
  (as SAM 2 does with its high-resolution features), for edges that a 14 px patch cannot hold;
* ``naming``: what a mask shows. Whether that is what was asked for decides if it is shown at all;
* ``extents``: how large the thing is that a patch shows, and where its foot is;
* ``reference``: which of several things of one kind is meant ("the red one", "the one left of the
  laptop"); see :mod:`lisa_model.reference`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from segment_anything.modeling.common import LayerNorm2d
from segment_anything.modeling.prompt_encoder import PositionEmbeddingRandom
from segment_anything.modeling.transformer import TwoWayTransformer
from torch import Tensor, nn

from lisa_model.config import LisaConfig
from lisa_model.fine_decoder import FineMaskDecoder
from lisa_model.look import mean_under
from lisa_model.reference import (
    Context,
    Located,
    Reference,
    anchor_cosines,
    anchor_places,
    appeal,
    best_appeal,
    best_place,
    candidates,
    chances,
    handicap,
    no_reference,
    patch_units,
    shown_at,
    spot,
)
from lisa_model.reference_keys import (
    COLOUR_CHANNELS,
    EXTENT_CHANNELS,
    PLACE_CHANNELS,
    PLAIN_SCALE,
    colour,
    key_dim,
    place,
)

UPSCALE = 4  # SAM's decoder answers at four times the feature grid
PRESENCE_SCALE = 16.0  # cosine -> logit, as in the training of the patch alignment
STEM_SCALE = 8  # the RGB stem reads the image at eight times the grid


@dataclass(frozen=True)
class ImageFeatures:
    """What the mask head needs of one image; computed once, used by every intent on it.

    Attributes:
        embedding: (B, dim, h, w) neck output.
        aligned: (B, out_dim, h, w) unit-length patch vectors, comparable with a [SEG] prompt.
        stem: (B, dim // 8, 4h, 4w) fine features.
        keys: (B, key_dim, h, w) what a reference is compared with; None for a head without.
        things: (B, h, w) logit that a patch shows any thing; None for a head without reference.
        grid: (B, 2, h, w) places of the patches in the whole frame; None likewise.
    """

    embedding: Tensor
    aligned: Tensor
    stem: Tensor
    keys: Tensor | None = None
    things: Tensor | None = None
    grid: Tensor | None = None

    def select(self, index: Tensor) -> ImageFeatures:
        """Features of the images in ``index`` (n,) int64, one row per prompt."""
        more = [None if one is None else one[index] for one in (self.keys, self.things, self.grid)]
        return ImageFeatures(self.embedding[index], self.aligned[index], self.stem[index], *more)


class PatchAlign(nn.Sequential):
    """Patch features -> the space of [SEG] prompts, each patch by itself; length is not fixed.

    Args:
        inputs, hidden, outputs: widths.
        dropout: share of hidden units left out in training, 0..1.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, *, dropout: float) -> None:
        super().__init__(nn.Conv2d(inputs, hidden, 1), nn.GELU(), nn.Conv2d(hidden, outputs, 1))
        self.dropout = dropout

    def forward(self, vision: Tensor) -> Tensor:
        """(B, inputs, h, w) -> (B, outputs, h, w)."""
        first, activation, last = self
        hidden = F.dropout(activation(first(vision)), self.dropout, self.training)
        return last(hidden)

    def rows(self, vectors: Tensor) -> Tensor:
        """The same of a table of patches, or of means of some: (n, inputs) -> (n, outputs)."""
        # One row of patches: a 1 x 1 convolution sees each by itself.
        return self(vectors.T[None, :, None])[0, :, 0].T


class MaskHead(nn.Module):
    """[SEG] prompts + vision features -> mask logits at four times the feature grid."""

    def __init__(self, *, config: LisaConfig) -> None:
        super().__init__()
        head = config.mask_head
        self.presence_cell = config.presence_cell
        dim, fine = head.dim, head.dim // 8
        self.neck = nn.Sequential(
            nn.Conv2d(config.vision_dim, dim, 1, bias=False),
            LayerNorm2d(dim),
            nn.Conv2d(dim, dim, 3, padding=1, bias=False),
            LayerNorm2d(dim),
        )
        self.align = PatchAlign(
            config.vision_dim, head.align_dim, config.out_dim, dropout=head.align_dropout
        )
        # Cosine -> logit; learned, as in CLIP. Starts at 10 (softmax over some 1,000 patches).
        self.similarity_scale = nn.Parameter(torch.tensor(10.0))
        self.similarity_bias = nn.Parameter(torch.tensor(-4.0))
        self.dense_prompt = nn.Sequential(
            nn.Conv2d(2, dim // 4, 3, padding=1), nn.GELU(), nn.Conv2d(dim // 4, dim, 1)
        )
        self.sparse_prompt = nn.Linear(config.out_dim, dim)
        self.stem = nn.Sequential(
            nn.Conv2d(3, head.stem_dim // 2, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(head.stem_dim // 2, head.stem_dim, 3, stride=2, padding=1),
            LayerNorm2d(head.stem_dim),
            nn.GELU(),
            nn.Conv2d(head.stem_dim, head.stem_dim, 3, padding=1),
            LayerNorm2d(head.stem_dim),
            nn.GELU(),
            nn.Conv2d(head.stem_dim, fine, 3, padding=1),
        )
        self.key_dim = key_dim(head)
        if self.key_dim:
            inputs = config.out_dim + dim + COLOUR_CHANNELS + PLACE_CHANNELS
            self.reference_key = nn.Sequential(
                nn.Conv2d(inputs, dim, 1), nn.GELU(), nn.Conv2d(dim, head.referent_dim, 1)
            )
            self.reference_things = nn.Conv2d(dim, 1, 1)
            # A patch that is clearly no candidate loses more than any place gains.
            self.reference_candidate = nn.Parameter(torch.tensor(6.0))
            # Cosines are 1 at most, and a frame has some 1,000 patches (e^7) that are no anchor. By
            # half of it, things that look a little like an anchor drew its place away.
            self.reference_anchor = nn.Parameter(torch.tensor(48.0))
            self.reference_dense = nn.Conv2d(3, dim, 1, bias=False)
            self.reference_sparse = nn.Linear(self.key_dim, dim)
            self.reference_point = nn.Linear(dim, dim, bias=False)
            # Silent at first: the head learns kinds of things before it tells them apart.
            nn.init.zeros_(self.reference_dense.weight)
            nn.init.zeros_(self.reference_point.weight)
        self.position = PositionEmbeddingRandom(dim // 2)
        self.decoder = FineMaskDecoder(
            transformer_dim=dim,
            transformer=TwoWayTransformer(
                depth=head.depth, embedding_dim=dim, num_heads=head.num_heads, mlp_dim=head.mlp_dim
            ),
        )
        self.naming = (
            PatchAlign(
                config.vision_dim, head.naming_dim, config.out_dim, dropout=head.align_dropout
            )
            if head.naming_dim
            else None
        )
        self.extents = (
            PatchAlign(config.vision_dim, head.extent_dim, EXTENT_CHANNELS, dropout=0.0)
            if head.extent_dim and head.referent_dim
            else None
        )

    def encode(self, vision: Tensor, rgb: Tensor, windows: Tensor | None = None) -> ImageFeatures:
        """Features of a batch of images.

        Args:
            vision: (B, vision_dim, h, w) patch features of the frozen encoder.
            rgb: (B, 3, 8h, 8w) the same image, normalised like the encoder's input.
            windows: (B, 4) x0, y0, x1, y1 of each image in the frame that it was cut from, as
                shares of the frame's sides; None for whole frames.
        """
        aligned = F.normalize(self.align(vision), dim=1)
        embedding = self.neck(vision)
        stem = self.stem(rgb)
        if not self.key_dim:
            return ImageFeatures(embedding, aligned, stem)
        here = place(windows, len(vision), vision.shape[-2:], vision)
        plain = [colour(rgb, vision.shape[-2:]).to(vision.dtype), here]
        like = [aligned.to(vision.dtype), embedding.to(vision.dtype), *plain]
        learnt = self.reference_key(torch.cat(like, dim=1))
        if self.extents is not None:
            plain.insert(0, self.extent(vision, windows, here).to(vision.dtype))
        keys = torch.cat([learnt.to(vision.dtype), *(PLAIN_SCALE * one for one in plain)], dim=1)
        things = self.reference_things(embedding)[:, 0]
        return ImageFeatures(embedding, aligned, stem, keys, things, here[:, :2])

    @torch.no_grad()
    def extent(self, vision: Tensor, windows: Tensor | None, here: Tensor) -> Tensor:
        """Estimated extent of the thing that each patch shows, in the whole frame: (B, 2, h, w).

        Logarithm of the root of its share of the frame (half the share, 0.35 less), and how low its
        foot is, -1 to 1: what stands on one table is nearer the lower that is.

        Args:
            vision, windows: as for :meth:`encode`.
            here: (B, 10, h, w) see :func:`place`.
        """
        assert self.extents is not None, "the head estimates no extents"
        size, below = self.extents(vision).float().unbind(1)
        if windows is not None:
            sides = (windows[:, 2:] - windows[:, :2]).to(size)
            size = size + 0.5 * sides.prod(1).log()[:, None, None]
            below = below * sides[:, 1, None, None]
        return torch.stack([size, here[:, 1].float() + 2.0 * below], dim=1)

    def looks(self, vision: Tensor, features: ImageFeatures, logits: Tensor) -> Tensor:
        """What is under the masks of one image, comparable with [SEG] prompts: (n, out_dim).

        Args:
            vision: (1, vision_dim, h, w) of the frozen encoder.
            features: of the same image.
            logits: (n, H, W) of masks, any size.

        Returns:
            float32 of unit length; zeros for an empty mask.
        """
        if self.naming is None:
            return F.normalize(mean_under(features.aligned[0], logits), dim=1)
        means = mean_under(vision[0], logits)
        named = F.normalize(self.naming.rows(means).float(), dim=1)
        return named * means.any(1, keepdim=True)

    def similarity(self, features: ImageFeatures, prompt: Tensor) -> Tensor:
        """Logit per patch that it belongs to the meant thing: (n, h, w); prompt (n, out_dim)."""
        aligned = features.aligned.to(prompt.dtype)
        return self._logit(torch.einsum("nc,nchw->nhw", F.normalize(prompt, dim=1), aligned))

    def _logit(self, cosine: Tensor) -> Tensor:
        return cosine * self.similarity_scale + self.similarity_bias

    def log_presence(self, features: ImageFeatures, codebook: Tensor) -> Tensor:
        """How sure the best place of each image is of each concept.

        A place is a square of ``presence_cell`` patches a side: one patch is taken for anything.

        Args:
            features: of B images.
            codebook: (concepts, out_dim) concept vectors.

        Returns:
            (B, concepts) log-probabilities; they need not sum to one over concepts.
        """
        concepts = F.normalize(codebook.float(), dim=-1)
        cosine = torch.einsum("kc,bchw->bkhw", concepts, features.aligned.float())
        shown = (PRESENCE_SCALE * cosine).log_softmax(1)
        if self.presence_cell > 1:
            rows, columns = (min(self.presence_cell, side) for side in shown.shape[-2:])
            mean = F.avg_pool2d(shown.exp(), (rows, columns), stride=1)
            shown = mean.clamp(min=torch.finfo(mean.dtype).tiny).log()
        return shown.flatten(2).amax(2)

    def locate(
        self,
        features: ImageFeatures,
        prompt: Tensor,
        reference: Reference,
        context: Context | None = None,
    ) -> Located:
        """How well each patch answers to references, and whether it is of the meant kind.

        Args:
            features: one row for each prompt, of a head with reference.
            prompt: (n, out_dim).
            reference: n rows.
            context: of the whole frames; None where the features are of whole frames.

        Returns:
            everything in float32.
        """
        assert features.keys is not None, "the head has no reference"
        assert features.grid is not None
        assert features.things is not None
        grid, said = features.grid.float(), reference.float()
        # Coordinates and large sums: bfloat16 would round away small distances.
        with torch.autocast(prompt.device.type, enabled=False):
            cosines = anchor_cosines(features.aligned.float(), said.anchors)
            if context is None:
                anchors = anchor_places(cosines, grid, self.reference_anchor)
            else:
                anchors = context.anchors
            likeness = self._logit(cosines).sigmoid()
            appeals = appeal(features.keys.float(), grid, said, anchors, likeness)
            kind = self.similarity(features, prompt).float()
            candidate = candidates(kind, features.things.float(), said.generic)
            if context is None:
                chance = chances(appeals, candidate, self.reference_candidate)
                best = best_appeal(appeals, chance)
                context = Context(anchors, best, best_place(chance, grid))
        return Located(context, appeals, candidate)

    def forward(
        self,
        features: ImageFeatures,
        prompt: Tensor,
        reference: Reference | None = None,
        located: Located | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Decode prompts; row i of ``prompt`` (n, out_dim) belongs to row i of ``features``.

        Args:
            features: one row for each prompt.
            prompt: what kind of thing is meant.
            reference: which one, n rows; None for whichever.
            located: what :meth:`locate` says of these features; None to ask it, where they are of
                whole frames.

        Returns:
            mask logits (n, 4h, 4w), predicted IoU (n,), patch similarity logits (n, h, w).
        """
        if reference is None and self.key_dim:
            reference = no_reference(prompt, self.key_dim)
        like = F.normalize(prompt, dim=1)
        if reference is not None:
            located = located or self.locate(features, prompt, reference)
            less = handicap(located.appeals, located.context.best)
            wanted = located.candidate + less
            at = self._clicked(features, located.context.point)
            # Where any thing will do, its kind is what the click shows.
            told = reference.generic.to(like.dtype)[:, None]
            like = (1.0 - told) * like + told * shown_at(features.aligned, at).to(like.dtype)
        kind = self.similarity(features, like)
        # The contrast against the best patch says "one of the candidates" apart from "nothing".
        contrast = kind - kind.flatten(1).amax(1)[:, None, None]
        dense = self.dense_prompt(torch.stack([kind, contrast], dim=1))
        grid = (features.embedding.shape[-2], features.embedding.shape[-1])
        sparse = self.sparse_prompt(like * prompt.shape[1] ** 0.5).unsqueeze(1)
        if reference is None:
            wanted = kind
        else:
            # Squashed: a handicap may be any size, and from some on it is all the same.
            cues = [torch.tanh(less / 4), torch.sigmoid(wanted), spot(at, *grid)]
            dense = dense + self.reference_dense(torch.stack(cues, dim=1))
            click = self.position.forward_with_coords(at[:, None], grid)[:, 0]
            said = self.reference_sparse(reference.which)
            said = said + self.reference_point(click.to(said.dtype))
            sparse = torch.cat([sparse, said.unsqueeze(1)], dim=1)
        logits, iou = self.decoder.predict_fine(
            embedding=features.embedding,
            position=self.position(grid).unsqueeze(0).to(features.embedding.dtype),
            sparse=sparse,
            dense=dense,
            stem=features.stem,
        )
        return logits, iou, wanted

    def _clicked(self, features: ImageFeatures, point: Tensor) -> Tensor:
        """Places (n, 2) of the whole frame in columns and rows of a view's patches."""
        assert features.grid is not None
        # A place outside a closer look is beyond its edge, no matter how far.
        sides = point.new_tensor([features.grid.shape[-1], features.grid.shape[-2]])
        return patch_units(point, features.grid.float()).clamp(-0.5 * sides, 1.5 * sides)
