"""``lisa play``, ``record``, ``view`` and ``doctor``: their grammar, and the way to ROS."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from lisa_model.errors import LisaError

PLAY_HELP = "publish a recording as camera topics"
RECORD_HELP = "write the results of the perception node to an MCAP file"
VIEW_HELP = "a live view for Foxglove, with image, mask, point cloud and an intent box"
DOCTOR_HELP = "check installation, weights, device, transport, camera topics and the node"


def add_parser(commands: Any) -> None:
    """Add the commands.

    Args:
        commands: what ``ArgumentParser.add_subparsers`` returned.
    """
    play = commands.add_parser("play", help=PLAY_HELP)
    add_play_arguments(play)
    play.set_defaults(run=lambda args: ros_module("play").run(args))
    record = commands.add_parser("record", help=RECORD_HELP)
    add_record_arguments(record)
    record.set_defaults(run=lambda args: ros_module("record").run(args))
    view = commands.add_parser("view", help=VIEW_HELP)
    add_view_arguments(view)
    view.set_defaults(run=lambda args: ros_module("view").run(args))
    doctor = commands.add_parser("doctor", help=DOCTOR_HELP)
    add_doctor_arguments(doctor)
    # Not ros_module: that ROS is missing is one of the things it finds.
    doctor.set_defaults(
        run=lambda args: importlib.import_module("lisa_ros.doctor.command").run(args)
    )


def add_play_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``lisa play``."""
    parser.add_argument(
        "path",
        type=Path,
        help="a .sens file, an exported ScanNet scan, a folder of scannet_frames_25k or of "
        "household frames, or a rosbag2 (folder, .mcap or .db3)",
    )
    parser.add_argument(
        "--rate", type=float, default=1.0, help="recorded seconds per second (default 1)"
    )
    parser.add_argument("--loop", action="store_true", help="begin again at the end")
    parser.add_argument(
        "--start-paused",
        action="store_true",
        help="wait until the service ~/pause is called with data: false",
    )
    parser.add_argument(
        "--clock",
        action="store_true",
        help="publish /clock and keep the recorded stamps; without it, stamps are those of playing",
    )
    parser.add_argument("--namespace", default="", help="of the node and of relative topics")
    parser.add_argument(
        "--frame-rate",
        type=float,
        metavar="HZ",
        help="frames per second of recordings without stamps",
    )
    parser.add_argument(
        "--frame-id",
        default="camera_color_optical_frame",
        help="of recordings that have none (default %(default)s)",
    )
    parser.add_argument(
        "--remap",
        action="append",
        default=[],
        metavar="OLD:=NEW",
        help="publish the topic OLD as NEW; may be given again",
    )
    parser.add_argument(
        "--topic", action="append", default=[], help="play this topic only; may be given again"
    )
    parser.add_argument("--info", action="store_true", help="say what the recording holds and end")


def add_record_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``lisa record``."""
    parser.add_argument("out", type=Path, metavar="OUT.mcap", help="new file")
    parser.add_argument("--namespace", default="", help="of the topics")
    parser.add_argument(
        "--duration",
        type=float,
        metavar="S",
        help="end after so many seconds; by default at Ctrl-C",
    )


def add_view_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``lisa view``."""
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at (default %(default)s; 0.0.0.0: whoever reaches this computer "
        "sees the camera and can say intents)",
    )
    parser.add_argument("--port", type=int, default=8765, help="default %(default)s; 0: a free one")
    parser.add_argument(
        "--max-hz",
        type=float,
        default=10.0,
        metavar="HZ",
        help="at most so many images or clouds of a topic a second (default %(default)g)",
    )
    parser.add_argument("--namespace", default="", help="of the perception node")
    parser.add_argument("--node", default="perception_node", help="its name (default %(default)s)")
    parser.add_argument("--intent", default="intent", metavar="TOPIC", help="where intents go")
    parser.add_argument(
        "--no-publish",
        dest="publish",
        action="store_false",
        help="no intent box: viewers can only watch",
    )
    parser.add_argument(
        "--no-open", dest="open", action="store_false", help="do not open the web app in a browser"
    )
    parser.add_argument(
        "--write-layout",
        type=Path,
        metavar="FILE.json",
        help="write the layout to import, with the topics of --namespace",
    )


def add_doctor_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``lisa doctor``."""
    model = parser.add_argument_group("what is going to run")
    model.add_argument("--model", default="lisa-tiny", help="name or folder of weights")
    model.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N (default cpu)")
    model.add_argument("--dtype", default="float32", choices=("float32", "bfloat16", "float16"))
    topics = parser.add_argument_group("the camera and the node, as the node is started")
    topics.add_argument("--ns", default="", metavar="NAMESPACE", help="of node and topics")
    topics.add_argument("--node", help="name of the node (default perception_node)")
    topics.add_argument("--color", metavar="TOPIC", help="default camera/color/image_raw")
    topics.add_argument("--depth", metavar="TOPIC", help="default camera/depth/image_raw")
    topics.add_argument("--info", metavar="TOPIC", help="default camera/color/camera_info")
    topics.add_argument(
        "--depth-to-colour",
        default="",
        metavar="POSE",
        help="as the node's parameter, when depth is not registered to colour",
    )
    topics.add_argument(
        "--no-topics", dest="topics", action="store_false", help="leave camera and node out"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the report here")


def parse_remaps(texts: Iterable[str]) -> dict[str, str]:
    """Return topics by their old names.

    Raises:
        ValueError: a text is not OLD:=NEW.
    """
    remaps = {}
    for text in texts:
        old, separator, new = text.partition(":=")
        if not (separator and old and new):
            raise ValueError(f"--remap {text}: write OLD:=NEW, such as /cam/image_raw:=/image")
        remaps[old] = new
    return remaps


def ros_module(name: str) -> ModuleType:
    """Import a module of lisa_ros, which depends on this package.

    Raises:
        LisaError: ROS 2 or the built package is not there.
    """
    try:
        importlib.import_module("rclpy")
        importlib.import_module("lisa_ros.msg")
        return importlib.import_module(f"lisa_ros.{name}")
    except ImportError as error:
        raise LisaError(
            f"'lisa {name}' needs ROS 2 and the built package lisa_ros ({error}). On a robot: "
            "source install/setup.bash of the workspace. In this repository: make setup, then "
            "source scripts/env.sh"
        ) from error
