"""Node `scene_player`: plays one RGB-D frame from disk as if it came from a camera.

Publishes, all with one stamp and the frame_id ``camera_color_optical_frame``:

- ``/camera/color/image_raw`` (sensor_msgs/Image, rgb8), or its ``/compressed``
- ``/camera/color/camera_info`` (sensor_msgs/CameraInfo, no distortion)
- ``/camera/depth/image_raw`` (sensor_msgs/Image, 16UC1, millimetres, registered to colour), or its
  ``/compressedDepth``

Parameters: ``scene`` (an installed scene's name, or a path), ``rate`` (Hz), ``colour_codec`` and
``depth_codec``; and, for trying what goes wrong with cameras, ``depth_dropout`` and
``stamp_offset_s``, which can be changed while it plays.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import rclpy
from numpy.typing import NDArray
from rcl_interfaces.msg import FloatingPointRange, ParameterDescriptor, SetParametersResult
from rclpy.duration import Duration
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from lisa_model.geometry import Intrinsics
from lisa_model.rgbd import RgbdFrame
from lisa_ros.compressed import rgb_to_compressed
from lisa_ros.compressed_depth import depth_to_compressed
from lisa_ros.conversion import array_to_image
from lisa_ros.demo_scene import DEFAULT_SCENE, SceneError, load_scene

FRAME_ID = "camera_color_optical_frame"
COLOR_TOPIC = "/camera/color/image_raw"
INFO_TOPIC = "/camera/color/camera_info"
DEPTH_TOPIC = "/camera/depth/image_raw"

RAW = "raw"
COLOUR_CODECS = (RAW, "jpeg", "png")
DEPTH_CODECS = (RAW, "png", "rvl")
# Values of depth_dropout: nothing is wrong; no depth message; depth without a valid pixel.
NO_DROPOUT, MISSING, ZEROS, NAN = "none", "missing", "zeros", "nan"
DROPOUTS = (NO_DROPOUT, MISSING, ZEROS, NAN)
MAX_OFFSET_S = 1e6

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
    return (
        colour_message(frame.color, RAW, header),
        camera_info_message(frame.intrinsics, header),
        depth_message(depth_millimetres(frame), RAW, header),
    )


def depth_millimetres(frame: RgbdFrame) -> NDArray[np.uint16]:
    """Return the depth as cameras send it, (H, W) uint16 [mm]."""
    return np.rint(frame.depth * 1000.0).astype(np.uint16)


def colour_topic(codec: str) -> str:
    """Return where a colour image of one of COLOUR_CODECS is published."""
    return COLOR_TOPIC if codec == RAW else f"{COLOR_TOPIC}/compressed"


def depth_topic(codec: str) -> str:
    """Return where a depth image of one of DEPTH_CODECS is published."""
    return DEPTH_TOPIC if codec == RAW else f"{DEPTH_TOPIC}/compressedDepth"


def colour_message(rgb: NDArray[np.uint8], codec: Any, header: Header) -> Image | CompressedImage:
    """Return (H, W, 3) uint8 RGB as one of COLOUR_CODECS."""
    if codec == RAW:
        return array_to_image(rgb, "rgb8", header)
    return rgb_to_compressed(rgb, header, codec=codec)


def depth_message(depth: NDArray[Any], codec: Any, header: Header) -> Image | CompressedImage:
    """Return (H, W) uint16 millimetres or float32 metres as one of DEPTH_CODECS."""
    if codec == RAW:
        encoding = "16UC1" if depth.dtype == np.uint16 else "32FC1"
        return array_to_image(depth, encoding, header)
    return depth_to_compressed(depth, header, codec=codec)


class ScenePlayer(Node):
    """Publishes a frame again and again, with the time of each publication as its stamp."""

    def __init__(self, **kwargs: Any) -> None:
        """Read the parameters and the scene, and start the timer.

        Raises:
            SceneError: the scene cannot be found or read.
            ParameterException: a parameter has a value that is not allowed.
        """
        super().__init__("scene_player", **kwargs)
        # Before the parameters are declared, so that their first values are checked too.
        self.add_on_set_parameters_callback(_check_choices)
        scene = self._declare(
            "scene", DEFAULT_SCENE, "Name of an installed scene, or the path of a scene's .json."
        )
        rate = self._declare("rate", 10.0, "Frames per second [Hz].", number=(0.1, 120.0))
        colour = self._declare("colour_codec", RAW, f"One of {', '.join(COLOUR_CODECS)}.")
        depth = self._declare("depth_codec", RAW, f"One of {', '.join(DEPTH_CODECS)}.")
        self._declare(
            "depth_dropout",
            NO_DROPOUT,
            f"What is wrong with depth, one of {', '.join(DROPOUTS)}: no messages, or no valid "
            "pixel.",
            read_only=False,
        )
        self._declare(
            "stamp_offset_s",
            0.0,
            "Added to the stamps [s]; a change is a clock that jumps.",
            number=(-MAX_OFFSET_S, MAX_OFFSET_S),
            read_only=False,
        )
        frame = load_scene(scene)
        # One header for all: the stamp is set in it before every publication. The pixels are
        # converted only once.
        self._header = Header(frame_id=FRAME_ID)
        self._color = colour_message(frame.color, colour, self._header)
        self._info = camera_info_message(frame.intrinsics, self._header)
        millimetres = depth_millimetres(frame)
        self._depths = {
            dropout: depth_message(pixels, depth, self._header)
            for dropout, pixels in (
                (NO_DROPOUT, millimetres),
                (ZEROS, np.zeros_like(millimetres)),
                (NAN, np.full(millimetres.shape, np.nan, dtype=np.float32)),
            )
        }
        for message in (self._color, self._info, *self._depths.values()):
            message.header = self._header
        self._color_publisher = self.create_publisher(
            type(self._color), colour_topic(colour), CAMERA_OUTPUT
        )
        self._info_publisher = self.create_publisher(CameraInfo, INFO_TOPIC, CAMERA_OUTPUT)
        self._depth_publisher = self.create_publisher(
            type(self._depths[NO_DROPOUT]), depth_topic(depth), CAMERA_OUTPUT
        )
        self._timer = self.create_timer(1.0 / rate, self._publish)
        height, width = frame.depth.shape
        self.get_logger().info(f"playing {frame.name}, {width} x {height}, at {rate:g} Hz")

    def _declare(
        self,
        name: str,
        default: Any,
        description: str,
        *,
        number: tuple[float, float] | None = None,
        read_only: bool = True,
    ) -> Any:
        descriptor = ParameterDescriptor(description=description, read_only=read_only)
        if number is not None:
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=number[0], to_value=number[1])
            ]
        return self.declare_parameter(name, default, descriptor).value

    def _publish(self) -> None:
        offset = Duration(seconds=self.get_parameter("stamp_offset_s").value)
        self._header.stamp = (self.get_clock().now() + offset).to_msg()
        self._info_publisher.publish(self._info)
        depth = self._depths.get(self.get_parameter("depth_dropout").value)
        if depth is not None:  # MISSING has no message
            self._depth_publisher.publish(depth)
        self._color_publisher.publish(self._color)


_CHOICES = {"colour_codec": COLOUR_CODECS, "depth_codec": DEPTH_CODECS, "depth_dropout": DROPOUTS}


def _check_choices(changed: list[Parameter]) -> SetParametersResult:
    for one in changed:
        choices = _CHOICES.get(one.name)
        if choices and one.value not in choices:
            reason = f"{one.name} is {one.value!r}; use one of {', '.join(choices)}"
            return SetParametersResult(successful=False, reason=reason)
    return SetParametersResult(successful=True)


def main(args: list[str] | None = None) -> int:
    """Run the node until it is interrupted; return the exit status."""
    rclpy.init(args=args)
    try:
        rclpy.spin(ScenePlayer())
    except (SceneError, ParameterException) as error:
        print(f"scene_player: {error}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        rclpy.try_shutdown()
    return 0
