"""Notices an inference that has stopped to come on, and that it does again."""

from __future__ import annotations

from collections.abc import Callable

from lisa_ros.errors import INFERENCE_HUNG, RequestError
from lisa_ros.log_line import Logger, log_line


class Watchdog:
    """One thread looks; any thread may read ``hung``.

    Args:
        limit_s: returns the parameter ``watchdog_s``; 0 for never.
        log: where it is said that an inference hangs, or no longer does.
    """

    def __init__(self, *, limit_s: Callable[[], float], log: Logger) -> None:
        self._limit_s = limit_s
        self._log = log
        self._hung: RequestError | None = None

    @property
    def hung(self) -> RequestError | None:
        """Why the inference counts as hung; None when it does not."""
        return self._hung

    def look(self, silent_s: float, stage: str) -> RequestError | None:
        """Look at the inference.

        Args:
            silent_s: seconds since it last came on; 0 when none runs.
            stage: what it does.

        Returns:
            Why it counts as hung, when it does so from now on; else None.
        """
        limit = self._limit_s()
        if self._hung is None and limit and silent_s > limit:
            self._hung = RequestError(
                code=INFERENCE_HUNG,
                message=f"the inference has not come on for {silent_s:.0f} s, more than watchdog_s "
                f"= {limit:g} s (stage: {stage}). Requests are refused until it does. If it does "
                "not, restart the node; if the model is only slow, raise watchdog_s",
            )
            self._log.error(log_line("inference_hung", silent_s=silent_s, message=str(self._hung)))
            return self._hung
        if self._hung is not None and silent_s == 0.0:
            self._hung = None
            self._log.info(log_line("inference_back"))
        return None
