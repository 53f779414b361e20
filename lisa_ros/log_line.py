"""Log lines that people read and programs parse: one event, its fields as key=value (logfmt)."""

from __future__ import annotations

import json
from typing import Any, Protocol


class Logger(Protocol):
    """The part of rclpy's logger that is used."""

    def info(self, message: str) -> Any:
        """Log what happened."""

    def warning(self, message: str) -> Any:
        """Log what was refused."""

    def error(self, message: str) -> Any:
        """Log what failed."""


def log_line(event: str, **fields: Any) -> str:
    """Return one line: the event's name and its fields.

    Texts with blanks, quotes or control characters are written as JSON strings, so that a line
    stays a line; floats have three digits.

    >>> log_line("answered", intent="change the TV channel", targets=1, total_s=1.7251)
    'answered intent="change the TV channel" targets=1 total_s=1.725'
    """
    return " ".join([event, *(f"{name}={_value(value)}" for name, value in fields.items())])


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.3f}"
    text = str(value)
    plain = text and all(c.isprintable() and c not in ' "=\\' for c in text)
    return text if plain else json.dumps(text, ensure_ascii=False)
