"""What was seen of topics and of the node, as plain values that the judgements are made on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A publisher or subscription of some node: the node's name and an rclpy QoSProfile."""

    node: str
    qos: Any


@dataclass(frozen=True, kw_only=True)
class Stream:
    """What came of one camera topic.

    Attributes:
        topic: fully qualified.
        kinds: message types that the graph knows for it.
        publishers: of the topic.
        seconds: how long it was listened to.
        stamps_s: stamp of every message received.
        arrivals_s: clock time of the same messages.
        sample: the last message, None when none came.
    """

    topic: str
    kinds: Sequence[str] = ()
    publishers: Sequence[Endpoint] = ()
    seconds: float = 2.0
    stamps_s: Sequence[float] = ()
    arrivals_s: Sequence[float] = ()
    sample: Any = None

    @property
    def rate_hz(self) -> float:
        """Messages per second."""
        return len(self.stamps_s) / self.seconds


@dataclass(frozen=True, kw_only=True)
class Link:
    """All publishers and subscriptions of one topic of the perception node."""

    topic: str
    publishers: Sequence[Endpoint]
    subscriptions: Sequence[Endpoint]


@dataclass(frozen=True, kw_only=True)
class NodeSeen:
    """What was seen of the perception node.

    Attributes:
        name: fully qualified.
        present: it is in the graph.
        status: values of its status in /diagnostics, None when none came.
        message: of that status.
        links: its topics.
    """

    name: str
    present: bool
    status: Mapping[str, str] | None = None
    message: str = ""
    links: Sequence[Link] = field(default=())


@dataclass(frozen=True, kw_only=True)
class Observed:
    """Everything.

    Attributes:
        color, depth, info: of the camera.
        node: the perception node.
        image_topics: all topics of the graph with images, with their types.
    """

    color: Stream
    depth: Stream
    info: Stream
    node: NodeSeen
    image_topics: Mapping[str, str] = field(default_factory=dict)
