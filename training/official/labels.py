"""Conversations as training ids: what is learnt (the answers) and what is only read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lisa_model.llava.tokenizer import LegacyTokenizer
from training.official.losses import IGNORED

# What stands before an answer, and what ends it.
_BEFORE_ANSWER = {"llava_v1": " ASSISTANT: ", "llava_llama_2": "[/INST] "}
_END = "</s>"


@dataclass(frozen=True)
class TextBatch:
    """Conversations of a batch, padded at the right.

    Attributes:
        ids: (n, L) int64, IMAGE_TOKEN_INDEX where an image belongs.
        labels: (n, L) int64, IGNORED where nothing is learnt.
        mask: (n, L) bool, False at the padding.
    """

    ids: Tensor
    labels: Tensor
    mask: Tensor


def answer_labels(
    conversation: str, ids: Sequence[int], tokenizer: LegacyTokenizer, template: str
) -> list[int]:
    """Labels of a conversation: its answers with the </s> that ends each of them.

    Args:
        conversation: text with all turns answered.
        ids: of the whole text, unpadded.

    Raises:
        ValueError: the turns do not add up to the ids: another tokenizer made them.
    """
    labels = [IGNORED] * len(ids)
    place = 1  # after <s>
    for turn in conversation.split(_END):
        question, separator, _ = turn.partition(_BEFORE_ANSWER[template])
        if not separator:
            break
        # Both counts hold an <s>; in the turn it stands for the </s> that was split off, and the
        # question's last token is the blank that belongs to the answer.
        length = len(tokenizer.encode_prompt(turn))
        read = len(tokenizer.encode_prompt(question + separator)) - 2
        labels[place + read : place + length] = ids[place + read : place + length]
        place += length
    if place != len(ids):
        raise ValueError(
            f"the turns have {place} tokens, the conversation {len(ids)}; do tokenizer and "
            f"template ({template}) belong together? {conversation[:80]!r}"
        )
    return labels


def text_batch(
    conversations: Sequence[str],
    tokenizer: LegacyTokenizer,
    *,
    template: str,
    patches: int,
    max_length: int = 512,
) -> TextBatch:
    """Ids, labels and mask of a batch.

    Args:
        conversations: all turns answered.
        patches: image tokens; they count against ``max_length``.
        max_length: longest sequence with the image; longer ones lose their end.
    """
    rows = [tokenizer.encode_prompt(text) for text in conversations]
    wanted = [
        answer_labels(text, ids, tokenizer, template)
        for text, ids in zip(conversations, rows, strict=True)
    ]
    length = min(max(len(ids) for ids in rows), max_length - (patches - 1))

    def pad(values: list[int], filler: int) -> list[int]:
        return (values + [filler] * length)[:length]

    ids = torch.tensor([pad(row, tokenizer.pad_id) for row in rows])
    labels = torch.tensor([pad(row, IGNORED) for row in wanted])
    return TextBatch(ids=ids, labels=labels, mask=ids != tokenizer.pad_id)
