"""Node `lisa_view`: hands topics on to Foxglove clients, and their intents to the perception node.

A topic is subscribed to only while a client looks at it, so the view costs nothing otherwise (the
node computes cloud, markers and overlay only for subscribers).  Messages are handed on as they are
(CDR), at most ``max_hz`` times a second, of images and clouds only the newest.
"""

from __future__ import annotations

import importlib
from collections import deque
from dataclasses import dataclass
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from std_msgs.msg import String

from lisa_model.errors import LisaError
from lisa_ros.bag_writer import definition, message_types
from lisa_ros.errors import InputError
from lisa_ros.qos import CAMERA_INPUT, INTENT_INPUT, RESULT_OUTPUT
from lisa_ros.view_graph import OfferedTopic, message_class, topics_of_node
from lisa_ros.view_intent import ENCODINGS, intent_of
from lisa_ros.view_queue import WaitingMessages

NODE_NAME = "lisa_view"
GRAPH_PERIOD_S = 0.5
# Messages that the server keeps for a client that reads slowly; then the oldest are dropped.
CLIENT_BACKLOG = 16
MAX_WAITING_INTENTS = 10
# A client's channels beyond this many are not heard.
MAX_CLIENT_CHANNELS = 1000


@dataclass(frozen=True, kw_only=True)
class ViewConfig:
    """What `lisa view` does.

    Args:
        host, port: where the server listens; port 0 takes a free one.
        max_hz: at most so many messages a second of an image or cloud.
        namespace: of the perception node.
        node: its name.
        intent: topic that clients may publish to, relative to the namespace.
        publish: whether clients may publish at all.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    max_hz: float = 10.0
    namespace: str = ""
    node: str = "perception_node"
    intent: str = "intent"
    publish: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ValueError(f"--port is {self.port}; must be within 0..65535")
        if not 0 < self.max_hz <= 120:
            raise ValueError(f"--max-hz is {self.max_hz:g}; must be > 0 and <= 120 [Hz]")


def load_foxglove() -> Any:
    """Import the module foxglove.

    Raises:
        LisaError: it is not installed.
    """
    try:
        importlib.import_module("foxglove.websocket")
        return importlib.import_module("foxglove")
    except ImportError as error:
        raise LisaError(
            f"'lisa view' needs the extra 'view' ({error}): pip install 'lisa_ros[view]', or "
            "pip install foxglove-sdk"
        ) from error


@dataclass
class _Bridged:
    topic: OfferedTopic
    message: Any
    channel: Any
    waiting: WaitingMessages
    subscription: Any = None


class ViewBridge(Node):
    """The node and its server; both run until ``close``.

    Attributes:
        port: where the server listens.

    Raises:
        LisaError: foxglove-sdk is not installed.
        OSError: the address cannot be had.
    """

    def __init__(self, config: ViewConfig, **kwargs: Any) -> None:
        foxglove = load_foxglove()
        super().__init__(NODE_NAME, namespace=config.namespace, **kwargs)
        self._config = config
        self._foxglove = foxglove
        self._view_context = foxglove.Context()
        self._types = message_types()
        self._bridged: dict[str, _Bridged] = {}
        self._unknown: set[str] = set()
        self._intents: deque[str] = deque(maxlen=MAX_WAITING_INTENTS)
        self._intent_publisher = self.create_publisher(String, config.intent, INTENT_INPUT)
        self._intent_topic = self._intent_publisher.topic_name
        # Clients are heard on the server's threads; publishing is left to the executor's.
        self._said = self.create_guard_condition(self._publish_intents)
        clock = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(GRAPH_PERIOD_S, self._follow_graph, clock=clock)
        self.create_timer(1.0 / config.max_hz, self._flush, clock=clock)
        capabilities = [foxglove.websocket.Capability.ClientPublish] if config.publish else []
        try:
            self._server = foxglove.start_server(
                name=f"lisa view {self.get_fully_qualified_name()}",
                host=config.host,
                port=config.port,
                capabilities=capabilities,
                supported_encodings=list(ENCODINGS),
                server_listener=_Clients(self) if config.publish else None,
                context=self._view_context,
                message_backlog_size=CLIENT_BACKLOG,
            )
        except Exception as error:  # the SDK raises RuntimeError and others of its own
            self.destroy_node()
            raise OSError(
                f"--host {config.host} --port {config.port}: the server cannot listen there "
                f"({error}); is another `lisa view` or foxglove_bridge running?"
            ) from error
        self.port: int = self._server.port
        self._follow_graph()

    @property
    def url(self) -> str:
        """Address for Foxglove's "Open connection"."""
        host = "localhost" if self._config.host in ("127.0.0.1", "0.0.0.0") else self._config.host
        return f"ws://{host}:{self.port}"

    @property
    def app_url(self) -> str:
        """Address that opens the Foxglove web app on this view."""
        return str(self._server.app_url())

    def topics(self) -> dict[str, bool]:
        """Return the topics on offer, and whether each is subscribed to now."""
        return {name: one.subscription is not None for name, one in self._bridged.items()}

    def say(self, data: bytes, topic: str, encoding: str) -> None:
        """Take what a client published, on any thread; clients are told when it is refused."""
        try:
            if topic != self._intent_topic:
                raise InputError(
                    code="view_topic",
                    field="topic",
                    problem=f"is {topic[:100]!r}",
                    remedy=f"Only {self._intent_topic} can be published to from here",
                )
            self._intents.append(intent_of(data, encoding))
        except InputError as error:
            self._tell(str(error))
            return
        self._said.trigger()

    def close(self) -> None:
        """Stop the server and take the node away."""
        self._server.stop()
        self.destroy_node()

    def _tell(self, problem: str) -> None:
        self.get_logger().warning(problem)
        level = self._foxglove.StatusLevel.Error
        self._server.publish_status(problem, level, "lisa_view")

    def _publish_intents(self) -> None:
        while self._intents:
            text = self._intents.popleft()
            if self._intent_publisher.get_subscription_count() == 0:
                self._tell(
                    f"nobody listens to {self._intent_topic}: is {self._config.node} running, and "
                    "are --namespace and --intent those of the node?"
                )
            self._intent_publisher.publish(String(data=text))
            self.get_logger().info(f"intent: {text}")

    def _follow_graph(self) -> None:
        """Offer topics as they appear; what was offered stays, its publisher may come back."""
        for topic in topics_of_node(self, self._config.node, self.get_namespace()):
            if topic.name in self._bridged or topic.name in self._unknown:
                continue
            try:
                self._offer(topic)
            except LookupError as error:
                self._unknown.add(topic.name)
                self.get_logger().warning(f"{topic.name} is not shown: {error}")

    def _offer(self, topic: OfferedTopic) -> None:
        """Open a channel.

        Raises:
            LookupError: the message type is not installed, or its definition is not known.
        """
        message = message_class(topic.kind)
        schema = self._foxglove.Schema(
            name=topic.kind,
            encoding="ros2msg",
            data=definition(self._types, topic.kind).encode(),
        )
        channel = self._foxglove.Channel(
            topic.name, message_encoding="cdr", schema=schema, context=self._view_context
        )
        waiting = WaitingMessages(topic.kind)
        self._bridged[topic.name] = _Bridged(topic, message, channel, waiting)

    def _flush(self) -> None:
        """Send what waits, and subscribe to what clients look at."""
        for one in self._bridged.values():
            watched = one.channel.has_sinks()
            if watched and one.subscription is None:
                one.subscription = self._subscribe(one)
            elif not watched and one.subscription is not None:
                self.destroy_subscription(one.subscription)
                one.subscription = None
                one.waiting.take()
            for time_ns, data in one.waiting.take():
                one.channel.log(data, log_time=time_ns)

    def _subscribe(self, one: _Bridged) -> Any:
        def put(data: bytes) -> None:
            one.waiting.put(self.get_clock().now().nanoseconds, data)

        return self.create_subscription(
            one.message,
            one.topic.name,
            put,
            # Best effort receives from every camera; results are sent reliably.
            CAMERA_INPUT if one.topic.camera else RESULT_OUTPUT,
            raw=True,
        )


class _Clients:
    """What the server calls, on threads of its own; it may not raise and may not wait."""

    def __init__(self, bridge: ViewBridge) -> None:
        self._bridge = bridge
        self._channels: dict[tuple[int, int], tuple[str, str]] = {}

    def on_client_advertise(self, client: Any, channel: Any) -> None:
        if len(self._channels) < MAX_CLIENT_CHANNELS:
            self._channels[client.id, channel.id] = (channel.topic, channel.encoding)

    def on_client_unadvertise(self, client: Any, channel_id: int) -> None:
        self._channels.pop((client.id, channel_id), None)

    def on_message_data(self, client: Any, channel_id: int, data: bytes) -> None:
        channel = self._channels.get((client.id, channel_id))
        if channel is not None:
            self._bridge.say(data, *channel)

    def on_subscribe(self, client: Any, channel: Any) -> None:
        """Seen by ``has_sinks``."""

    def on_unsubscribe(self, client: Any, channel: Any) -> None:
        """Seen by ``has_sinks``."""
