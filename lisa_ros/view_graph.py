"""Which topics a viewer is offered: what the perception node publishes, and the camera it sees.

Taken from the node itself, so that remappings, namespaces and new topics need no list here.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rclpy.node import NodeNameNonExistentError

# Of no use to people who watch.
HIDDEN_TOPICS = frozenset({"/parameter_events"})
CAMERA_TYPES = frozenset(
    {"sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage", "sensor_msgs/msg/CameraInfo"}
)


@dataclass(frozen=True, kw_only=True)
class OfferedTopic:
    """A topic for viewers.

    Attributes:
        name: fully qualified.
        kind: message type, such as ``sensor_msgs/msg/Image``.
        camera: the node only listens to it.
    """

    name: str
    kind: str
    camera: bool


def offered_topics(
    published: Iterable[tuple[str, list[str]]], subscribed: Iterable[tuple[str, list[str]]]
) -> list[OfferedTopic]:
    """Choose from a node's topics (names and types, as rclpy's graph functions return them)."""
    offered: dict[str, OfferedTopic] = {}
    for camera, topics in ((False, published), (True, subscribed)):
        for name, kinds in topics:
            kind = kinds[0]
            hidden = name in HIDDEN_TOPICS or "/_action/" in name
            if hidden or name in offered or (camera and kind not in CAMERA_TYPES):
                continue
            offered[name] = OfferedTopic(name=name, kind=kind, camera=camera)
    return sorted(offered.values(), key=lambda one: one.name)


def topics_of_node(node: Any, name: str, namespace: str) -> list[OfferedTopic]:
    """Return the topics of a node that runs, empty while there is none.

    Args:
        node: whose view of the graph is used.
        name, namespace: of the perception node.
    """
    try:
        return offered_topics(
            node.get_publisher_names_and_types_by_node(name, namespace),
            node.get_subscriber_names_and_types_by_node(name, namespace),
        )
    except NodeNameNonExistentError:
        return []


def message_class(kind: str) -> Any:
    """Return a message's class by its type, such as ``sensor_msgs/msg/Image``.

    Raises:
        LookupError: its package is not installed or not built.
    """
    package, _, name = kind.split("/")
    try:
        return getattr(importlib.import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError) as error:
        raise LookupError(f"{kind} is not installed ({error})") from error
