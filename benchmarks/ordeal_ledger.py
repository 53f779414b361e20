"""Every request of an ordeal and its end, as the one who asked sees them.  Pure: no ROS."""

from __future__ import annotations

from dataclasses import dataclass, field

from lisa_ros.errors import TARGET_WITHOUT_3D

ANSWERED = "answered"
# Ends that are not the node's: how a call or a goal itself can fail.
GOAL_REJECTED = "goal_rejected"
CALL_FAILED = "call_failed"
NO_REASON = "refused_without_reason"

TOPIC, ACTION, SERVICE = "topic", "action", "service"


@dataclass(kw_only=True)
class Request:
    """One request.

    Attributes:
        number: in the order of sending.
        way: TOPIC, ACTION or SERVICE.
        text: the intent.
        sent_s: since the start [s].
        at_once: nothing hindered it when it was sent: nothing else ran or waited, the node was
            active and the camera was running, unless it brought its image along.
        own_image: it brought an image along.
        refusable: it is wrong in itself, so an answer would be a mistake.
        end: ANSWERED, a code, or "" while there is none.  Refusals of intents by topic are seen in
            the node's log only, so those keep "".
        end_s: since the start [s].
        message: why it was refused.
        ends: how often it ended.
        no_3d: reasons of the targets without a position, of an answer by action or service.
    """

    number: int
    way: str
    text: str
    sent_s: float
    at_once: bool = False
    own_image: bool = False
    refusable: bool = False
    end: str = ""
    end_s: float = 0.0
    message: str = ""
    ends: int = 0
    no_3d: tuple[str, ...] = ()

    @property
    def latency_s(self) -> float:
        """From sending to the end [s]."""
        return self.end_s - self.sent_s


@dataclass(kw_only=True)
class Call:
    """A call that is no request: parameters, transitions, ~/cancel.

    Attributes:
        what: the event it is of.
        sent_s, done_s: since the start [s]; ``done_s`` is None while there is no answer.
        problem: what is wrong with the answer; "" for nothing.
    """

    what: str
    sent_s: float
    done_s: float | None = None
    problem: str = ""


@dataclass
class Ledger:
    """Requests by number, with who is still under way.

    Attributes:
        requests: in the order of sending.
    """

    requests: list[Request] = field(default_factory=list)
    _by_text: dict[str, Request] = field(default_factory=dict)
    # Requests up to this number are known to have ended: the node has one worker and one waiting
    # place, so what was sent before an answered request has ended when the answer comes.
    _settled: int = -1

    def add(
        self,
        way: str,
        text: str,
        now_s: float,
        *,
        ready: bool,
        own_image: bool = False,
        refusable: bool = False,
    ) -> Request:
        """Enter a request that is about to be sent.

        Args:
            way, text: see Request.
            now_s: since the start [s].
            ready: the node is active, and the camera runs or is not needed.
            own_image, refusable: see Request.
        """
        request = Request(
            number=len(self.requests),
            way=way,
            text=text,
            sent_s=now_s,
            at_once=ready and not refusable and not self.under_way(),
            own_image=own_image,
            refusable=refusable,
        )
        self.requests.append(request)
        if way == TOPIC and not refusable:
            self._by_text[text] = request
        return request

    def end(self, request: Request, end: str, now_s: float, message: str = "") -> None:
        """Note an end; a second one is noted as such."""
        request.ends += 1
        if request.end:
            return
        request.end, request.end_s, request.message = end, now_s, message
        if end in (ANSWERED, TARGET_WITHOUT_3D):
            self._settled = max(self._settled, request.number)

    def on_result(self, text: str, now_s: float) -> None:
        """Take a result on the topics: the first one with an intent sent by topic is its answer.

        Later ones are of following it; whether the node answered twice is seen in its log.
        """
        request = self._by_text.get(text)
        if request is not None and not request.end:
            self.end(request, ANSWERED, now_s)

    def under_way(self) -> list[Request]:
        """Return the requests that may be running or waiting in the node."""
        return [
            one for one in self.requests[self._settled + 1 :] if not one.end and not one.refusable
        ]

    def waiting(self) -> list[Request]:
        """Return the calls and goals that have not ended."""
        return [one for one in self.requests if one.way != TOPIC and not one.end]
