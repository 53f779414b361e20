"""A callback whose exceptions do not end the executor's spin."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from lisa_ros.diagnostics import Diagnostics
from lisa_ros.errors import INTERNAL_ERROR
from lisa_ros.log_line import Logger, log_line

Callback = Callable[..., None]


def guarded(callback: Callback, *, diagnostics: Diagnostics, log: Logger) -> Callback:
    """Return a callback that counts and logs what it raises instead of raising it."""

    @wraps(callback)
    def run(*args: Any) -> None:
        try:
            callback(*args)
        except Exception as error:
            diagnostics.count_refused(INTERNAL_ERROR, repr(error))
            log.error(log_line("callback_failed", callback=callback.__name__, error=repr(error)))

    return run
