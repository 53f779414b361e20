"""Checks on the words of an intent before they reach the model."""

from __future__ import annotations

import re
import unicodedata

from lisa_ros.errors import InputError

DEFAULT_MAX_CHARS = 1000

# What tokenizers of LISA-style models treat as control tokens.  Words of a user must not be able to
# open a new turn, add an image slot or ask for a mask in the model's name.
_SPECIAL_TOKEN = re.compile(
    r"<\|[^<>|]{1,40}\|>"  # <|im_end|>, <|endoftext|>, ...
    r"|\[/?(?:SEG|REJ|INST)\]"
    r"|<</?SYS>>"
    r"|</?(?:s|p|seg|image|unk|pad|bbox|im_start|im_end|im_patch)>",
    re.IGNORECASE,
)

# Besides control characters (Cc): surrogates, private use, unassigned.  Format characters (Cf) are
# allowed because Persian, Hindi and emoji need joiners, apart from those that reverse the direction
# of writing and so let a log line show something else than what was sent.
_REFUSED_CATEGORIES = frozenset({"Cc", "Cs", "Co", "Cn"})
_DIRECTION_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def check_intent(text: str, max_chars: int = DEFAULT_MAX_CHARS) -> str:
    """Return the intent as the model gets it: NFC, white space runs (also newlines) as one blank.

    Args:
        text: what the user sent.
        max_chars: longest intent accepted, in characters of ``text``.

    Raises:
        InputError: code ``intent_empty``, ``intent_too_long``, ``intent_control_character`` or
            ``intent_special_token``.
    """
    if len(text) > max_chars:
        raise InputError(
            code="intent_too_long",
            field="intent",
            problem=f"has {len(text)} characters, more than {max_chars}",
            remedy="Shorten it, or raise the parameter max_intent_chars",
        )
    cleaned = " ".join(unicodedata.normalize("NFC", text).split())
    if not cleaned:
        raise InputError(
            code="intent_empty",
            field="intent",
            problem="is empty" if not text else "has only white space",
            remedy='Say what is wanted, for instance "change the TV channel"',
        )
    for position, character in enumerate(cleaned):
        if unicodedata.category(character) in _REFUSED_CATEGORIES or (
            character in _DIRECTION_CONTROLS
        ):
            raise InputError(
                code="intent_control_character",
                field="intent",
                problem=f"has the character U+{ord(character):04X} at position {position}",
                remedy="Send plain text without control characters",
            )
    token = _SPECIAL_TOKEN.search(cleaned)
    if token:
        raise InputError(
            code="intent_special_token",
            field="intent",
            problem=f"contains {token.group()!r}, which is a control token of language models",
            remedy="Send plain words",
        )
    return cleaned
