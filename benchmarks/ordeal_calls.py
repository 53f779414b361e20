"""Calls that an ordeal makes besides its requests: parameters, transitions, ~/cancel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from benchmarks.ordeal_ledger import Call
from benchmarks.ordeal_schedule import Event
from benchmarks.probe import Probe
from lisa_ros.demo_connection import PERCEPTION_NODE


class Caller:
    """Makes the calls and judges the answers.

    Args:
        probe: whose node is used.
        since_start: seconds since the start of the run.

    Attributes:
        calls: in the order of sending.
        active: the node is active, as far as was asked for and confirmed.
        active_since: when that was confirmed [s since the start].
    """

    def __init__(self, probe: Probe, since_start: Callable[[], float]) -> None:
        self._now = since_start
        self._clients = {
            kind: probe.node.create_client(kind, f"{PERCEPTION_NODE}/{name}")
            for kind, name in (
                (SetParameters, "set_parameters"),
                (ChangeState, "change_state"),
                (Trigger, "cancel"),
            )
        }
        self.calls: list[Call] = []
        self.active = True
        self.active_since = 0.0

    def connected(self) -> bool:
        """Tell whether all services have been found."""
        return all(client.service_is_ready() for client in self._clients.values())

    def makes(self, event: Event) -> bool:
        """Make the call of an event; False when it is about something else."""
        if event.kind == "parameter":
            self._set_parameter(event)
        elif event.kind == "cancel":
            self._call(event, Trigger.Request(), lambda answer: "" if answer.message else "no text")
        elif event.kind == "lifecycle":
            self.active = False
            self._change(event, Transition.TRANSITION_DEACTIVATE)
        elif event.kind == "activate":
            self._change(event, Transition.TRANSITION_ACTIVATE)
        else:
            return False
        return True

    def unanswered(self) -> list[Call]:
        """Return the calls without an answer."""
        return [one for one in self.calls if one.done_s is None]

    def _set_parameter(self, event: Event) -> None:
        values = event.values
        parameter = Parameter(values["name"], value=values["value"]).to_parameter_msg()

        def judge(answer: Any) -> str:
            (result,) = answer.results
            if result.successful != values["allowed"]:
                return "taken, though it is wrong" if result.successful else result.reason
            return "" if result.successful or result.reason else "refused without a reason"

        self._call(event, SetParameters.Request(parameters=[parameter]), judge)

    def _change(self, event: Event, transition: int) -> None:
        def judge(answer: Any) -> str:
            if transition == Transition.TRANSITION_ACTIVATE and answer.success:
                self.active, self.active_since = True, self._now()
            return "" if answer.success else "the transition failed"

        self._call(event, ChangeState.Request(transition=Transition(id=transition)), judge)

    def _call(self, event: Event, request: Any, judge: Callable[[Any], str]) -> None:
        call = Call(what=str(event), sent_s=self._now())
        self.calls.append(call)
        kind = next(kind for kind in self._clients if isinstance(request, kind.Request))

        def on_answer(future: Any) -> None:
            call.done_s = self._now()
            error = future.exception()
            call.problem = judge(future.result()) if error is None else repr(error)

        self._clients[kind].call_async(request).add_done_callback(on_answer)
