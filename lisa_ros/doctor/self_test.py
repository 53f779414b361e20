"""Images from one process to another, as from a camera driver to the node.

Two processes, because within one Fast DDS hands messages over without any transport.  The sender is
``python -m lisa_ros.doctor.self_test TOPIC``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from lisa_ros.doctor.report import Finding, failed, ok, warning

RATE_HZ = 30.0
IMAGES = 30
# Images get lost while the transport still makes its connections, some 0.5 s; of a camera that runs
# all day nobody notices, so they are not counted.
WARM_UP_IMAGES = 45
_WARM_UP, _COUNTED = "warm_up", "counted"
SIZE = (480, 640)  # rgb8: 0.9 MB each
DISCOVERY_TIMEOUT_S = 10.0
# A camera that loses one image in ten is still a camera.
GOOD_SHARE = 0.9


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """What came of the test.

    Attributes:
        sent: number of images, 0 when the processes did not find each other.
        latencies_s: from sending to receiving, of those that arrived.
        error: what the sender said when it failed.
    """

    sent: int
    latencies_s: Sequence[float] = ()
    error: str = ""


def check_exchange(exchange: Exchange) -> Finding:
    """Judge the test."""
    name = "images"
    settings = "Set FASTDDS_BUILTIN_TRANSPORTS as the README says, for every process"
    if exchange.error:
        return failed(name, f"the sending process ended: {exchange.error}", "See installation")
    if not exchange.sent:
        return failed(
            name,
            f"two processes did not find each other within {DISCOVERY_TIMEOUT_S:g} s",
            "Check domain, loopback and multicast above; ROS_AUTOMATIC_DISCOVERY_RANGE must not "
            "be OFF",
        )
    height, width = SIZE
    arrived = len(exchange.latencies_s)
    text = f"{arrived} of {exchange.sent} images ({width}x{height} rgb8, {RATE_HZ:g} Hz, best "
    text += "effort) arrived in another process"
    if not arrived:
        return failed(name, text, settings)
    middle = sorted(exchange.latencies_s)[arrived // 2]
    text += f", median {middle * 1e3:.1f} ms"
    if arrived < GOOD_SHARE * exchange.sent:
        return warning(name, text, f"{settings}; or is this computer busy?")
    return ok(name, text)


def exchange_images(images: int = IMAGES) -> Exchange:
    """Start a sender in a process of its own, in this environment, and count what arrives."""
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import Image

    topic = f"/lisa_doctor/self_test_{os.getpid()}"
    context = rclpy.Context()
    rclpy.init(context=context)
    latencies: list[float] = []

    def receive(msg: Image) -> None:
        if msg.header.frame_id != _COUNTED:
            return
        sent = msg.header.stamp.sec + msg.header.stamp.nanosec * 1e-9
        latencies.append(time.time() - sent)

    command = [sys.executable, "-m", "lisa_ros.doctor.self_test", topic, str(images)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        executor = SingleThreadedExecutor(context=context)
        node = rclpy.create_node("lisa_doctor_receiver", context=context)
        executor.add_node(node)
        node.create_subscription(Image, topic, receive, qos_profile_sensor_data)
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as sender:
            end = (
                time.monotonic() + DISCOVERY_TIMEOUT_S + (WARM_UP_IMAGES + images) / RATE_HZ + 10.0
            )
            while sender.poll() is None and time.monotonic() < end:
                executor.spin_once(timeout_sec=0.05)
            sender.kill()
            said, problem = sender.communicate()
            status = sender.returncode
        executor.shutdown()
    finally:
        context.try_shutdown()
    if status != 0:
        lines = problem.strip().splitlines()
        return Exchange(sent=0, error=lines[-1] if lines else f"status {status}")
    return Exchange(sent=int(said.strip()), latencies_s=tuple(latencies))


def send_images(topic: str, images: int) -> int:
    """Send images once somebody listens; return how many, 0 when nobody does."""
    import numpy as np
    import rclpy
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import Image
    from std_msgs.msg import Header

    from lisa_ros.conversion import array_to_image

    rclpy.init()
    node = rclpy.create_node("lisa_doctor_sender")
    publisher = node.create_publisher(Image, topic, qos_profile_sensor_data)
    msg = array_to_image(np.zeros((*SIZE, 3), np.uint8), "rgb8", Header(frame_id=_WARM_UP))
    end = time.monotonic() + DISCOVERY_TIMEOUT_S
    while publisher.get_subscription_count() == 0:
        if time.monotonic() > end:
            return 0
        time.sleep(0.02)
    for number in range(WARM_UP_IMAGES + images):
        if number == WARM_UP_IMAGES:
            msg.header.frame_id = _COUNTED
        msg.header.stamp = node.get_clock().now().to_msg()
        publisher.publish(msg)
        time.sleep(1.0 / RATE_HZ)
    time.sleep(0.3)
    rclpy.shutdown()
    return images


if __name__ == "__main__":
    print(send_images(sys.argv[1], int(sys.argv[2])))
