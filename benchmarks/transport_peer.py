"""One side of the transport benchmark, a process of its own: publishes images, or receives them.

    python -m benchmarks.transport_peer publish --streams 3 --frames 150 --width 640 --height 480
    python -m benchmarks.transport_peer receive --streams 3 --seconds 60

Prints one line of JSON at its end.
"""

from __future__ import annotations

import argparse
import array
import json
import signal
import time
from typing import Any

import rclpy
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

RELIABILITIES = {
    "best_effort": ReliabilityPolicy.BEST_EFFORT,
    "reliable": ReliabilityPolicy.RELIABLE,
}
# Streams by turns: colour and metric depth; encoding, bytes per pixel.
KINDS = (("rgb8", 3), ("32FC1", 4))
_MATCH_TIMEOUT_S = 20.0
_PAUSE_S = 0.7


def _profile(reliability: str) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=5, reliability=RELIABILITIES[reliability]
    )


def publish(options: argparse.Namespace) -> dict[str, Any]:
    """Publish every stream once per period; return what was sent and how long a call took [ms]."""
    node = Node("transport_publisher")
    publishers = []
    for number in range(options.streams):
        encoding, size = KINDS[number % len(KINDS)]
        image = Image(width=options.width, height=options.height, encoding=encoding)
        image.step = options.width * size
        image.data = array.array("B", bytes(options.height * image.step))
        topic = f"transport/image_{number}"
        publishers.append((node.create_publisher(Image, topic, _profile(options.qos)), image))
    end = time.monotonic() + _MATCH_TIMEOUT_S
    while not (matched := all(p.get_subscription_count() for p, _ in publishers)):
        if time.monotonic() > end:
            break
        rclpy.spin_once(node, timeout_sec=0.02)
    time.sleep(_PAUSE_S)  # the subscriber's side matches later
    calls_ms = []
    start = time.monotonic()
    for number in range(options.frames):
        time.sleep(max(0.0, start + number / options.rate - time.monotonic()))
        for publisher, image in publishers:
            before = time.perf_counter()
            image.header.stamp = node.get_clock().now().to_msg()
            publisher.publish(image)
            calls_ms.append((time.perf_counter() - before) * 1e3)
    time.sleep(_PAUSE_S)
    node.destroy_node()
    return {"matched": matched, "sent": options.frames, "longest_publish_ms": max(calls_ms)}


def receive(options: argparse.Namespace) -> dict[str, Any]:
    """Receive until told to end; return the ages on arrival of each stream's images [ms]."""
    node = Node("transport_subscriber")
    ages_ms: list[list[float]] = [[] for _ in range(options.streams)]

    def listen(number: int) -> None:
        def arrived(image: Image) -> None:
            stamp = image.header.stamp
            age = node.get_clock().now().nanoseconds - (stamp.sec * 10**9 + stamp.nanosec)
            ages_ms[number].append(age / 1e6)

        topic = f"transport/image_{number}"
        node.create_subscription(Image, topic, arrived, _profile(options.qos))

    for number in range(options.streams):
        listen(number)
    told = False

    def end(*_: object) -> None:
        nonlocal told
        told = True

    signal.signal(signal.SIGTERM, end)
    latest = time.monotonic() + options.seconds
    while not told and time.monotonic() < latest:
        rclpy.spin_once(node, timeout_sec=0.05)
    node.destroy_node()
    return {"ages_ms": ages_ms}


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("role", choices=("publish", "receive"))
    parser.add_argument("--qos", choices=sorted(RELIABILITIES), default="best_effort")
    parser.add_argument("--streams", type=int, default=1)
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=480)
    parser.add_argument("--rate", type=float, default=30.0, help="frames per second")
    parser.add_argument("--frames", type=int, default=150, help="publish: of each stream")
    parser.add_argument("--seconds", type=float, default=120.0, help="receive: at most")
    options = parser.parse_args(argv)
    rclpy.init(args=[])
    try:
        report = publish(options) if options.role == "publish" else receive(options)
    finally:
        rclpy.try_shutdown()
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
