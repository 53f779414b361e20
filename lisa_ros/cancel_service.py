"""The service ~/cancel."""

from __future__ import annotations

from typing import Any

from std_srvs.srv import Trigger

from lisa_ros.asker import Asker


class CancelService:
    """Ends all requests and following, and answers what it ended.

    Args:
        node: owner of the service.
        asker: where requests and following are ended.
    """

    def __init__(self, node: Any, asker: Asker) -> None:
        self._asker = asker
        node.create_service(Trigger, "~/cancel", self._handle)

    def _handle(self, _: Any, response: Any) -> Any:
        requests, followed = self._asker.cancel()
        ended = [f"{requests} request(s)"] if requests else []
        ended += [f'following of "{followed}"'] if followed else []
        response.success = bool(ended)
        response.message = f"cancelled {' and '.join(ended)}" if ended else "nothing to cancel"
        return response
