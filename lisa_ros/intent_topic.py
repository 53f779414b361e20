"""The topic intent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from std_msgs.msg import String

from lisa_ros.answer import Answer, Outcome
from lisa_ros.asker import Asker
from lisa_ros.qos import INTENT_INPUT

INTENT_TOPIC = "intent"


class IntentTopic:
    """Asks for what comes on the topic; answers are published, refusals stand in the log only.

    Args:
        node: owner of the subscription.
        asker: where requests go.
        publish: publishes answers.
        follow: returns the parameter ``follow``.
        guard: wraps the callback so that an exception in it does not end the executor.
    """

    def __init__(
        self,
        *,
        node: Any,
        asker: Asker,
        publish: Callable[[Answer], None],
        follow: Callable[[], bool],
        guard: Callable[[Callable[..., None]], Callable[..., None]],
    ) -> None:
        self._asker = asker
        self._publish = publish
        self._follow = follow
        node.create_subscription(String, INTENT_TOPIC, guard(self._on_intent), INTENT_INPUT)

    def _on_intent(self, msg: String) -> None:
        self._asker.ask(msg.data, self._on_done, follow=self._follow())

    def _on_done(self, outcome: Outcome) -> None:
        if isinstance(outcome, Answer):
            self._publish(outcome)
