"""Node `scene_player`: plays one RGB-D frame from disk as if it came from a camera.

Publishes, all with one stamp and the frame_id ``camera_color_optical_frame``:

- ``/camera/color/image_raw`` (sensor_msgs/Image, rgb8)
- ``/camera/color/camera_info`` (sensor_msgs/CameraInfo, no distortion)
- ``/camera/depth/image_raw`` (sensor_msgs/Image, 16UC1, millimetres, registered to colour)

Parameters: ``scene`` (an installed scene's name, or a path) and ``rate`` (Hz).
"""

from __future__ import annotations

import sys

import numpy as np
import rclpy
from rcl_interfaces.msg import FloatingPointRange, ParameterDescriptor
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from lisa_model.geometry import Intrinsics
from lisa_model.rgbd import RgbdFrame
from lisa_ros.conversion import array_to_image
from lisa_ros.demo_scene import DEFAULT_SCENE, SceneError, load_scene

FRAME_ID = "camera_color_optical_frame"
COLOR_TOPIC = "/camera/color/image_raw"
INFO_TOPIC = "/camera/color/camera_info"
DEPTH_TOPIC = "/camera/depth/image_raw"

# Reliable, so that both kinds of subscriber match, as with most camera drivers. Deeper than one: a
# message that is replaced before it was sent is lost, to reliable subscribers too.
CAMERA_OUTPUT = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=5, reliability=ReliabilityPolicy.RELIABLE
)


def camera_info_message(intrinsics: Intrinsics, header: Header) -> CameraInfo:
    """Return the CameraInfo of a rectified camera without distortion.

    R is the identity and P = [K | 0], as sensor_msgs/CameraInfo defines them for a single camera.
    """
    fx, fy, cx, cy = intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy
    return CameraInfo(
        header=header,
        width=intrinsics.width,
        height=intrinsics.height,
        distortion_model="plumb_bob",
        d=[0.0] * 5,
        k=[fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0],
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0],
    )


def frame_messages(frame: RgbdFrame, header: Header) -> tuple[Image, CameraInfo, Image]:
    """Return the colour image, its CameraInfo and the depth image, which share ``header``."""
    depth_mm = np.rint(frame.depth * 1000.0).astype(np.uint16)
    return (
        array_to_image(frame.color, "rgb8", header),
        camera_info_message(frame.intrinsics, header),
        array_to_image(depth_mm, "16UC1", header),
    )


class ScenePlayer(Node):
    """Publishes a frame again and again, with the time of each publication as its stamp."""

    def __init__(self) -> None:
        """Read the parameters and the scene, and start the timer.

        Raises:
            SceneError: the scene cannot be found or read.
        """
        super().__init__("scene_player")
        scene = self.declare_parameter(
            "scene",
            DEFAULT_SCENE,
            ParameterDescriptor(
                description="Name of an installed scene, or the path of a scene's .json.",
                read_only=True,
            ),
        ).value
        rate = self.declare_parameter(
            "rate",
            10.0,
            ParameterDescriptor(
                description="Frames per second [Hz].",
                read_only=True,
                floating_point_range=[FloatingPointRange(from_value=0.1, to_value=120.0)],
            ),
        ).value
        frame = load_scene(scene)
        # One header for the three: the stamp is set in it before every publication. The pixels are
        # converted only once.
        self._header = Header(frame_id=FRAME_ID)
        self._color, self._info, self._depth = frame_messages(frame, self._header)
        for message in (self._color, self._info, self._depth):
            message.header = self._header
        self._color_publisher = self.create_publisher(Image, COLOR_TOPIC, CAMERA_OUTPUT)
        self._info_publisher = self.create_publisher(CameraInfo, INFO_TOPIC, CAMERA_OUTPUT)
        self._depth_publisher = self.create_publisher(Image, DEPTH_TOPIC, CAMERA_OUTPUT)
        self._timer = self.create_timer(1.0 / rate, self._publish)
        height, width = frame.depth.shape
        self.get_logger().info(f"playing {frame.name}, {width} x {height}, at {rate:g} Hz")

    def _publish(self) -> None:
        self._header.stamp = self.get_clock().now().to_msg()
        self._info_publisher.publish(self._info)
        self._depth_publisher.publish(self._depth)
        self._color_publisher.publish(self._color)


def main(args: list[str] | None = None) -> int:
    """Run the node until it is interrupted; return the exit status."""
    rclpy.init(args=args)
    try:
        rclpy.spin(ScenePlayer())
    except SceneError as error:
        print(f"scene_player: {error}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        rclpy.try_shutdown()
    return 0
