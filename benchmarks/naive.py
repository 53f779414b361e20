"""The baseline of the engine benchmark: an answer computed as the official code computes it.

For every new token CLIP (with its last, unused layer), the projector and the whole LLM run again
over the whole sequence, with attention matrices written out, and the head runs over all positions;
gamma runs over all positions; SAM's attention matrices are written out. The weights are the
engine's own, so answers and masks can be compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.stopwatch import Stopwatch
from lisa_model.llava.preprocessing import postprocess_masks, sam_pixels
from lisa_model.llava.sam_attention import FastAttention, relative
from lisa_model.llava.segmenter import LisaSegmenter
from lisa_model.llava.tokenizer import IMAGE_TOKEN_INDEX


@dataclass(frozen=True)
class NaiveAnswer:
    """Generated ids and mask logits (n, H, W) float32."""

    ids: list[int]
    mask_logits: NDArray[np.float32]


@torch.inference_mode()
def naive_answer(
    segmenter: LisaSegmenter,
    image: NDArray[np.uint8],
    prompt_ids: list[int],
    *,
    max_new_tokens: int,
    eos_id: int,
    watch: Stopwatch | None = None,
) -> NaiveAnswer:
    """Answer a prompt (ids with the image placeholder) as slowly as the official code.

    Args:
        watch: takes the seconds of the stages.
    """
    watch = watch or Stopwatch()
    model, tower = segmenter.engine.model, segmenter.engine.tower
    seg = segmenter.tokenizer.seg_id
    place = prompt_ids.index(IMAGE_TOKEN_INDEX)
    pixels = tower.pixels(image).unsqueeze(0).to(model.device)
    ids = list(prompt_ids)
    new: list[int] = []
    states = torch.empty(0)
    with eager_attention(segmenter):
        for _ in range(max_new_tokens):
            with watch.stage("clip"):
                features = tower(pixels)
                last_layer = tower.clip.encoder.layers[-1]
                last_layer(torch.cat([features[:, :1], features], dim=1), attention_mask=None)
            before = model.embed(torch.tensor([ids[:place]], device=model.device))
            after = model.embed(torch.tensor([ids[place + 1 :]], device=model.device))
            whole = torch.cat([before, model.project(features), after], dim=1)
            with watch.stage("llm"):
                states = model.states(whole)
            with watch.stage("head"):
                token = int(model.lm_head(states)[0, -1].argmax())
            ids.append(token)
            new.append(token)
            if token == eos_id:
                break
        prompts = model.prompts(states[0])
        # The state that predicts token p of the ids stands at p - 1, behind the image's patches.
        rows = [p - 1 + tower.patches - 1 for p, token in enumerate(ids) if token == seg]
        sam = model.sam
        inputs, resized = sam_pixels(image, sam.config.image_size)
        with watch.stage("sam_encoder"):
            embedding = sam.encode(inputs.unsqueeze(0).to(model.device, sam.dtype()))
        with watch.stage("mask_decoder"):
            low, _ = sam.decode(embedding, prompts[rows])
    height, width = image.shape[:2]
    masks = postprocess_masks(
        low, target=sam.config.image_size, resized=resized, original=(height, width)
    )
    return NaiveAnswer(new, masks.cpu().numpy())


@contextmanager
def eager_attention(segmenter: LisaSegmenter) -> Iterator[None]:
    """Attention matrices written out, in the LLM, in CLIP and in SAM."""
    model, tower = segmenter.engine.model, segmenter.engine.tower
    fast = FastAttention.forward
    configs = [model.model.config, tower.clip.config]
    try:
        for config in configs:
            config._attn_implementation = "eager"
        FastAttention.forward = written_out  # type: ignore[method-assign]
        yield
    finally:
        for config in configs:
            config._attn_implementation = "sdpa"
        FastAttention.forward = fast  # type: ignore[method-assign]


def written_out(self: FastAttention, x: Tensor) -> Tensor:
    """SAM's attention with its matrix (B, heads, H*W, H*W), as segment-anything has it."""
    batch, height, width, dim = x.shape
    qkv = self.qkv(x).view(batch, height * width, 3, self.heads, -1)
    q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
    logits = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
    grid = q.reshape(batch, self.heads, height, width, -1)
    rows = torch.einsum("bnhwc,hkc->bnhwk", grid, relative(self.rel_pos_h, height))
    columns = torch.einsum("bnhwc,wkc->bnhwk", grid, relative(self.rel_pos_w, width))
    bias = rows.unsqueeze(-1) + columns.unsqueeze(-2)
    logits = logits + bias.reshape(logits.shape)
    out = logits.softmax(dim=-1) @ v
    return self.proj(out.transpose(1, 2).reshape(batch, height, width, dim))
