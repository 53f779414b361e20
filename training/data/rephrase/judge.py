"""Which answers of a language model are paraphrases of an instruction, and why others are not."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from difflib import SequenceMatcher

from lisa_model.config import IM_END_TOKEN, IM_START_TOKEN, SEG_TOKEN
from lisa_model.llava.tokenizer import CONTROL_TOKENS, IMAGE_TOKEN

REASONS = (
    "empty",
    "reserved token",
    "not a paraphrase",
    "too long",
    "wrong type",
    "same as the original",
    "duplicate",
    "too similar",
)
# Of the letters of both, in their order (difflib's ratio): one letter or ending changed.
SIMILAR = 0.9
# A paraphrase may be longer than its original by this factor and so many words.
_LONGER, _WORDS_MORE = 2.0, 8
_RESERVED = (*CONTROL_TOKENS, IM_START_TOKEN, IM_END_TOKEN, SEG_TOKEN, IMAGE_TOKEN)
_BULLET = re.compile(r"^\s*(?:[-*•]|\(?\d{1,3}[.):])\s*")
_QUOTES = "\"'`“”‘’*"
_TALK = re.compile(
    r"^(sure|certainly|of course|okay|here (is|are)|as an ai|i'm sorry|i am sorry|i cannot)\b", re.I
)
# What a noun phrase does not begin with.
_CLAUSE = re.compile(
    r"^(what|which|who|whom|whose|where|when|why|how|is|are|was|were|do|does|did|can|could|would|"
    r"will|should|please|find|show|identify|segment|locate|point|tell|give|highlight|select|mark|"
    r"name|describe|it|this is|there is|there are)\b",
    re.I,
)


def lines_of(answer: str) -> list[str]:
    """The lines of an answer without numbers, bullets and quotation marks around them."""
    out = []
    for line in answer.splitlines():
        text = _BULLET.sub("", line).strip()
        if len(text) > 1 and text[0] in _QUOTES and text[-1] in _QUOTES:
            text = text[1:-1]
        out.append(" ".join(text.strip("*").split()))
    return out


def normal(text: str) -> str:
    """Letters and digits in lower case, single blanks: what two wordings are compared by."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(c if c.isalnum() else " " for c in folded).split())


def judge(text: str, original: str, *, is_sentence: bool, kept: Collection[str]) -> str | None:
    """Why a text is no use as a paraphrase, one of REASONS; None if it is.

    Args:
        text: the candidate.
        original: the instruction.
        is_sentence: whether that is a sentence, or else a noun phrase.
        kept: other paraphrases of it.
    """
    mine, its = normal(text), normal(original)
    if not mine:
        return "empty"
    if any(token in text for token in _RESERVED):
        return "reserved token"
    if text.endswith(":") or _TALK.match(text):
        return "not a paraphrase"
    if len(mine.split()) > _LONGER * len(its.split()) + _WORDS_MORE:
        return "too long"
    if not _same_type(text, original, is_sentence):
        return "wrong type"
    if mine == its:
        return "same as the original"
    others = [normal(one) for one in kept]
    if mine in others:
        return "duplicate"
    if any(SequenceMatcher(None, mine, one).ratio() >= SIMILAR for one in [its, *others]):
        return "too similar"
    return None


def _same_type(text: str, original: str, is_sentence: bool) -> bool:
    """A question stays one, a request stays one, and a noun phrase becomes neither."""
    if is_sentence:
        return text.endswith("?") == original.rstrip().endswith("?")
    return not text.endswith(("?", "!", ".")) and not _CLAUSE.match(text)
