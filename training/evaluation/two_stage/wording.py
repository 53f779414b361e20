"""From a model's words to a name."""

from __future__ import annotations

import re

NOTHING = frozenset({"", "nothing", "none", "no", "unknown", "n/a"})
_OPENING = re.compile(
    r"^(?:(?:it|this|that|the answer) (?:is|would be)|it's|you (?:need|can use|could use|want))\s+",
    re.IGNORECASE,
)
_ARTICLE = re.compile(r"^(?:a|an|the|some|your|my)\s+", re.IGNORECASE)


def clean_name(text: str) -> str:
    """The name in an answer of a few words: its first line without opening, article and full stop.

    Returns:
        "" when the answer says that there is nothing.
    """
    line = text.strip().split("\n")[0].strip(" \t\"'*.,:;!?")
    line = _OPENING.sub("", line)
    line = _ARTICLE.sub("", line).strip(" \t\"'*.,:;!?")
    return "" if line.lower() in NOTHING else line
