"""SAM's mask decoder, for a grid so coarse that edges have to come from the picture itself."""

from __future__ import annotations

import torch
from segment_anything.modeling.mask_decoder import MaskDecoder
from torch import Tensor


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
