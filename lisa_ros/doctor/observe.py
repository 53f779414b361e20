"""Looks at the graph, and listens to the camera and to /diagnostics for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node, NodeNameNonExistentError
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from lisa_ros.camera_inputs import COLOUR_INFO_TOPIC, COLOUR_TOPIC, DEPTH_TOPIC
from lisa_ros.doctor.observed import Endpoint, Link, NodeSeen, Observed, Stream
from lisa_ros.qos import DIAGNOSTICS_OUTPUT

NODE_NAME = "lisa_doctor"
PERCEPTION_NODE = "perception_node"
DISCOVERY_S = 1.5
LISTEN_S = 2.0
# Ten deep: messages are counted, not only the newest used.
_COUNTING = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=10, reliability=ReliabilityPolicy.BEST_EFFORT
)
# image_transport's, of colour and of depth.
COMPRESSED_TRANSPORTS = ("compressedDepth", "compressed")
IMAGE_TYPE = "sensor_msgs/msg/Image"
COMPRESSED_TYPE = "sensor_msgs/msg/CompressedImage"
INFO_TYPE = "sensor_msgs/msg/CameraInfo"


@dataclass(frozen=True, kw_only=True)
class Where:
    """Where to look; topics are relative to the namespace unless they begin with a slash."""

    namespace: str = ""
    node: str = PERCEPTION_NODE
    color: str = COLOUR_TOPIC
    depth: str = DEPTH_TOPIC
    info: str = COLOUR_INFO_TOPIC


class _Listener:
    """Notes stamps and arrivals of one topic, of whichever type it has.

    Args:
        node: owner of the subscription.
        topic: fully qualified; where nobody publishes it, a compressed transport is taken.
        fallback: type to wait for when the graph knows none.
    """

    def __init__(self, node: Node, topic: str, fallback: Any) -> None:
        supplied = [name for name in with_transports(topic) if node.count_publishers(name)]
        topic = self.topic = (supplied or [topic])[0]
        known = dict(node.get_topic_names_and_types())
        self.kinds = known.get(topic, [])
        classes = {IMAGE_TYPE: Image, COMPRESSED_TYPE: CompressedImage, INFO_TYPE: CameraInfo}
        found = [classes[kind] for kind in self.kinds if kind in classes]
        self.stamps: list[float] = []
        self.arrivals: list[float] = []
        self.sample: Any = None
        node.create_subscription(found[0] if found else fallback, topic, self._note, _COUNTING)
        self.publishers = endpoints(node.get_publishers_info_by_topic(topic))

    def _note(self, msg: Any) -> None:
        stamp = msg.header.stamp
        self.stamps.append(stamp.sec + stamp.nanosec * 1e-9)
        self.arrivals.append(time.time())
        self.sample = msg

    def start(self) -> None:
        """Forget what came while the connections were made."""
        self.stamps.clear()
        self.arrivals.clear()

    def stream(self, seconds: float) -> Stream:
        return Stream(
            topic=self.topic,
            kinds=tuple(self.kinds),
            publishers=self.publishers,
            seconds=seconds,
            stamps_s=tuple(self.stamps),
            arrivals_s=tuple(self.arrivals),
            sample=self.sample,
        )


def with_transports(topic: str) -> list[str]:
    """Return a topic and its compressed transports, in the order the node prefers them."""
    return [topic, *(f"{topic}/{transport}" for transport in COMPRESSED_TRANSPORTS)]


def endpoints(infos: list[Any]) -> tuple[Endpoint, ...]:
    """Return rclpy's TopicEndpointInfo as Endpoint."""
    return tuple(
        Endpoint(node=f"{one.node_namespace.rstrip('/')}/{one.node_name}", qos=one.qos_profile)
        for one in infos
    )


def observe(
    where: Where, *, listen_s: float = LISTEN_S, context: Context | None = None
) -> Observed:
    """Look and listen; takes DISCOVERY_S + 1 + ``listen_s`` seconds.

    Args:
        where: namespace and topics.
        listen_s: how long rates are measured.
        context: an initialised context to use; by default one of its own.
    """
    own = context is None
    if context is None:
        context = rclpy.Context()
        rclpy.init(context=context)
    node = rclpy.create_node(NODE_NAME, namespace=where.namespace, context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    try:
        return _observe(node, where, listen_s, partial(_spin, executor))
    finally:
        executor.shutdown()
        node.destroy_node()
        if own:
            context.try_shutdown()


def _observe(node: Node, where: Where, listen_s: float, spin: Callable[[float], None]) -> Observed:
    statuses: dict[str, Any] = {}

    def note(msg: DiagnosticArray) -> None:
        statuses.update({status.name: status for status in msg.status})

    node.create_subscription(DiagnosticArray, "/diagnostics", note, DIAGNOSTICS_OUTPUT)
    spin(DISCOVERY_S)
    listeners = [
        _Listener(node, node.resolve_topic_name(topic), fallback)
        for topic, fallback in (
            (where.color, Image),
            (where.depth, Image),
            (where.info, CameraInfo),
        )
    ]
    # The transport makes its connections; what gets lost meanwhile says nothing of the camera.
    spin(1.0)
    for one in listeners:
        one.start()
    start = time.monotonic()
    spin(listen_s)
    seconds = time.monotonic() - start
    color, depth, info = (one.stream(seconds) for one in listeners)
    images = {
        topic: kinds[0]
        for topic, kinds in node.get_topic_names_and_types()
        if kinds[0] in (IMAGE_TYPE, COMPRESSED_TYPE) and node.count_publishers(topic)
    }
    return Observed(
        color=color,
        depth=depth,
        info=info,
        node=_perception_node(node, where, statuses),
        image_topics=images,
    )


def _perception_node(node: Node, where: Where, statuses: dict[str, Any]) -> NodeSeen:
    namespace = node.get_namespace()
    name = f"{namespace.rstrip('/')}/{where.node}"
    status = statuses.get(f"{name}: perception")
    try:
        topics = {
            topic
            for graph in (
                node.get_publisher_names_and_types_by_node,
                node.get_subscriber_names_and_types_by_node,
            )
            for topic, _ in graph(where.node, namespace)
        }
    except NodeNameNonExistentError:
        return NodeSeen(name=name, present=False)
    links = [
        Link(
            topic=topic,
            publishers=endpoints(node.get_publishers_info_by_topic(topic)),
            subscriptions=endpoints(node.get_subscriptions_info_by_topic(topic)),
        )
        for topic in sorted(topics)
    ]
    return NodeSeen(
        name=name,
        present=True,
        status=None if status is None else {one.key: one.value for one in status.values},
        message="" if status is None else status.message,
        links=links,
    )


def _spin(executor: SingleThreadedExecutor, seconds: float) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        executor.spin_once(timeout_sec=left)
