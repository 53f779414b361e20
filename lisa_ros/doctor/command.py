"""``lisa doctor``: runs the checks in order and shows the report."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

from lisa_ros.doctor.device import check_device, check_memory, look_at_machine
from lisa_ros.doctor.installation import import_error, installation, rclpy_error
from lisa_ros.doctor.report import Finding, Report, failed
from lisa_ros.doctor.transport import transport
from lisa_ros.doctor.weights import needed_bytes, weights


def run(args: argparse.Namespace) -> int:
    """Check, print, and return the exit status: 1 when anything failed.

    Args:
        args: see ``lisa_model.ros_commands``.
    """
    report = examine(args, say=lambda text: print(text, file=sys.stderr, flush=True))
    print(report.text())
    if args.json is not None:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(report.json(), encoding="utf-8")
    return report.exit_status


def examine(args: argparse.Namespace, say: Callable[[str], None]) -> Report:
    """Run all checks.

    Args:
        args: see ``lisa_model.ros_commands``.
        say: told what is being done.
    """
    groups: dict[str, list[Finding]] = {}
    say("checking the installation ...")
    groups["installation"] = installation()
    groups["weights"], groups["device"] = _model(args, say)
    ros = rclpy_error() is None and import_error("sensor_msgs.msg") is None
    groups["transport"] = guarded("transport", lambda: transport(os.environ, is_middleware))
    if ros:
        say("sending images from one process to another ...")
        groups["transport"] += guarded("images", _self_test)
    if args.topics and ros:
        say("looking at the camera's topics and the node ...")
        groups["topics"] = guarded("topics", lambda: _topics(args))
    return Report(groups=groups)


def guarded(name: str, check: Callable[[], list[Finding]]) -> list[Finding]:
    """Return a check's findings; what it raises is a finding too, the others go on."""
    try:
        return check()
    except Exception as error:  # whatever is broken, the report has to be finished
        what = f"the check itself ended: {type(error).__name__}: {error}"
        return [failed(name, what, "Mend what failed above first; else report this")]


def _model(
    args: argparse.Namespace, say: Callable[[str], None]
) -> tuple[list[Finding], list[Finding]]:
    if error := import_error("lisa_model.segmenter"):
        return [failed("model", error, "Mend the installation above")], []
    say("checking the model's files ...")
    values: list[int | None] = [None]

    def files() -> list[Finding]:
        findings, values[0] = weights(args.model)
        return findings

    def device() -> list[Finding]:
        machine = look_at_machine(args.device)
        findings = check_device(args.device, args.dtype, machine)
        need = None if values[0] is None else needed_bytes(values[0], args.dtype)
        memory = check_memory(args.device, need, machine)
        return findings if memory is None else [*findings, memory]

    return guarded("model", files), guarded("device", device)


def _self_test() -> list[Finding]:
    from lisa_ros.doctor.self_test import check_exchange, exchange_images

    return [check_exchange(exchange_images())]


def _topics(args: argparse.Namespace) -> list[Finding]:
    from lisa_ros.camera_view import CameraView, parse_depth_to_colour
    from lisa_ros.doctor.camera import check_camera
    from lisa_ros.doctor.observe import Where, observe
    from lisa_ros.doctor.perception import check_node

    view = CameraView(colour_from_depth=parse_depth_to_colour(args.depth_to_colour))
    named = {name: getattr(args, name) for name in ("node", "color", "depth", "info")}
    given = {name: value for name, value in named.items() if value is not None}
    observed = observe(Where(namespace=args.ns, **given))
    return check_camera(observed, view=view) + check_node(observed.node)


def is_middleware(name: str) -> bool:
    """Tell whether a middleware, such as rmw_fastrtps_cpp, is installed in a sourced prefix."""
    try:
        from ament_index_python.packages import get_resources
    except ImportError:
        return False
    return name in get_resources("rmw_typesupport")
