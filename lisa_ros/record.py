"""Node `record`: writes what the perception node says to an MCAP file (``lisa record``).

Topics, in the given namespace: intent, target_mask, instance_masks, targets, target_point,
follow_state, answer.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import Any

import rclpy
from geometry_msgs.msg import PointStamped
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import Image
from std_msgs.msg import String

from lisa_model import ros_commands
from lisa_model.errors import LisaError
from lisa_ros.bag_writer import McapFile
from lisa_ros.msg import FollowState, InstanceMasks, Targets

NODE_NAME = "record"
TOPICS: dict[str, Any] = {
    "intent": String,
    "target_mask": Image,
    "instance_masks": InstanceMasks,
    "targets": Targets,
    "target_point": PointStamped,
    "follow_state": FollowState,
    "answer": String,
}
# Nothing may get lost, also when several results come while one is written.
_INPUT = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=50, reliability=ReliabilityPolicy.RELIABLE
)


class Recorder(Node):
    """Writes messages as they come; the time of each is that of its arrival.

    Args:
        file: open until the node has ended.
        namespace: of the topics.
    """

    def __init__(self, file: McapFile, *, namespace: str = "", **kwargs: Any) -> None:
        super().__init__(NODE_NAME, namespace=namespace, **kwargs)
        self._file = file
        names = []
        for topic, kind in TOPICS.items():
            names.append(self.resolve_topic_name(topic))
            file.add(names[-1], type_name(kind))
            # Raw: what is written is what was sent.
            self.create_subscription(kind, topic, partial(self._write, names[-1]), _INPUT, raw=True)
        self.get_logger().info(f"recording {', '.join(names)} to {file.path}")

    def _write(self, topic: str, data: bytes) -> None:
        self._file.write(topic, self.get_clock().now().nanoseconds, data)


def type_name(kind: Any) -> str:
    """Return a message class's name, such as ``std_msgs/msg/String``."""
    package = kind.__module__.split(".")[0]
    return f"{package}/msg/{kind.__name__}"


def run(args: argparse.Namespace, ros_args: list[str] | None = None) -> None:
    """``lisa record``.

    Args:
        args: see ``lisa_model.recordings.cli``.
        ros_args: command line for rclpy.

    Raises:
        OSError, ValueError: the file cannot be made.
    """
    if args.duration is not None and not args.duration > 0:
        raise ValueError(f"--duration is {args.duration}; must be > 0 [s]")
    file = McapFile(args.out)
    try:
        rclpy.init(args=ros_args or [])
        executor = SingleThreadedExecutor()
        recorder = Recorder(file, namespace=args.namespace)
        if args.duration is not None:
            recorder.create_timer(args.duration, lambda: rclpy.try_shutdown())
        executor.add_node(recorder)
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except Exception:
        if rclpy.ok():  # otherwise it was told to stop while it was starting
            raise
    finally:
        # Whatever happened: without its index, the file is hard to read.
        file.close()
        rclpy.try_shutdown()
    print(f"{args.out}: " + ", ".join(f"{topic} {count}" for topic, count in file.counts.items()))


def main(args: list[str] | None = None) -> int:
    """Entry point of ``ros2 run lisa_ros record OUT.mcap``; return the exit status."""
    command = sys.argv if args is None else [NODE_NAME, *args]
    parser = argparse.ArgumentParser(prog=NODE_NAME, description=ros_commands.RECORD_HELP)
    ros_commands.add_record_arguments(parser)
    try:
        run(parser.parse_args([str(one) for one in remove_ros_args(command)[1:]]), command)
    except (LisaError, OSError, ValueError) as error:
        print(f"{NODE_NAME}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
