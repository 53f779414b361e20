"""The check of a camera message when it arrives: by its fields and headers, without decoding."""

from __future__ import annotations

from typing import Any, Literal

from sensor_msgs.msg import CompressedImage

from lisa_ros.camera_view import CameraView
from lisa_ros.compressed import validate_compressed_image
from lisa_ros.compressed_depth import validate_compressed_depth
from lisa_ros.lens import lens_model
from lisa_ros.validation import (
    Extent,
    check_camera_info_fits,
    check_depth_fits,
    extent_of,
    rectified_intrinsics,
    validate_camera_info,
    validate_image,
)

Stream = Literal["image", "depth", "camera_info", "depth_camera_info"]


def check_message(
    stream: Stream, msg: Any, colour: Extent | None = None, *, view: CameraView
) -> Extent:
    """Check a message of a camera stream and return its size and frame_id.

    Args:
        stream: where it came from.
        msg: Image or CompressedImage of the first two streams, else CameraInfo.
        colour: of the newest colour image, which it has to fit; None when there is none.
        view: what is going to be done with it.

    Raises:
        InputError: a field is malformed, or does not fit the colour image.
    """
    if stream == "camera_info":
        validate_camera_info(msg)
        if view.rectify:
            lens_model(msg)
        if view.rectified_input:
            rectified_intrinsics(msg)
        if colour is not None:
            check_camera_info_fits(msg, colour)
        return extent_of(msg)
    if stream == "depth_camera_info":
        validate_camera_info(msg, "depth_camera_info")
        if view.rectify:
            lens_model(msg, "depth_camera_info")
        return extent_of(msg)
    if isinstance(msg, CompressedImage):
        # Both have a width and a height.
        header: Any
        if stream == "image":
            header = validate_compressed_image(msg)
        else:
            header = validate_compressed_depth(msg)
        extent = Extent(header.width, header.height, msg.header.frame_id)
    else:
        validate_image(msg, stream)
        extent = extent_of(msg)
    # Depth with a camera of its own only has to fit that camera's info.
    if stream == "depth" and view.registered and colour is not None:
        check_depth_fits(extent, colour)
    return extent
