"""``lisa view``: a live view for Foxglove with image, mask, point cloud and an intent box."""

from __future__ import annotations

import argparse
import webbrowser

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

from lisa_ros.view_bridge import ViewBridge, ViewConfig
from lisa_ros.view_layout import LAYOUT_NAME, layout_text


def run(args: argparse.Namespace) -> None:
    """``lisa view``, until Ctrl-C.

    Args:
        args: see ``lisa_model.ros_commands``.

    Raises:
        LisaError: foxglove-sdk is not installed.
        OSError: the address or the layout's file cannot be had.
        ValueError: an argument is out of its range.
    """
    config = ViewConfig(
        host=args.host,
        port=args.port,
        max_hz=args.max_hz,
        namespace=args.namespace,
        node=args.node,
        intent=args.intent,
        publish=args.publish,
    )
    if args.write_layout is not None:
        args.write_layout.write_text(layout_text(config.namespace), encoding="utf-8")
        print(f"{args.write_layout}: import it as a layout", flush=True)
    rclpy.init(args=[])
    bridge: ViewBridge | None = None
    try:
        bridge = ViewBridge(config)
        print(f"Foxglove: open the connection {bridge.url}", flush=True)
        print(f"  in the web app: {bridge.app_url}", flush=True)
        print(f"  layout to import: share/lisa_ros/config/{LAYOUT_NAME} (or --write-layout FILE)")
        if config.host not in ("127.0.0.1", "localhost", "::1"):
            print("  anyone who reaches this port sees the camera and can say intents", flush=True)
        if args.open and not webbrowser.open(bridge.app_url):
            print("  no browser could be opened", flush=True)
        executor = SingleThreadedExecutor()
        executor.add_node(bridge)
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        if bridge is not None:
            bridge.close()
        rclpy.try_shutdown()
