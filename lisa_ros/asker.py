"""The way into the node: topic, service and action ask here, in every state of it."""

from __future__ import annotations

from collections.abc import Callable

from lisa_ros.answer import Outcome
from lisa_ros.control import Control, OnStage
from lisa_ros.diagnostics import Diagnostics
from lisa_ros.engine import PerceptionEngine
from lisa_ros.errors import NOT_ACTIVE, RequestError
from lisa_ros.frame import Frame
from lisa_ros.log_line import Logger
from lisa_ros.refusals import note_refused


class Asker:
    """Hands requests to the engine, and refuses them while there is none.

    Args:
        engine: returns the engine; None while the node is not configured.
        diagnostics: where refusals are counted.
        log: where they are said.
    """

    def __init__(
        self,
        *,
        engine: Callable[[], PerceptionEngine | None],
        diagnostics: Diagnostics,
        log: Logger,
    ) -> None:
        self._engine = engine
        self._diagnostics = diagnostics
        self._log = log

    def ask(
        self,
        text: str,
        on_done: Callable[[Outcome], None],
        frame: Frame | None = None,
        *,
        follow: bool = False,
        deadline_s: float = 0.0,
        on_stage: OnStage | None = None,
    ) -> Control | None:
        """Ask for an answer; see PerceptionEngine.ask. None when the node is not configured."""
        engine = self._engine()
        if engine is None:
            error = RequestError(
                code=NOT_ACTIVE,
                message="the node is not configured; configure and activate it, then ask again",
            )
            self.refuse(error)
            on_done(error)
            return None
        return engine.ask(
            text, on_done, frame, follow=follow, deadline_s=deadline_s, on_stage=on_stage
        )

    def cancel(self) -> tuple[int, str]:
        """End all requests and following; see PerceptionEngine.cancel."""
        engine = self._engine()
        return engine.cancel() if engine is not None else (0, "")

    def cancel_request(self, control: Control) -> bool:
        """End one request; False when it has ended already."""
        engine = self._engine()
        return engine is not None and engine.cancel_request(control)

    def refuse(self, error: RequestError) -> None:
        """Count and log a request that is refused before it is asked."""
        note_refused(error, diagnostics=self._diagnostics, log=self._log)
