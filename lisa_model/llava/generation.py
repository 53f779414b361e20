"""Greedy answers, with the state that predicts each [SEG] kept as it passes by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache

from lisa_model.llava.cache import fork
from lisa_model.llava.model import LisaForCausalLM


@dataclass(frozen=True)
class Answer:
    """What the LLM said.

    Attributes:
        ids: generated (or given) ids, the final </s> included.
        rows: (n, hidden), the state that predicts each [SEG].
        log_probability: sum over ``ids`` of a given answer; None for a generated one.
    """

    ids: list[int]
    rows: Tensor
    log_probability: float | None = None


@torch.inference_mode()
def extend(model: LisaForCausalLM, cache: Cache | None, embeddings: Tensor) -> DynamicCache:
    """A new cache: ``cache`` and what (1, L, hidden) embeddings add to it."""
    grown = fork(cache)
    model.states(embeddings, cache=grown)
    return grown


@torch.inference_mode()
def generate(
    model: LisaForCausalLM,
    prefix: Cache,
    question: list[int],
    *,
    seg_id: int,
    eos_id: int,
    max_new_tokens: int,
    stop_at_seg: bool,
    on_token: Callable[[list[int]], None] | None = None,
) -> Answer:
    """Answer a question greedily.

    Only the new tokens run through the LLM, only the last position through its head.

    Args:
        prefix: keys and values of everything up to and with the image; stays as it is.
        question: ids after the image. A [SEG] in them gives a mask too, as in the official code.
        stop_at_seg: end as soon as [SEG] is predicted: its mask is final then.
        on_token: called with all ids so far after each token; what it raises ends the answer.
    """
    cache = fork(prefix)
    feed, out = question, list[int]()
    rows: list[Tensor] = []
    for number in range(max_new_tokens):
        ids = torch.tensor([feed], device=model.device)
        states = model.states(model.embed(ids), cache=cache)[0]
        if number == 0:
            rows += [states[at - 1] for at, token in enumerate(question) if at and token == seg_id]
        token = int(model.lm_head(states[-1]).argmax())
        out.append(token)
        if on_token is not None:
            on_token(out)
        if token == seg_id:
            rows.append(states[-1])
        if token == eos_id or (token == seg_id and stop_at_seg):
            break
        feed = [token]
    return Answer(out, _stack(rows, model))


@torch.inference_mode()
def force(
    model: LisaForCausalLM,
    prefix: Cache,
    question: list[int],
    answer: list[int],
    *,
    seg_id: int,
) -> Answer:
    """The same for a given answer: one pass, nothing is generated (LISA's validation)."""
    ids = question + answer
    fed = torch.tensor([ids], device=model.device)
    states = model.states(model.embed(fed), cache=fork(prefix))[0]
    rows = [states[at - 1] for at, token in enumerate(ids) if at and token == seg_id]
    predicting = states[len(question) - 1 : len(ids) - 1]
    chances = model.lm_head(predicting).float().log_softmax(-1)
    wanted = torch.tensor(answer, device=model.device)
    total = float(chances.gather(1, wanted.unsqueeze(1)).sum())
    return Answer(answer, _stack(rows, model), total)


def _stack(rows: list[Tensor], model: LisaForCausalLM) -> Tensor:
    if rows:
        return torch.stack(rows)
    width = model.model.config.hidden_size
    return torch.zeros(0, width, device=model.device)
