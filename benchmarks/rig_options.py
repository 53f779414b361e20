"""What the benchmarks that run the node have in common: options, set-up and origin of a report."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.origin import commit
from benchmarks.rig import RigConfig, warn_if_stale
from lisa_ros.demo_report import machine_name
from lisa_ros.demo_scene import DEFAULT_SCENE


def add_rig_options(parser: argparse.ArgumentParser, *, logs: Path, camera_hz: float) -> None:
    """Add the options of every benchmark.

    Args:
        parser: gets the options.
        logs: default folder of the processes' output.
        camera_hz: default rate of the camera [Hz].
    """
    parser.add_argument("--camera-hz", type=float, default=camera_hz)
    parser.add_argument("--scene", default=DEFAULT_SCENE, help="name of a scene, or its .json")
    parser.add_argument("--model", default="", help="default: the node's own")
    parser.add_argument("--device", default="", help="default: the node's own")
    parser.add_argument("--json", type=Path, help="write everything to this file")
    parser.add_argument("--logs", type=Path, default=logs, help="folder")
    parser.add_argument("--domain-id", type=int, default=1 + os.getpid() % 100, help="0 to 101")


def rig_config(options: argparse.Namespace, perception_command: Sequence[str]) -> RigConfig:
    """Return what to start for a command line."""
    return RigConfig(
        scene=options.scene,
        camera_hz=options.camera_hz,
        model=options.model,
        device=options.device,
        logs=options.logs,
        domain_id=options.domain_id,
        perception_command=tuple(perception_command),
    )


def origin(options: argparse.Namespace, perception_command: Sequence[str]) -> dict[str, Any]:
    """Return what a report needs for being compared with another one."""
    return {
        "machine": machine_name(),
        "commit": commit(),
        "stand_in_node": bool(perception_command),
        "installed_modules_that_differ": [] if perception_command else warn_if_stale(),
        "options": {key: str(value) for key, value in vars(options).items()},
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
