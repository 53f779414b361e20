"""The network of a LISA checkpoint, under the names of the official state dict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import LlamaModel
from transformers.cache_utils import Cache
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from lisa_model.checkpoint.loading import load_into
from lisa_model.checkpoint.reader import Checkpoint
from lisa_model.llava.config import PROJECTOR_PREFIX, CheckpointConfig
from lisa_model.llava.projector import build_projector
from lisa_model.llava.sam import Sam

# What computes in float32 whatever the rest does: small, and where rounding moves a mask's edge.
# The frequencies of SAM's positions (prompt encoder) lose their meaning in 8 bits.
_FLOAT32 = (
    "model.text_hidden_fcs.",
    "model.visual_model.prompt_encoder.",
    "model.visual_model.mask_decoder.",
)


def build_gamma(kind: str, hidden: int, out: int) -> nn.Sequential:
    """Gamma with untrained weights: states of the LLM -> prompts of the mask decoder.

    Args:
        kind: mlp (published models) or linear.
        hidden: width of the LLM.
        out: width of a prompt.
    """
    if kind == "linear":
        return nn.Sequential(nn.Linear(hidden, out))
    return nn.Sequential(
        nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, out), nn.Dropout(0.0)
    )


class Head(nn.Linear):
    """A linear layer that takes states of any floating-point type."""

    def forward(self, states: Tensor) -> Tensor:
        """(…, hidden) -> (…, vocab) in the weights' type."""
        return super().forward(states.to(self.weight.dtype))


class LisaLlama(LlamaModel):
    """LLaMA with what LISA hangs into it: projector, gamma (text_hidden_fcs) and SAM."""

    mm_projector: nn.Module
    text_hidden_fcs: nn.ModuleList
    visual_model: Sam


class LisaForCausalLM(nn.Module):
    """The whole model but for the CLIP tower; its keys are those of a released checkpoint."""

    def __init__(
        self,
        *,
        config: CheckpointConfig,
        shapes: Mapping[str, Sequence[int]],
        where: str = "the checkpoint",
    ) -> None:
        """Build the modules; use it under ``torch.device("meta")`` and load afterwards."""
        super().__init__()
        llm = config.llm
        hidden = int(llm.hidden_size)
        self.config = config
        self.model = LisaLlama(llm)
        self.model.mm_projector = build_projector(shapes, PROJECTOR_PREFIX, where=where)
        gamma = build_gamma(config.gamma, hidden, config.out_dim)
        self.model.text_hidden_fcs = nn.ModuleList([gamma])
        self.model.visual_model = Sam(config=config.sam)
        self.lm_head = Head(hidden, config.vocab_size, bias=False)

    @classmethod
    def from_checkpoint(
        cls,
        checkpoint: Checkpoint,
        config: CheckpointConfig,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> LisaForCausalLM:
        """Load every tensor once, without a copy where type and device allow it.

        Raises:
            WeightsMissingError, WeightsCorruptError: naming tensor and file.
        """
        with torch.device("meta"):
            model = cls(config=config, shapes=checkpoint.shapes, where=str(checkpoint.folder))
        load_into(
            model,
            checkpoint,
            dtype=dtype,
            device=device,
            # Made anew below; only files of transformers 4.31 and before hold it.
            ignore=lambda name: (
                name.endswith("rotary_emb.inv_freq") or name.startswith("model.vision_tower.")
            ),
            keep_float32=lambda name: name.startswith(_kept_float32(config)),
            sizes_from=_sizes_from,
        )
        model.model.rotary_emb = LlamaRotaryEmbedding(config=config.llm).to(device)
        return model.eval()

    @property
    def sam(self) -> Sam:
        """The mask side."""
        return self.model.visual_model

    @property
    def device(self) -> torch.device:
        """Where the LLM runs."""
        return self.model.embed_tokens.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type in which the LLM computes."""
        return self.model.norm.weight.dtype

    def embed(self, ids: Tensor) -> Tensor:
        """(…,) int64 -> (…, hidden)."""
        return self.model.embed_tokens(ids).to(self.dtype)

    def project(self, features: Tensor) -> Tensor:
        """CLIP features (B, patches, width) -> image tokens (B, patches, hidden)."""
        return self.model.mm_projector(features.to(self.dtype))

    def states(
        self, embeddings: Tensor, *, cache: Cache | None = None, mask: Tensor | None = None
    ) -> Tensor:
        """Last-layer states after the final norm, (B, L, hidden) float32.

        Positions go on from the cache and count padding too, as the official code does. In half
        precision the products are; the residual stream is float32: rounding it after each of some
        60 layers costs ten times as much precision as rounding the products does.

        Args:
            embeddings: (B, L, hidden).
            cache: keys and values of earlier positions, extended in place.
            mask: (B, L) bool, False at padding on the right; None when there is none.
        """
        past = cache.get_seq_length() if cache is not None else 0
        length = embeddings.shape[1]
        positions = torch.arange(past, past + length, device=embeddings.device).unsqueeze(0)
        half = self.dtype is not torch.float32
        with torch.autocast(self.device.type, self.dtype if half else None, enabled=half):
            out: Any = self.model(
                inputs_embeds=embeddings.float(),
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=cache is not None,
            )
        return out.last_hidden_state

    def prompts(self, states: Tensor) -> Tensor:
        """Gamma: states that predict a [SEG] (n, hidden) -> prompts of SAM (n, out_dim) float32."""
        return self.model.text_hidden_fcs[0](states)


def _kept_float32(config: CheckpointConfig) -> tuple[str, ...]:
    backbone = config.sam.backbone
    if backbone is None or backbone.kind != "mask2former":
        return _FLOAT32
    return (*_FLOAT32, "model.visual_model.image_encoder.backbone.")


# Tensors whose shapes tell sizes that config.json does not hold.
_SIZE_GIVERS = (
    "model.embed_tokens.weight",
    "model.mm_projector.weight",
    "model.mm_projector.0.weight",
    "model.mm_projector.2.weight",
    "model.text_hidden_fcs.0.2.weight",
    "model.visual_model.image_encoder.patch_embed.proj.weight",
    "model.visual_model.image_encoder.pos_embed",
    "model.visual_model.image_encoder.blocks.0.mlp.lin1.weight",
    "model.visual_model.image_encoder.blocks.0.attn.rel_pos_h",
    "model.visual_model.image_encoder.neck.0.weight",
    "model.visual_model.prompt_encoder.mask_downscaling.3.weight",
    "model.visual_model.mask_decoder.mask_tokens.weight",
    "model.visual_model.mask_decoder.transformer.layers.0.mlp.lin1.weight",
    "model.visual_model.mask_decoder.iou_prediction_head.layers.0.weight",
)


def _sizes_from(name: str) -> list[str]:
    """Which tensors' shapes may have told the size that ``name`` does not have."""
    if name == "lm_head.weight":
        return [_SIZE_GIVERS[0]]
    part = name.split(".")[:2] if "visual_model" not in name else name.split(".")[:3]
    near = [giver for giver in _SIZE_GIVERS if giver.split(".")[: len(part)] == part]
    if "visual_model" in name:
        near.append("model.visual_model.image_encoder.neck.0.weight")  # the width of all of SAM
    return [giver for giver in dict.fromkeys(near) if giver != name]
