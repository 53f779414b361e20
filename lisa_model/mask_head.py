"""The mask side of LISA at small scale: [SEG] prompt + vision features -> mask logits.

SAM's own two-way transformer and mask decoder (package ``segment_anything``) do the work. What is
added, because a small encoder's grid is coarse and household targets are a few patches wide:

* ``neck``: vision features -> decoder width, like the neck of SAM's image encoder;
* ``similarity``: cosine between the [SEG] prompt and every aligned patch. It enters as SAM's dense
  (mask) prompt, so the decoder starts from where the meant thing seems to be;
* ``stem``: convolutions on the RGB image at the output resolution, added inside the upscaling
  (as SAM 2 does with its high-resolution features), for edges that a 14 px patch cannot hold.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from segment_anything.modeling.common import LayerNorm2d
from segment_anything.modeling.mask_decoder import MaskDecoder
from segment_anything.modeling.prompt_encoder import PositionEmbeddingRandom
from segment_anything.modeling.transformer import TwoWayTransformer
from torch import Tensor, nn

from lisa_model.config import LisaConfig

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
    """

    embedding: Tensor
    aligned: Tensor
    stem: Tensor

    def select(self, index: Tensor) -> ImageFeatures:
        """Features of the images in ``index`` (n,) int64, one row per prompt."""
        return ImageFeatures(self.embedding[index], self.aligned[index], self.stem[index])


class FineMaskDecoder(MaskDecoder):
    """SAM's mask decoder, with fine features added before its last upscaling activation.

    Unlike the original, one image row belongs to each prompt row (the caller selects), so that
    prompts of several images run in one batch.
    """

    def predict_fine(
        self,
        *,
        embedding: Tensor,
        position: Tensor,
        sparse: Tensor,
        dense: Tensor,
        stem: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Decode one mask per row.

        Args:
            embedding: (n, dim, h, w).
            position: (1, dim, h, w) positional encoding.
            sparse: (n, k, dim) prompt tokens.
            dense: (n, dim, h, w) dense prompt.
            stem: (n, dim // 8, 4h, 4w).

        Returns:
            mask logits (n, 4h, 4w) and predicted IoU (n,).
        """
        n, c, h, w = embedding.shape
        output = torch.cat([self.iou_token.weight, self.mask_tokens.weight], dim=0)
        tokens = torch.cat([output.unsqueeze(0).expand(n, -1, -1), sparse], dim=1)
        hidden, source = self.transformer(embedding + dense, position.expand(n, -1, -1, -1), tokens)
        source = source.transpose(1, 2).reshape(n, c, h, w)
        up1, norm, act1, up2, act2 = self.output_upscaling
        fine = act2(up2(act1(norm(up1(source)))) + stem)
        # LISA asks SAM for a single mask (multimask_output=False): mask token 0.
        kernel = self.output_hypernetworks_mlps[0](hidden[:, 1])
        logits = torch.einsum("nc,nchw->nhw", kernel, fine)
        return logits, self.iou_prediction_head(hidden[:, 0])[:, 0]


class MaskHead(nn.Module):
    """[SEG] prompts + vision features -> mask logits at four times the feature grid."""

    def __init__(self, *, config: LisaConfig) -> None:
        super().__init__()
        head = config.mask_head
        dim, fine = head.dim, head.dim // 8
        self.neck = nn.Sequential(
            nn.Conv2d(config.vision_dim, dim, 1, bias=False),
            LayerNorm2d(dim),
            nn.Conv2d(dim, dim, 3, padding=1, bias=False),
            LayerNorm2d(dim),
        )
        self.align = nn.Sequential(
            nn.Conv2d(config.vision_dim, 2 * config.out_dim, 1),
            nn.GELU(),
            nn.Conv2d(2 * config.out_dim, config.out_dim, 1),
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
        self.position = PositionEmbeddingRandom(dim // 2)
        self.decoder = FineMaskDecoder(
            transformer_dim=dim,
            transformer=TwoWayTransformer(
                depth=head.depth, embedding_dim=dim, num_heads=head.num_heads, mlp_dim=head.mlp_dim
            ),
        )

    def encode(self, vision: Tensor, rgb: Tensor) -> ImageFeatures:
        """Features of a batch of images.

        Args:
            vision: (B, vision_dim, h, w) patch features of the frozen encoder.
            rgb: (B, 3, 8h, 8w) the same image, normalised like the encoder's input.
        """
        aligned = F.normalize(self.align(vision), dim=1)
        return ImageFeatures(self.neck(vision), aligned, self.stem(rgb))

    def similarity(self, features: ImageFeatures, prompt: Tensor) -> Tensor:
        """Logit per patch that it belongs to the meant thing: (n, h, w); prompt (n, out_dim)."""
        cosine = torch.einsum("nc,nchw->nhw", F.normalize(prompt, dim=1), features.aligned)
        return cosine * self.similarity_scale + self.similarity_bias

    def log_presence(self, features: ImageFeatures, codebook: Tensor) -> Tensor:
        """How sure the best patch of an image is of each concept.

        Args:
            features: of one image.
            codebook: (concepts, out_dim) concept vectors.

        Returns:
            (concepts,) log-probabilities; they need not sum to one over concepts.
        """
        concepts = F.normalize(codebook.float(), dim=-1)
        cosine = torch.einsum("kc,chw->khw", concepts, features.aligned[0].float())
        return (PRESENCE_SCALE * cosine).log_softmax(0).flatten(1).amax(1)

    def forward(self, features: ImageFeatures, prompt: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Decode prompts; row i of ``prompt`` (n, out_dim) belongs to row i of ``features``.

        Returns:
            mask logits (n, 4h, 4w), predicted IoU (n,), patch similarity logits (n, h, w).
        """
        similarity = self.similarity(features, prompt)
        # The contrast against the best patch says "one of the candidates" apart from "nothing".
        contrast = similarity - similarity.flatten(1).amax(1)[:, None, None]
        dense = self.dense_prompt(torch.stack([similarity, contrast], dim=1))
        grid = (features.embedding.shape[-2], features.embedding.shape[-1])
        sparse = self.sparse_prompt(F.normalize(prompt, dim=1) * prompt.shape[1] ** 0.5)
        logits, iou = self.decoder.predict_fine(
            embedding=features.embedding,
            position=self.position(grid).unsqueeze(0).to(features.embedding.dtype),
            sparse=sparse.unsqueeze(1),
            dense=dense,
            stem=features.stem,
        )
        return logits, iou, similarity
