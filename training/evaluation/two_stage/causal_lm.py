"""A causal LLM that completes a fixed prompt: greedy text, and how likely given answers are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    StoppingCriteria,
    StoppingCriteriaList,
)
from transformers.cache_utils import DynamicCache

from lisa_model.language import copy_cache
from training.evaluation.two_stage.folders import open_folder


class LineEnd(StoppingCriteria):
    """Ends an answer at its first line break (``stop_strings`` of transformers fails with
    vocabularies that have none)."""

    def __init__(self, tokenizer: Any, start: int) -> None:
        """Watch what follows position ``start``."""
        self._tokenizer = tokenizer
        self._start = start

    def __call__(self, input_ids: Tensor, scores: Tensor, **_: Any) -> Tensor:
        """(1,) bool: is the answer's first line over?"""
        text = self._tokenizer.decode(input_ids[0, self._start :], skip_special_tokens=True)
        return torch.tensor(["\n" in text.lstrip()], device=input_ids.device)


class CausalLm:
    """An LLM behind a prefix (examples) whose keys and values are kept."""

    def __init__(self, *, model: Any, tokenizer: Any, prefix: str) -> None:
        """Wrap a model of transformers.

        Args:
            prefix: begins every prompt; should end with a line break.
        """
        self._model = model.eval()
        self._tokenizer = tokenizer
        self._prefix_ids = tokenizer(prefix).input_ids
        with torch.inference_mode():
            self._prefix = model(self._row(self._prefix_ids), use_cache=True).past_key_values

    @classmethod
    def open(cls, folder: str | Path | None, *, device: str, dtype: str, prefix: str) -> CausalLm:
        """Open a local folder.

        Raises:
            WeightsMissingError: it is not there.
        """
        classes = AutoModelForCausalLM, AutoTokenizer
        model, tokenizer = open_folder(*classes, folder, "namer_folder", device=device, dtype=dtype)
        return cls(model=model, tokenizer=tokenizer, prefix=prefix)

    def _row(self, ids: Sequence[int]) -> Tensor:
        device = next(self._model.parameters()).device
        return torch.tensor([list(ids)], device=device)

    def ids(self, text: str) -> list[int]:
        """Literal special tokens in a user's text stay ordinary text."""
        return list(
            self._tokenizer(text, add_special_tokens=False, split_special_tokens=True).input_ids
        )

    @torch.inference_mode()
    def complete(self, prompt: str, *, max_new_tokens: int) -> str:
        """Greedy text after prefix and prompt, up to the first line break."""
        ids = self._row([*self._prefix_ids, *self.ids(prompt)])
        out = self._model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            past_key_values=copy_cache(self._prefix),
            max_new_tokens=max_new_tokens,
            do_sample=False,
            stopping_criteria=StoppingCriteriaList([LineEnd(self._tokenizer, ids.shape[1])]),
            pad_token_id=self._tokenizer.eos_token_id,
        )
        text = self._tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)
        return str(text).lstrip().split("\n")[0].strip()

    @torch.inference_mode()
    def log_likelihoods(self, prompt: str, answers: Sequence[str]) -> list[float]:
        """log P(answer | prefix, prompt), in nats, summed over the answer's tokens.

        Args:
            prompt: after it an answer begins.
            answers: end them as the examples end (a line break), or "pan" beats "pancake".
        """
        if not answers:
            return []
        cache: DynamicCache = copy_cache(self._prefix)
        asked = self._model(self._row(self.ids(prompt)), past_key_values=cache, use_cache=True)
        first = asked.logits[0, -1].float().log_softmax(-1)
        rows = [self.ids(answer) for answer in answers]
        if not all(rows):
            raise ValueError("answers: one of them is empty")
        total = torch.stack([first[row[0]] for row in rows])
        lengths = [len(row) - 1 for row in rows]
        if any(lengths):
            owner = torch.repeat_interleave(torch.tensor(lengths)).to(total.device)
            fed = self._row([token for row in rows for token in row[:-1]])
            then = self._row([token for row in rows for token in row[1:]])
            past = cache.get_seq_length()
            logits = self._model(
                fed,
                attention_mask=_side_by_side(owner, past, self._model.dtype),
                position_ids=self._row([past + k for length in lengths for k in range(length)]),
                past_key_values=cache,
                use_cache=True,
            ).logits
            logits = logits[0].float()
            chosen = logits.gather(1, then[0, :, None])[:, 0] - logits.logsumexp(-1)
            total = total.index_add(0, owner, chosen)
        return [float(value) for value in total]


def _side_by_side(owner: Tensor, past: int, dtype: torch.dtype) -> Tensor:
    """Additive attention mask (1, 1, n, past + n) of answers laid end to end: each token sees what
    is kept and its own answer up to itself. (A row for each answer would copy the kept keys.)

    Args:
        owner: (n,) number of each token's answer.
    """
    n = len(owner)
    own = (owner[:, None] == owner[None, :]).tril()
    seen = torch.cat([own.new_ones(n, past), own], dim=1)
    mask = torch.zeros(n, past + n, dtype=dtype, device=owner.device)
    return mask.masked_fill(~seen, torch.finfo(dtype).min)[None, None]
