"""Several questions about one image in one LLM sequence.

The image prefix is computed once; each question attends to the prefix and to itself only, and its
positions go on from the prefix, so that every question sees exactly what it would see alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lisa_model.language import LanguageModel
from training.homereason.question import named_answer


@dataclass(frozen=True)
class PackedQuestion:
    """A question of one image.

    Attributes:
        ids: question and answer (or the answer's beginning).
        answer_start: index in ``ids`` of the answer's first token.
        segs: indices in ``ids`` of the tokens whose states predict a [SEG].
    """

    ids: list[int]
    answer_start: int
    segs: tuple[int, ...]


@dataclass(frozen=True)
class PackedBatch:
    """Tensors of a batch of packed sequences.

    Attributes:
        embeddings: (B, L, llm_dim); mask: (B, 1, L, L) bool; positions: (B, L).
        starts: for each image, where each of its questions begins.
    """

    embeddings: Tensor
    mask: Tensor
    positions: Tensor
    starts: list[list[int]]


def pack_question(model: LanguageModel, intent: str, answer: str, whole: bool) -> PackedQuestion:
    """Ids of a question with its answer, or only up to where its last [SEG] is predicted."""
    vocabulary = model.vocabulary
    question = vocabulary.question(intent)
    full = vocabulary.encode_answer(answer)
    at = [index for index, token in enumerate(full) if token == vocabulary.seg]
    kept = full if whole or not at else full[: at[-1]]
    return PackedQuestion(
        ids=question + kept,
        answer_start=len(question),
        segs=tuple(len(question) + index - 1 for index in at),
    )


def pack_begun(model: LanguageModel, intent: str) -> PackedQuestion:
    """A question with the beginning of an answer that marks one thing, whichever: up to [SEG]."""
    begun = pack_question(model, intent, named_answer(["x"]), False)
    return replace(begun, ids=[*begun.ids, model.vocabulary.seg])


def pack(
    model: LanguageModel, visual: Tensor, questions: list[list[PackedQuestion]]
) -> PackedBatch:
    """Lay out prefix and questions of each image.

    Args:
        visual: (B, n, llm_dim) visual tokens.
        questions: of each image.
    """
    vocabulary = model.vocabulary
    before = model.embed(torch.tensor([vocabulary.before_image()]))
    after = model.embed(torch.tensor([vocabulary.after_image()]))
    prefix = before.shape[1] + visual.shape[1] + after.shape[1]
    length = max(prefix + sum(len(q.ids) for q in group) for group in questions)
    rows, masks, positions, starts = [], [], [], []
    for tokens, group in zip(visual, questions, strict=True):
        ids = [token for question in group for token in question.ids]
        ids = ids + [0] * (length - prefix - len(ids))
        tail = model.embed(torch.tensor([ids]))
        image = tokens.unsqueeze(0).to(before.dtype)
        rows.append(torch.cat([before, image, after, tail], dim=1))
        owner = torch.full((length,), -1)
        owner[:prefix] = 0
        position = torch.arange(length)
        mine, at = [], prefix
        for number, question in enumerate(group):
            end = at + len(question.ids)
            owner[at:end] = number + 1
            position[at:end] = torch.arange(prefix, prefix + len(question.ids))
            mine.append(at)
            at = end
        causal = torch.ones(length, length, dtype=torch.bool).tril()
        allowed = (owner[:, None] == owner[None, :]) | (owner[None, :] == 0)
        # Padding attends to itself, so that no softmax row is empty.
        masks.append((causal & allowed) | torch.eye(length, dtype=torch.bool))
        positions.append(position)
        starts.append(mine)
    return PackedBatch(
        torch.cat(rows), torch.stack(masks).unsqueeze(1), torch.stack(positions), starts
    )


def packed_states(
    model: LanguageModel, visual: Tensor, questions: list[list[PackedQuestion]]
) -> tuple[Tensor, list[list[int]]]:
    """States (B, L, llm_dim) of packed questions, and where each question begins.

    Args:
        visual: (B, n, llm_dim) visual tokens; questions: of each image.
    """
    packed = pack(model, visual, questions)
    states = model.states(packed.embeddings, mask=packed.mask, position_ids=packed.positions)
    return states, packed.starts


Places = tuple[Tensor, Tensor]


def seg_places(questions: list[list[PackedQuestion]], starts: list[list[int]]) -> Places:
    """Rows and positions of the states that predict each [SEG], question by question.

    Args:
        questions: of each image; starts: where each begins, see :class:`PackedBatch`.
    """
    found = [
        (row, begin + at)
        for row, (group, begins) in enumerate(zip(questions, starts, strict=True))
        for one, begin in zip(group, begins, strict=True)
        for at in one.segs
    ]
    return _places(found)


def answer_places(
    questions: list[list[PackedQuestion]], starts: list[list[int]]
) -> tuple[Places, Tensor]:
    """Places of the states that predict each token of the answers, and these tokens (n,).

    Args:
        questions: of each image; starts: where each begins, see :class:`PackedBatch`.
    """
    found, tokens = [], []
    for row, (group, begins) in enumerate(zip(questions, starts, strict=True)):
        for one, begin in zip(group, begins, strict=True):
            for at in range(one.answer_start, len(one.ids)):
                found.append((row, begin + at - 1))
                tokens.append(one.ids[at])
    return _places(found), torch.tensor(tokens, dtype=torch.long)


def _places(found: list[tuple[int, int]]) -> Places:
    rows, positions = torch.tensor(found, dtype=torch.long).reshape(-1, 2).unbind(1)
    return rows, positions
