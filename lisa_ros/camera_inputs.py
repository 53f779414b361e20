"""The camera's subscriptions: topics, transports and quality of service that fit the publishers.

Topics (relative, so that a namespace or a remapping moves them):
    camera/color/image_raw          Image, or its /compressed
    camera/depth/image_raw          Image, or its /compressedDepth or /compressed
    camera/color/camera_info        CameraInfo
    camera/depth/camera_info        CameraInfo, only when depth is not registered to colour

As in image_transport, a compressed topic is the raw topic's name, after remapping, and the
transport's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from builtin_interfaces.msg import Time
from rclpy.clock import Clock, ClockType
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.qos import (
    DurabilityPolicy,
    QoSPolicyKind,
    QoSProfile,
    ReliabilityPolicy,
    qos_policy_name_from_kind,
)
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from lisa_ros.arrival import Stream
from lisa_ros.diagnostics import Diagnostics
from lisa_ros.log_line import log_line
from lisa_ros.parameters import Settings
from lisa_ros.qos import CAMERA_INPUT, LATCHED_INPUT, RELIABLE_CAMERA_INPUT

COLOUR_TOPIC = "camera/color/image_raw"
DEPTH_TOPIC = "camera/depth/image_raw"
COLOUR_INFO_TOPIC = "camera/color/camera_info"
DEPTH_INFO_TOPIC = "camera/depth/camera_info"

RAW = "raw"
AUTO = "auto"
# How often the graph is looked at while the node is active.
REFRESH_S = 0.5
# Raw and compressed publishers of one driver are not discovered in the same moment.
LOOKS_BEFORE_A_CHANGE = 2

_REMEDIES = {
    QoSPolicyKind.RELIABILITY: "set the parameter camera_qos to best_effort, or make the publisher "
    "reliable",
    QoSPolicyKind.DURABILITY: "make all publishers of the topic transient_local, or none",
}


@dataclass
class _Input:
    """One stream: where it comes from now, and where it could come from."""

    stream: Stream
    topic: str
    # image_transport's name, "raw" included; more than one only of "auto".
    transports: tuple[str, ...] = (RAW,)
    transport: str = RAW
    latched: bool = False
    subscription: Any = None
    looks: int = field(default=0)


class _Logger(Protocol):
    def info(self, message: str) -> Any: ...
    def warning(self, message: str) -> Any: ...


class CameraInputs:
    """Makes the camera's subscriptions and destroys them.

    Args:
        node: owner of the subscriptions.
        settings: colour_transport, depth_transport, camera_qos and view are used.
        add: called with each message and its stream, on the executor's thread.
        diagnostics: where incompatible publishers are counted, as ``<stream>_qos``.
        guard: wraps callbacks so that an exception in them does not end the executor.
    """

    def __init__(
        self,
        *,
        node: Any,
        settings: Settings,
        add: Callable[[Stream, Any], None],
        diagnostics: Diagnostics,
        guard: Callable[[Callable[..., None]], Callable[..., None]],
    ) -> None:
        self._node = node
        self._log: _Logger = node.get_logger()
        self._add = add
        self._diagnostics = diagnostics
        self._guard = guard
        self._qos = RELIABLE_CAMERA_INPUT if settings.camera_qos == "reliable" else CAMERA_INPUT
        self._inputs = [
            _image_input("image", COLOUR_TOPIC, settings.colour_transport, "compressed"),
            _image_input("depth", DEPTH_TOPIC, settings.depth_transport, "compressedDepth"),
            _Input("camera_info", COLOUR_INFO_TOPIC),
        ]
        if not settings.view.registered:
            self._inputs.append(_Input("depth_camera_info", DEPTH_INFO_TOPIC))
        self._timer: Any = None

    def open(self) -> None:
        """Subscribe; from then on follow what the publishers offer."""
        for one in self._inputs:
            self._subscribe(one)
        # Not the node's clock: with use_sim_time that stands still until /clock comes.
        self._timer = self._node.create_timer(
            REFRESH_S, self._guard(self.refresh), clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def close(self) -> None:
        """Destroy the subscriptions; to be called again without harm."""
        if self._timer is not None:
            self._node.destroy_timer(self._timer)
            self._timer = None
        for one in self._inputs:
            self._unsubscribe(one)

    def transports(self) -> dict[Stream, str]:
        """Return which transport each stream is received by."""
        return {one.stream: one.transport for one in self._inputs}

    def refresh(self) -> None:
        """Change to the transport, and the durability, that is published."""
        for one in self._inputs:
            if len(one.transports) > 1:
                self._follow_transport(one)
            if one.stream in ("camera_info", "depth_camera_info"):
                self._follow_durability(one)

    def topic_of(self, stream: Stream) -> str:
        """Return the topic that a stream is subscribed to now."""
        return next(self._topic(one, one.transport) for one in self._inputs if one.stream == stream)

    def _topic(self, one: _Input, transport: str) -> str:
        base = self._node.resolve_topic_name(one.topic)
        return base if transport == RAW else f"{base}/{transport}"

    def _subscribe(self, one: _Input) -> None:
        message_type: Any = CameraInfo
        if one.stream in ("image", "depth"):
            message_type = Image if one.transport == RAW else CompressedImage
        add = self._add_latched if one.latched else self._add
        stream = one.stream
        one.subscription = self._node.create_subscription(
            message_type,
            # A relative name where possible, so that it is remapped once.
            one.topic if one.transport == RAW else self._topic(one, one.transport),
            self._guard(lambda msg: add(stream, msg)),
            LATCHED_INPUT if one.latched else self._qos,
            event_callbacks=SubscriptionEventCallbacks(
                incompatible_qos=self._guard(lambda event: self._on_incompatible(one, event))
            ),
        )

    def _unsubscribe(self, one: _Input) -> None:
        if one.subscription is not None:
            self._node.destroy_subscription(one.subscription)
            one.subscription = None

    def _add_latched(self, stream: Stream, msg: CameraInfo) -> None:
        # Stamp zero: a calibration that holds for every image, whenever it was published.
        msg.header.stamp = Time()
        self._add(stream, msg)

    def _follow_transport(self, one: _Input) -> None:
        """Raw where it is published, else compressed; a choice stays while it has publishers."""
        published = [
            transport
            for transport in one.transports
            if self._node.count_publishers(self._topic(one, transport)) > 0
        ]
        if not published or one.transport in published:
            one.looks = 0
            return
        one.looks += 1
        if one.looks < LOOKS_BEFORE_A_CHANGE:
            return
        self._resubscribe(one, transport=published[0])
        self._log.info(
            log_line("listening", stream=one.stream, topic=self._topic(one, one.transport))
        )

    def _follow_durability(self, one: _Input) -> None:
        offered = [
            info.qos_profile
            for info in self._node.get_publishers_info_by_topic(self._topic(one, RAW))
        ]
        if not offered or all(_is_latched(qos) for qos in offered) == one.latched:
            one.looks = 0
            return
        one.looks += 1
        if one.looks >= LOOKS_BEFORE_A_CHANGE:
            self._resubscribe(one, latched=not one.latched)

    def _resubscribe(
        self, one: _Input, *, transport: str | None = None, latched: bool | None = None
    ) -> None:
        self._unsubscribe(one)
        one.transport = one.transport if transport is None else transport
        one.latched = one.latched if latched is None else latched
        one.looks = 0
        self._subscribe(one)

    def _on_incompatible(self, one: _Input, event: Any) -> None:
        kind = event.last_policy_kind
        policy = qos_policy_name_from_kind(kind)
        remedy = _REMEDIES.get(QoSPolicyKind(kind), f"change {policy} of the publisher")
        message = (
            f"{self._topic(one, one.transport)}: a publisher's QoS offers less than is asked for "
            f"({policy}), so nothing is received from it; {remedy}"
        )
        code = f"{one.stream}_qos"
        for _ in range(max(1, int(event.total_count_change))):
            self._diagnostics.count_refused(code, message)
        if self._diagnostics.should_log(code):
            self._log.warning(log_line("qos_incompatible", code=code, message=message))


def _image_input(stream: Stream, topic: str, wanted: str, compressed: str) -> _Input:
    """Return an image stream; ``compressed`` is the transport that "auto" takes beside raw."""
    if wanted == AUTO:
        return _Input(stream, topic, transports=(RAW, compressed))
    return _Input(stream, topic, transports=(wanted,), transport=wanted)


def _is_latched(qos: QoSProfile) -> bool:
    return (
        qos.durability == DurabilityPolicy.TRANSIENT_LOCAL
        and qos.reliability == ReliabilityPolicy.RELIABLE
    )
