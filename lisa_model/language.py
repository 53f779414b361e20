"""The language side of LISA: an LLM that can answer with [SEG].

The base LLM stays frozen; LoRA updates and the rows of the added tokens are trained. The state
that *predicts* a [SEG] (last layer, after the final norm, one position before the token) goes
through gamma (``text_hidden_fcs`` in the official code) and becomes the prompt of the mask head.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from peft import LoraConfig as PeftLoraConfig
from peft import inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.cache_utils import Cache, DynamicCache

from lisa_model.config import IM_END_TOKEN, IM_START_TOKEN, SEG_TOKEN, LisaConfig
from lisa_model.reference import Reference, ReferenceFcs
from lisa_model.reference_keys import key_dim

# Cosine -> logit of the concept codebook (chosen on validation frames).
CONCEPT_SCALE = 32.0
ADDED_TOKENS = (SEG_TOKEN, IM_START_TOKEN, IM_END_TOKEN)


@dataclass(frozen=True)
class Vocabulary:
    """Token ids around the base tokenizer; the added tokens follow the base vocabulary."""

    tokenizer: PreTrainedTokenizerBase
    base_size: int
    seg: int
    im_start: int
    im_end: int
    bos: int
    eos: int
    conjunction: int  # " and": one more [SEG] comes

    @classmethod
    def load(cls, folder: Path) -> Vocabulary:
        """Open the tokenizer in ``folder`` (never contacts a hub)."""
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        size = len(tokenizer)
        end = tokenizer.convert_tokens_to_ids("<|im_end|>")
        start = tokenizer.convert_tokens_to_ids("<|im_start|>")

        return cls(
            tokenizer=tokenizer,
            base_size=size,
            seg=size,
            im_start=size + 1,
            im_end=size + 2,
            bos=start,
            eos=end,
            conjunction=tokenizer(" and", add_special_tokens=False).input_ids[0],
        )

    def encode_user(self, text: str) -> list[int]:
        """Ids of text typed by a user; literal special tokens in it stay ordinary text."""
        encoded = self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)
        return list(encoded.input_ids)

    def encode_answer(self, text: str) -> list[int]:
        """Ids of an answer that may hold [SEG]; ends with the end-of-turn token."""
        ids: list[int] = []
        for number, part in enumerate(text.split(SEG_TOKEN)):
            if number:
                ids.append(self.seg)
            if part := part.rstrip(" "):  # a blank before [SEG] would cost a decoding step
                ids.extend(self.tokenizer(part, add_special_tokens=False).input_ids)
        return [*ids, self.eos]

    def decode(self, ids: list[int]) -> str:
        """Text of generated ids, with [SEG] spelled out and the end-of-turn token dropped."""
        pieces: list[str] = []
        run: list[int] = []
        names = {self.seg: SEG_TOKEN, self.im_start: "", self.im_end: "", self.eos: ""}
        for token in [*ids, self.eos]:
            if token in names:
                pieces.append(self.tokenizer.decode(run) if run else "")
                blank = token == self.seg and bool(run)
                pieces.append(" " * blank + names[token])
                run = []
            else:
                run.append(token)
        return "".join(pieces).strip()

    def before_image(self) -> list[int]:
        """Ids up to the image: start of turn + image start."""
        return [self.bos, self.im_start]

    def after_image(self) -> list[int]:
        """Ids right after the image tokens."""
        return [self.im_end]

    def question(self, intent: str) -> list[int]:
        """Ids of the intent and the end of the turn; the answer follows right away.

        The base model's chat headers are left out: LoRA learns the shorter form at once, and ten
        tokens less are a third of a short intent's cost.
        """
        return [*self.encode_user(intent), self.eos]


@dataclass(frozen=True)
class Generated:
    """An answer as the LLM gave it.

    Attributes:
        ids: its tokens; the final end-of-turn included when reached.
        states: (n, llm_dim) that predicted each [SEG].
        certainty: (n,) float32 in [0, 1]: the probability of the tokens that led to each [SEG], it
            included, from the answer's beginning or the [SEG] before.
    """

    ids: list[int]
    states: Tensor
    certainty: Tensor


class LanguageModel(nn.Module):
    """Base LLM + LoRA + rows of the added tokens + gamma."""

    def __init__(
        self, *, config: LisaConfig, base: PreTrainedModel, vocabulary: Vocabulary
    ) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.presence_weight = config.presence_weight
        self.base: Any = base
        for parameter in base.parameters():
            parameter.requires_grad_(False)
        inject_adapter_in_model(
            PeftLoraConfig(
                r=config.lora.rank,
                lora_alpha=config.lora.alpha,
                target_modules=list(config.lora.targets),
                lora_dropout=0.0,
                bias="none",
            ),
            base,
        )
        self.added_embedding = nn.Parameter(torch.zeros(len(ADDED_TOKENS), config.llm_dim))
        self.added_head = nn.Parameter(torch.zeros(len(ADDED_TOKENS), config.llm_dim))
        # gamma, the paper's name; text_hidden_fcs in the official code.
        self.text_hidden_fcs = nn.Sequential(
            nn.Linear(config.llm_dim, config.llm_dim),
            nn.ReLU(),
            nn.Linear(config.llm_dim, config.out_dim),
        )
        # Which of several things is meant.
        width = key_dim(config.mask_head)
        self.reference_fcs = (
            ReferenceFcs(llm_dim=config.llm_dim, out_dim=config.out_dim, key_dim=width)
            if width
            else None
        )
        # A small LLM points in about the right direction; the codebook turns "about" into the
        # blend of known concepts that it means (tiny presets only; the paper has none).
        self.codebook: Tensor | None
        codebook = torch.zeros(config.concepts, config.out_dim) if config.concepts else None
        self.register_buffer("codebook", codebook)

    @classmethod
    def from_base(cls, *, config: LisaConfig, folder: Path, dtype: torch.dtype) -> LanguageModel:
        """Open the base LLM in ``folder``; LoRA, added rows and gamma are still untrained."""
        base = AutoModelForCausalLM.from_pretrained(
            str(folder), dtype=dtype, local_files_only=True, attn_implementation="sdpa"
        )
        return cls(config=config, base=base, vocabulary=Vocabulary.load(folder))

    def reset_added_tokens(self) -> None:
        """Start the added rows at the mean of the base rows (a neutral, in-distribution start)."""
        table = self.base.get_input_embeddings().weight.detach().float()
        generator = torch.Generator().manual_seed(0)
        noise = torch.randn(self.added_embedding.shape, generator=generator) * table.std() * 0.5
        with torch.no_grad():
            self.added_embedding.copy_(table.mean(0) + noise)
            self.added_head.copy_(table.mean(0) + noise)

    def embed(self, ids: Tensor) -> Tensor:
        """Embeddings (…, llm_dim) of ids that may be added tokens."""
        size = self.vocabulary.base_size
        table = self.base.get_input_embeddings().weight
        added = ids >= size
        out = table[ids.clamp(max=size - 1)]
        rows = self.added_embedding[(ids - size).clamp(min=0)].to(out.dtype)
        return torch.where(added.unsqueeze(-1), rows, out)

    def logits(self, hidden: Tensor) -> Tensor:
        """Next-token logits (…, base + added) in float32."""
        size = self.vocabulary.base_size
        table = self.base.get_output_embeddings().weight[:size]
        base = F.linear(hidden.to(table.dtype), table)
        added = F.linear(hidden.float(), self.added_head.float())
        return torch.cat([base.float(), added], dim=-1)

    def states(
        self,
        embeddings: Tensor,
        *,
        mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        """Last-layer states after the final norm, (B, L, llm_dim).

        Args:
            embeddings: (B, L, llm_dim).
            mask: (B, 1, L, L) bool, True where attention is allowed; causal when None.
            position_ids: (B, L); 0..L-1 (after the cache) when None.
            cache: keys and values of earlier positions, extended in place.
        """
        if mask is not None and self.base.config._attn_implementation == "eager":
            # Written-out attention adds its mask instead of selecting by it.
            lowest = torch.finfo(embeddings.dtype).min
            zeros = torch.zeros(mask.shape, dtype=embeddings.dtype, device=mask.device)
            mask = zeros.masked_fill(~mask, lowest)
        return self.base.model(
            inputs_embeds=embeddings,
            attention_mask=mask,
            position_ids=position_ids,
            past_key_values=cache,
            use_cache=cache is not None,
        ).last_hidden_state

    def blended(self, raw: Tensor, log_presence: Tensor | None) -> Tensor:
        """[SEG] prompts: raw ones (..., out_dim) read as blends of concepts; as they are without a
        codebook.

        Args:
            log_presence: (n or 1, concepts) log-probability that the image shows each, see
                ``MaskHead.log_presence``. With it the blend is P(concept | intent) times
                P(shown | image) to the power of ``presence_weight``: of two readings of an intent,
                the visible one wins.
        """
        if self.codebook is None:
            return raw
        shares = torch.softmax(self.blended_logits(raw, log_presence), dim=-1)
        return shares @ self.codebook.float()

    def blended_logits(self, raw: Tensor, log_presence: Tensor | None) -> Tensor:
        """Logits of the concepts (..., concepts) that :meth:`blended` blends, in float32."""
        logits = self.concept_logits(raw).float()
        if log_presence is None:
            return logits
        return logits + self.presence_weight * log_presence.float()

    def references(
        self, states: Tensor, log_presence: Tensor | None = None
    ) -> tuple[Reference, Tensor, Tensor] | None:
        """Which things states that predict a [SEG] (n, llm_dim) mean; None for a model without.

        Args:
            log_presence: as for :meth:`blended`; anchors are read like prompts.

        Returns:
            references, their anchors before the codebook (n, ANCHORS, out_dim), and the logit (n,)
            of ``generic``; the last two are for training.
        """
        if self.reference_fcs is None:
            return None
        which, reach, raw, generic = self.reference_fcs(states.float())
        shown = None if log_presence is None else log_presence[:, None]
        anchors = self.blended(raw, shown)
        return Reference(which, reach, anchors, generic.sigmoid()), raw, generic

    def raw_prompts(self, states: Tensor) -> Tensor:
        """The paper's gamma alone, before the codebook."""
        return self.text_hidden_fcs(states.float())

    def concept_logits(self, raw: Tensor) -> Tensor:
        """Which concepts a raw prompt (..., out_dim) means: logits (..., concepts)."""
        assert self.codebook is not None, "config.concepts is 0"
        cosine = F.normalize(raw, dim=-1) @ F.normalize(self.codebook.float(), dim=-1).T
        return CONCEPT_SCALE * cosine

    def merge_lora(self) -> None:
        """Fold the LoRA updates into the base weights (inference only)."""
        for module in self.base.modules():
            if isinstance(module, LoraLayer):
                module.merge()

    @torch.inference_mode()
    def generate(
        self,
        prefix: Cache,
        question: list[int],
        *,
        max_new_tokens: int,
        stop_at_seg: bool = False,
        on_token: Callable[[list[int]], None] | None = None,
    ) -> Generated:
        """Greedy answer to one question after a cached prefix.

        Args:
            prefix: keys and values of everything before the question; not modified.
            question: ids of the question.
            max_new_tokens: upper bound of the answer.
            stop_at_seg: end after the first [SEG], unless "and" follows: its mask needs no more.
            on_token: called with all ids so far after each token; what it raises ends the answer.
        """
        device = self.added_embedding.device
        cache = copy_cache(prefix)
        feed = question
        out: list[int] = []
        rows: list[Tensor] = []
        certainty: list[float] = []
        sure = 0.0  # logarithm
        for _ in range(max_new_tokens):
            ids = torch.tensor([feed], device=device)
            state = self.states(self.embed(ids), cache=cache)[0, -1]
            logits = self.logits(state)
            token = int(logits.argmax())
            after_seg = bool(out) and out[-1] == self.vocabulary.seg
            if stop_at_seg and after_seg and token != self.vocabulary.conjunction:
                break
            out.append(token)
            sure += float(logits[token] - logits.logsumexp(0))
            if on_token is not None:
                on_token(out)
            if token == self.vocabulary.seg:
                rows.append(state)
                certainty.append(math.exp(sure))
                sure = 0.0
            if token == self.vocabulary.eos:
                break
            feed = [token]
        width = self.added_embedding.shape[1]
        states = torch.stack(rows) if rows else torch.zeros(0, width, device=device)
        return Generated(out, states, torch.tensor(certainty, device=device))


def copy_cache(cache: Cache) -> DynamicCache:
    """A cache that can grow without changing ``cache`` (its tensors are shared until then)."""
    fresh = DynamicCache()
    for index, layer in enumerate(cache.layers):
        fresh.update(layer.keys, layer.values, index)
    return fresh
