"""What the language model is told."""

from __future__ import annotations

SYSTEM = "You rewrite instructions. You answer with the rewritten instructions only, one per line."
USER = (
    "Rewrite the {kind} below in {count} different ways. Each must mean exactly the same thing, "
    "and must not say more about what it means than the original does. {rule} One per line, no "
    "numbers, no quotation marks.\n\n{text}"
)
RULES = {
    "question": "Each must be a question.",
    "request": "Each must be a request, not a question.",
    "phrase": "Each must be a short noun phrase, not a sentence.",
}


def recorded() -> dict[str, str]:
    """The prompt as the file of paraphrases records it."""
    return {"system": SYSTEM, "user": USER, **{f"rule for a {k}": v for k, v in RULES.items()}}


def kind_of(text: str, *, is_sentence: bool) -> str:
    """question, request or phrase."""
    if not is_sentence:
        return "phrase"
    return "question" if text.rstrip().endswith("?") else "request"


def user_message(text: str, *, is_sentence: bool, count: int) -> str:
    """The message about one instruction."""
    kind = kind_of(text, is_sentence=is_sentence)
    return USER.format(kind=kind, count=count, rule=RULES[kind], text=text.strip())
