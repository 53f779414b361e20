"""Program `demo_client`: says an intent to the running nodes, waits for the result and scores it.

With ``--activate`` it also brings the perception node from unconfigured to active; otherwise a
launch file has to.  The exit status tells which part failed, see ``demo_connection.Part``.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import rclpy
from numpy.typing import NDArray
from rclpy.executors import ExternalShutdownException
from rclpy.utilities import remove_ros_args

from lisa_model.rgbd import RgbdFrame
from lisa_ros.conversion import image_to_array
from lisa_ros.demo_connection import DemoClient, DemoError, Part
from lisa_ros.demo_report import (
    Report,
    clear_output,
    draw_overlay,
    format_report,
    machine_name,
    mask_iou,
    point_error,
    write_output,
)
from lisa_ros.demo_results import Results
from lisa_ros.demo_scene import DEFAULT_SCENE, SceneError, Truth, load_scene, truth_for
from lisa_ros.errors import InputError
from lisa_ros.intent import check_intent


def no_3d_reason(results: Results) -> str | None:
    """Return why there is no target point, or None when there is one."""
    if results.target_point is not None:
        return None
    if not results.masks.instances:
        return "the model segmented no object"
    if not results.targets.targets:
        return "no object reached the score threshold"
    return "; ".join(sorted({target.reason_text for target in results.targets.targets}))


def score(
    results: Results,
    frame: RgbdFrame,
    truth: Truth | None,
    *,
    intent_to_mask_s: float,
    frames_seen: int,
    device: str,
    commit: str,
) -> tuple[Report, NDArray[np.uint8]]:
    """Return the report and the overlay picture, (H', W, 3) uint8 RGB.

    Raises:
        DemoError: the mask is not of the scene's size.
    """
    found = image_to_array(results.target_mask, "image") > 0
    if found.shape != frame.depth.shape:
        raise DemoError(
            Part.ANSWER,
            f"/target_mask is {found.shape}, the scene {frame.depth.shape}: is the camera playing "
            f"{frame.name}?",
        )
    point = None
    if results.target_point is not None:
        p = results.target_point.point
        point = (p.x, p.y, p.z)
    iou = None if truth is None else mask_iou(found, truth.mask)
    report = Report(
        intent=results.masks.intent,
        answer=results.answer,
        iou=iou,
        point_error_m=(
            None if truth is None or point is None else point_error(point, truth.points_m)
        ),
        intent_to_mask_s=round(intent_to_mask_s, 3),
        frames_seen=frames_seen,
        model=results.masks.model,
        device=device,
        commit=commit,
        scene=frame.name,
        machine=machine_name(),
        target_point_m=point,
        true_points_m=None if truth is None else truth.points_m.tolist(),
        mask_area_px=int(found.sum()),
        instances=len(results.masks.instances),
        no_3d_reason=no_3d_reason(results),
    )
    overlay = draw_overlay(
        frame.color,
        found,
        true=None if truth is None else truth.mask,
        point_m=point,
        intrinsics=frame.intrinsics,
        caption=f'"{report.intent}" -> {report.answer}'
        + ("" if iou is None else f"   IoU {iou:.2f}"),
    )
    return report, overlay


def run(options: argparse.Namespace) -> int:
    """Run the demo's client side; return the exit status.

    Raises:
        DemoError: a part failed.
    """
    try:
        intent = check_intent(options.intent)
        frame = load_scene(options.scene)
    except (InputError, SceneError) as error:
        raise DemoError(Part.ARGUMENTS, str(error)) from error
    truth = truth_for(frame, intent)
    clear_output(options.out)
    client = DemoClient()
    client.wait_for_camera(options.camera_timeout)
    print(f"camera: {frame.name}, {frame.intrinsics.width} x {frame.intrinsics.height}", flush=True)
    started = time.monotonic()
    if options.activate:
        client.activate(options.node_timeout)
    else:
        client.wait_for_active(options.node_timeout)
    device = client.string_parameter("device")
    print(f"perception node: active after {time.monotonic() - started:.1f} s", flush=True)
    results, seconds = client.ask(intent, options.answer_timeout)
    report, overlay = score(
        results,
        frame,
        truth,
        intent_to_mask_s=seconds,
        frames_seen=client.frames,
        device=device,
        commit=options.commit,
    )
    write_output(options.out, report, overlay)
    print("\n" + format_report(report, None if truth is None else truth.titles))
    print(f"written         {options.out}/report.json, {options.out}/overlay.png", flush=True)
    expected_3d = truth is not None or report.instances > 0
    if report.target_point_m is None and expected_3d:
        raise DemoError(Part.TARGET_3D, f"no 3D position: {report.no_3d_reason}")
    return 0


def parse_arguments(args: list[str] | None) -> argparse.Namespace:
    """Parse the command line (ROS's own arguments removed)."""
    parser = argparse.ArgumentParser(prog="demo_client", description=__doc__)
    parser.add_argument(
        "--intent", default="change the TV channel", help="what is wanted, in words"
    )
    parser.add_argument("--scene", default=DEFAULT_SCENE, help="scene that the camera plays")
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="folder of the results")
    parser.add_argument("--activate", action="store_true", help="configure and activate the node")
    parser.add_argument("--commit", default="unknown", help="commit of the source tree")
    parser.add_argument("--camera-timeout", type=float, default=20.0, metavar="S")
    parser.add_argument("--node-timeout", type=float, default=180.0, metavar="S")
    parser.add_argument("--answer-timeout", type=float, default=120.0, metavar="S")
    return parser.parse_args(remove_ros_args(args)[1:])


def main(args: list[str] | None = None) -> int:
    """Run the program; return the exit status."""
    args = sys.argv if args is None else args
    options = parse_arguments(args)
    rclpy.init(args=args)
    try:
        return run(options)
    except DemoError as error:
        print(f"demo failed ({error.part.name.lower()}): {error}", file=sys.stderr, flush=True)
        return int(error.part)
    except (KeyboardInterrupt, ExternalShutdownException):
        return 130
    finally:
        rclpy.try_shutdown()
