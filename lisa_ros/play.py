"""Node `play`: publishes a recording as if its cameras were there (``lisa play``).

Of a recording's frames, all with one stamp and depth registered to colour:

- ``camera/color/image_raw`` (sensor_msgs/Image, rgb8)
- ``camera/color/camera_info`` (sensor_msgs/CameraInfo, no distortion)
- ``camera/depth/image_raw`` (sensor_msgs/Image, 16UC1, millimetres)

Of a rosbag2: its Image, CompressedImage and CameraInfo topics under their own names.  With
``--clock`` also ``/clock``.  Service ``~/pause`` (std_srvs/SetBool).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import Any

import rclpy
from rclpy.duration import Duration
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.utilities import remove_ros_args
from rosgraph_msgs.msg import Clock
from std_srvs.srv import SetBool

from lisa_model import ros_commands
from lisa_model.errors import LisaError
from lisa_ros.play_sources import SourceConfig, open_source, write_stamp
from lisa_ros.playback import Event, ReadAhead, Source, Timeline, looped
from lisa_ros.scene_player import CAMERA_OUTPUT
from lisa_ros.transport import transport_warning

NODE_NAME = "play"
# Also the period of /clock between messages.
_LONGEST_WAIT_S = 0.02
# Messages that are later than this shift everything after them.
LATE_S = 0.25
_LATE_WARNING_S = 5.0
# How long the last messages may take to arrive.
_FLUSH = Duration(seconds=5)


class Player(Node):
    """Publishes a source's events when they are due.

    Args:
        source: what to play.
        rate: recorded seconds per second.
        loop: begin again at the end.
        start_paused: wait for ``~/pause``.
        clock: publish /clock and keep the recorded stamps; otherwise stamps are those of playing.
        namespace: of the node, and of relative topics.

    Raises:
        ValueError: the rate is not a finite number above 0.
    """

    def __init__(
        self,
        source: Source,
        *,
        rate: float = 1.0,
        loop: bool = False,
        start_paused: bool = False,
        clock: bool = False,
        namespace: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(NODE_NAME, namespace=namespace, **kwargs)
        self.events_played = 0
        self._source = source
        self._loop = loop
        self._timeline = Timeline(
            rate, paused=start_paused, epoch_ns=lambda: self.get_clock().now().nanoseconds
        )
        self._last_warning_ns: int | None = None
        self._publishers_by_topic = {
            topic: self.create_publisher(kind, topic, CAMERA_OUTPUT)
            for topic, kind in source.topics.items()
        }
        self._clock_publisher = self.create_publisher(Clock, "/clock", 1) if clock else None
        self._last_clock_ns = 0
        self.create_service(SetBool, "~/pause", self._on_pause)
        self.get_logger().info(f"playing {source.description}" + (" (paused)" * start_paused))

    def play(self, spin: Callable[[float], None]) -> None:
        """Play until the end, or for ever.

        Args:
            spin: handles the node's services for up to so many seconds.

        Raises:
            RecordingError: something cannot be read; what came before it has been played.
        """
        with ReadAhead(looped(self._source, self._loop)) as ahead:
            event = self._take(ahead, spin)
            if event is not None:
                self._timeline.start(event.time_ns)
            while event is not None:
                self._wait(event, spin)
                self._publish(event)
                event = self._take(ahead, spin)
        for publisher in self._publishers_by_topic.values():
            publisher.wait_for_all_acked(_FLUSH)
        summary = self._source.summary()
        self.get_logger().info(
            f"end of the recording, {self.events_played} frames or messages played"
            + (f"; {summary}" if summary else "")
        )

    def _take(self, ahead: ReadAhead, spin: Callable[[float], None]) -> Event | None:
        while True:
            try:
                return ahead.take()
            except TimeoutError:
                spin(0.002)

    def _wait(self, event: Event, spin: Callable[[float], None]) -> None:
        spin(0.0)
        while (left_s := self._timeline.wait_s(event.time_ns)) > 0:
            self._publish_clock(min(self._timeline.now_ns(), event.time_ns))
            spin(min(left_s, _LONGEST_WAIT_S))
        if left_s < -LATE_S:
            self._timeline.delay_to(event.time_ns)
            self._warn_late(-left_s)

    def _publish(self, event: Event) -> None:
        self._publish_clock(event.time_ns)
        for one in event.messages:
            stamp_ns = one.stamp_ns
            if self._clock_publisher is None and stamp_ns:
                stamp_ns = self._timeline.to_epoch_ns(stamp_ns)
            self._publishers_by_topic[one.topic].publish(write_stamp(one.message, stamp_ns))
        self.events_played += 1

    def _publish_clock(self, time_ns: int) -> None:
        if self._clock_publisher is None:
            return
        self._last_clock_ns = max(time_ns, self._last_clock_ns)  # never goes back
        message = Clock()
        message.clock.sec, message.clock.nanosec = divmod(self._last_clock_ns, 1_000_000_000)
        self._clock_publisher.publish(message)

    def _on_pause(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._timeline.pause(request.data)
        response.success = True
        response.message = "paused" if request.data else "playing"
        self.get_logger().info(response.message)
        return response

    def _warn_late(self, late_s: float) -> None:
        now_ns = self.get_clock().now().nanoseconds
        last_ns = self._last_warning_ns
        if last_ns is None or now_ns - last_ns > _LATE_WARNING_S * 1e9:
            self._last_warning_ns = now_ns
            self.get_logger().warning(
                f"{late_s:.2f} s late: this machine cannot read the recording at this rate. What "
                "follows is delayed; use a smaller --rate"
            )


def run(args: argparse.Namespace, ros_args: list[str] | None = None) -> None:
    """``lisa play``.

    Args:
        args: see ``lisa_model.recordings.cli``.
        ros_args: command line for rclpy.

    Raises:
        OSError, LisaError, ValueError: the recording or an option cannot be used.
    """
    source = open_source(
        args.path,
        SourceConfig(
            rate_hz=args.frame_rate,
            frame_id=args.frame_id,
            remaps=ros_commands.parse_remaps(args.remap),
            topics=tuple(args.topic),
        ),
    )
    if args.info:
        print(source.description)
        return
    rclpy.init(args=ros_args or [])
    try:
        executor = SingleThreadedExecutor()
        node = Player(
            source,
            rate=args.rate,
            loop=args.loop,
            start_paused=args.start_paused,
            clock=args.clock,
            namespace=args.namespace,
        )
        if warning := transport_warning(os.environ):
            node.get_logger().warning(warning)
        executor.add_node(node)
        node.play(lambda timeout_s: executor.spin_once(timeout_sec=timeout_s))
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except Exception:
        if rclpy.ok():  # otherwise it was told to stop while it was starting or publishing
            raise
    finally:
        rclpy.try_shutdown()


def main(args: list[str] | None = None) -> int:
    """Entry point of ``ros2 run lisa_ros play PATH``; return the exit status."""
    command = sys.argv if args is None else [NODE_NAME, *args]
    parser = argparse.ArgumentParser(prog=NODE_NAME, description=ros_commands.PLAY_HELP)
    ros_commands.add_play_arguments(parser)
    try:
        run(parser.parse_args([str(one) for one in remove_ros_args(command)[1:]]), command)
    except (LisaError, OSError, ValueError) as error:
        print(f"{NODE_NAME}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
