"""``lisa play`` and ``lisa record``: their grammar, which needs no ROS, and the way to ROS."""

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
