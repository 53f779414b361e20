"""SAM as LISA uses it: image encoder, and mask decoder prompted by a [SEG] embedding.

The modules are those of the package ``segment_anything`` (their keys are the checkpoint's); the
encoder's attention is replaced by :class:`lisa_model.llava.sam_attention.FastAttention`. Another
network may take the image encoder's place, see :mod:`lisa_model.llava.backbones`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, TwoWayTransformer
from torch import Tensor, nn

from lisa_model.errors import WeightsCorruptError, WeightsMissingError
from lisa_model.llava.backbones import BackboneConfig, build_backbone
from lisa_model.llava.preprocessing import SAM_MEAN, SAM_STD, sam_pixels
from lisa_model.llava.sam_attention import FastAttention

# The shapes of a checkpoint do not tell the decoder's number of heads; all SAM models have 8.
DECODER_HEADS = 8
# (width, blocks) of the published image encoders, by segment-anything's names.
PUBLISHED = {(768, 12): "vit_b", (1024, 24): "vit_l", (1280, 32): "vit_h"}


@dataclass(frozen=True)
class SamConfig:
    """Sizes of a SAM model; see segment-anything's ``build_sam`` for ViT-B, ViT-L and ViT-H.

    Attributes:
        image_size: side of the image encoder's input [px].
        patch_size: of that input, what one place of the features stands for [px].
        dim, depth, heads, mlp_dim, window, global_blocks: of SAM's own image encoder; 0 where
            another network is in its place.
        mean, std: of the input's channels, 0 to 255.
        backbone: what is in the place of SAM's image encoder; None where it is SAM's own.
    """

    image_size: int
    patch_size: int
    dim: int
    depth: int
    heads: int
    mlp_dim: int
    window: int
    global_blocks: tuple[int, ...]
    out_dim: int
    decoder_depth: int
    decoder_mlp: int
    mask_tokens: int
    mask_channels: int
    iou_depth: int
    iou_hidden: int
    mean: tuple[float, ...] = SAM_MEAN
    std: tuple[float, ...] = SAM_STD
    backbone: BackboneConfig | None = None

    @property
    def name(self) -> str:
        """vit_b, vit_l or vit_h; "" for sizes that were never published, and other backbones."""
        return PUBLISHED.get((self.dim, self.depth), "")

    @classmethod
    def from_shapes(
        cls,
        shapes: Mapping[str, Sequence[int]],
        prefix: str,
        *,
        where: str = "the checkpoint",
        backbone: BackboneConfig | None = None,
    ) -> SamConfig:
        """Sizes from a checkpoint's tensor shapes (config.json does not hold them).

        Args:
            shapes: by key.
            prefix: of SAM's keys, such as ``model.visual_model.``.
            where: the checkpoint's folder, for messages.
            backbone: what config.json says to be in the place of SAM's image encoder.

        Raises:
            WeightsMissingError: naming a tensor that is missing.
            WeightsCorruptError: naming a tensor whose shape no SAM has.
        """

        def shape(name: str) -> Sequence[int]:
            if prefix + name not in shapes:
                raise WeightsMissingError(
                    f"{where} lacks the tensor {prefix + name!r}, a part of SAM. Download all "
                    "files of the checkpoint"
                )
            return shapes[prefix + name]

        def divisible(size: int, parts: int, *names: str) -> int:
            if parts < 1 or size < 1 or size % parts:
                told = " and ".join(f"{prefix + name!r} {list(shape(name))}" for name in names)
                raise WeightsCorruptError(
                    f"{where}: no SAM has the shapes of {told} ({size} is no multiple of {parts}). "
                    "Download the files again"
                )
            return size

        def count(pattern: str) -> int:
            found = [m for key in shapes if (m := re.match(re.escape(prefix) + pattern, key))]
            return 1 + max((int(m[1]) for m in found), default=-1)

        def vit() -> dict[str, Any]:
            dim, _, patch, _ = shape("image_encoder.patch_embed.proj.weight")
            grid = shape("image_encoder.pos_embed")[1]
            depth = count(r"image_encoder\.blocks\.(\d+)\.")
            # A table of relative positions has 2 * side - 1 rows, one head wide. A window as large
            # as the grid attends like a global block, but is padded to itself: no difference.
            rows = [shape(f"image_encoder.blocks.{k}.attn.rel_pos_h") for k in range(depth)]
            sides = [(int(row[0]) + 1) // 2 for row in rows]
            windows = sorted({side for side in sides if side != grid})
            if len(windows) > 1:
                raise WeightsCorruptError(
                    f"SAM's blocks have windows of {windows} patches at a grid of {grid}; at most "
                    "one window size is supported"
                )
            return {
                "image_size": int(grid * patch),
                "patch_size": int(patch),
                "dim": int(dim),
                "depth": depth,
                "heads": divisible(
                    int(dim),
                    int(rows[0][1]),
                    "image_encoder.patch_embed.proj.weight",
                    "image_encoder.blocks.0.attn.rel_pos_h",
                )
                // int(rows[0][1]),
                "mlp_dim": int(shape("image_encoder.blocks.0.mlp.lin1.weight")[0]),
                "window": windows[0] if windows else 0,
                "global_blocks": tuple(k for k, side in enumerate(sides) if side == grid),
                "out_dim": divisible(
                    int(shape("image_encoder.neck.0.weight")[0]),
                    2 * DECODER_HEADS,
                    "image_encoder.neck.0.weight",
                ),
            }

        def other(backbone: BackboneConfig) -> dict[str, Any]:
            sizes = dict.fromkeys(("dim", "depth", "heads", "mlp_dim", "window"), 0)
            return {
                **sizes,
                "global_blocks": (),
                "image_size": backbone.image_size,
                "patch_size": backbone.stride,
                "mean": backbone.mean,
                "std": backbone.std,
                "backbone": backbone,
                "out_dim": divisible(
                    int(shape("mask_decoder.iou_token.weight")[1]),
                    2 * DECODER_HEADS,
                    "mask_decoder.iou_token.weight",
                ),
            }

        return cls(
            **(vit() if backbone is None else other(backbone)),
            decoder_depth=count(r"mask_decoder\.transformer\.layers\.(\d+)\."),
            decoder_mlp=int(shape("mask_decoder.transformer.layers.0.mlp.lin1.weight")[0]),
            mask_tokens=int(shape("mask_decoder.mask_tokens.weight")[0]),
            mask_channels=int(shape("prompt_encoder.mask_downscaling.3.weight")[0]),
            iou_depth=count(r"mask_decoder\.iou_prediction_head\.layers\.(\d+)\."),
            iou_hidden=int(shape("mask_decoder.iou_prediction_head.layers.0.weight")[0]),
        )


class Sam(nn.Module):
    """Image encoder, prompt encoder and mask decoder with the official names."""

    def __init__(self, *, config: SamConfig) -> None:
        super().__init__()
        self.config = config
        grid = config.image_size // config.patch_size
        self.image_encoder: Any = build_encoder(config)
        self.prompt_encoder: Any = PromptEncoder(
            embed_dim=config.out_dim,
            image_embedding_size=(grid, grid),
            input_image_size=(config.image_size, config.image_size),
            mask_in_chans=config.mask_channels,
        )
        self.mask_decoder: Any = build_decoder(config)

    def pixels(self, image: NDArray[np.uint8]) -> tuple[Tensor, tuple[int, int]]:
        """The image encoder's input of an image, see :func:`preprocessing.sam_pixels`.

        Args:
            image: (H, W, 3) uint8 RGB.

        Returns:
            (3, S, S) float32 and the resized image's (height, width) in it.
        """
        config = self.config
        return sam_pixels(image, config.image_size, mean=config.mean, std=config.std)

    @property
    def blocks(self) -> list[nn.Module]:
        """The blocks of SAM's own image encoder; another one's are not told apart."""
        return list(getattr(self.image_encoder, "blocks", ()))

    @property
    def encoder_learns(self) -> bool:
        """Whether anything of the image encoder is trained."""
        return any(parameter.requires_grad for parameter in self.image_encoder.parameters())

    def encode(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) normalised pixels -> (B, out_dim, S/patch_size, S/patch_size)."""
        return self.image_encoder(pixels)

    def decode(self, embedding: Tensor, prompts: Tensor) -> tuple[Tensor, Tensor]:
        """Masks of [SEG] embeddings on one image.

        The decoder's own type counts, which is float32 also where the encoder computes in half
        precision.

        Args:
            embedding: (1, out_dim, s, s) of :meth:`encode`.
            prompts: (n, out_dim), one row per [SEG].

        Returns:
            mask logits (n, 1, 4s, 4s) and predicted IoU (n, 1); n may be 0.
        """
        embedding = embedding.to(self.prompt_encoder.no_mask_embed.weight.dtype)
        if len(prompts) == 0:  # the decoder's reshapes do not know what to do with nothing
            side = 4 * embedding.shape[-1]
            return embedding.new_zeros(0, 1, side, side), embedding.new_zeros(0, 1)
        dense = self.prompt_encoder.no_mask_embed.weight.view(1, -1, 1, 1)
        masks, iou = self.mask_decoder(
            image_embeddings=embedding,
            image_pe=self.prompt_encoder.get_dense_pe().to(embedding.dtype),
            sparse_prompt_embeddings=prompts.unsqueeze(1).to(embedding.dtype),
            dense_prompt_embeddings=dense.expand(len(prompts), -1, *embedding.shape[-2:]),
            multimask_output=False,
        )
        return masks, iou

    def dtype(self) -> torch.dtype:
        """Floating-point type that the encoder takes."""
        if self.config.backbone is not None:
            return next(self.image_encoder.backbone.parameters()).dtype
        return self.image_encoder.patch_embed.proj.weight.dtype


def build_encoder(config: SamConfig) -> nn.Module:
    """The image encoder with untrained weights: (B, 3, S, S) -> (B, out_dim, s, s)."""
    if config.backbone is not None:
        return build_backbone(config.backbone, config.out_dim)
    encoder: Any = ImageEncoderViT(
        depth=config.depth,
        embed_dim=config.dim,
        img_size=config.image_size,
        mlp_ratio=config.mlp_dim / config.dim,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        num_heads=config.heads,
        patch_size=config.patch_size,
        qkv_bias=True,
        use_rel_pos=True,
        global_attn_indexes=config.global_blocks,
        window_size=config.window,
        out_chans=config.out_dim,
    )
    for block in encoder.blocks:
        block.attn = FastAttention.like(block.attn)
    return encoder


def build_decoder(config: SamConfig) -> nn.Module:
    """The mask decoder with untrained weights."""
    return MaskDecoder(
        num_multimask_outputs=config.mask_tokens - 1,
        transformer=TwoWayTransformer(
            depth=config.decoder_depth,
            embedding_dim=config.out_dim,
            mlp_dim=config.decoder_mlp,
            num_heads=DECODER_HEADS,
        ),
        transformer_dim=config.out_dim,
        iou_head_depth=config.iou_depth,
        iou_head_hidden_dim=config.iou_hidden,
    )
