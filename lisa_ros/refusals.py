"""A refused request is counted and logged in one way, whoever refuses it."""

from __future__ import annotations

from lisa_ros.diagnostics import Diagnostics
from lisa_ros.errors import RequestError
from lisa_ros.log_line import Logger, log_line


def note_refused(error: RequestError, *, diagnostics: Diagnostics, log: Logger) -> None:
    """Count and log a refused request."""
    diagnostics.count_refused(error.code, str(error))
    log.warning(log_line("refused", code=error.code, message=str(error)))
