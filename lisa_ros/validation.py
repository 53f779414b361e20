"""Checks of Image and CameraInfo messages before anything is converted.

cv_bridge and numpy accept malformed images silently (a too small step narrows the image, a height
of 0 gives an empty one), so every field that the conversion relies on is checked here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from lisa_model.geometry import Intrinsics
from lisa_ros.errors import InputError

Kind = Literal["image", "depth"]

MAX_SIDE_PX = 16384
MAX_PIXELS = 64 * 1024 * 1024
MAX_FRAME_ID_CHARS = 255


@dataclass(frozen=True)
class Encoding:
    """Memory layout of one pixel: numpy scalar type and number of channels."""

    dtype: type[np.generic]
    channels: int

    @property
    def pixel_bytes(self) -> int:
        """Bytes of one pixel."""
        return np.dtype(self.dtype).itemsize * self.channels


COLOUR_ENCODINGS = {
    "rgb8": Encoding(np.uint8, 3),
    "bgr8": Encoding(np.uint8, 3),
    "rgba8": Encoding(np.uint8, 4),
    "bgra8": Encoding(np.uint8, 4),
    "mono8": Encoding(np.uint8, 1),
    # Two pixels share their colour; the second names are those that Jazzy prefers.
    "yuv422": Encoding(np.uint8, 2),  # U Y V Y
    "uyvy": Encoding(np.uint8, 2),
    "yuv422_yuy2": Encoding(np.uint8, 2),  # Y U Y V
    "yuyv": Encoding(np.uint8, 2),
}
UYVY_ENCODINGS = ("yuv422", "uyvy")
YUYV_ENCODINGS = ("yuv422_yuy2", "yuyv")
DEPTH_ENCODINGS = {"16UC1": Encoding(np.uint16, 1), "32FC1": Encoding(np.float32, 1)}
ENCODINGS = COLOUR_ENCODINGS | DEPTH_ENCODINGS
_ALLOWED = {"image": COLOUR_ENCODINGS, "depth": DEPTH_ENCODINGS}


def validate_image(msg: Image, kind: Kind) -> Encoding:
    """Check a colour image (``kind`` "image") or a depth image ("depth"); return its layout.

    Raises:
        InputError: code ``<kind>_encoding``, ``_size``, ``_endianness``, ``_step``,
            ``_data_length``, ``_frame_id`` or ``_stamp``.
    """
    encoding = _ALLOWED[kind].get(msg.encoding)
    if encoding is None:
        raise InputError(
            code=f"{kind}_encoding",
            field=f"{kind}.encoding",
            problem=f"is {msg.encoding[:40]!r}",
            remedy=f"Send one of {', '.join(_ALLOWED[kind])}",
        )
    if (
        not (0 < msg.width <= MAX_SIDE_PX and 0 < msg.height <= MAX_SIDE_PX)
        or msg.width * msg.height > MAX_PIXELS
    ):
        raise InputError(
            code=f"{kind}_size",
            field=f"{kind}.width, {kind}.height",
            problem=f"are {msg.width} x {msg.height}",
            remedy=f"Send an image with sides of 1..{MAX_SIDE_PX} and at most {MAX_PIXELS} pixels",
        )
    if msg.encoding in (*UYVY_ENCODINGS, *YUYV_ENCODINGS) and msg.width % 2:
        raise InputError(
            code=f"{kind}_size",
            field=f"{kind}.width",
            problem=f"is {msg.width}, and {msg.encoding} stores pixels in pairs",
            remedy="Send an image of even width",
        )
    if msg.is_bigendian not in (0, 1):
        raise InputError(
            code=f"{kind}_endianness",
            field=f"{kind}.is_bigendian",
            problem=f"is {msg.is_bigendian}",
            remedy="Set 0 (little endian) or 1 (big endian)",
        )
    row_bytes = msg.width * encoding.pixel_bytes
    if msg.step < row_bytes:
        raise InputError(
            code=f"{kind}_step",
            field=f"{kind}.step",
            problem=f"is {msg.step}, less than a row of {msg.width} {msg.encoding} pixels",
            remedy=f"Set step to the bytes of a row with its padding, at least {row_bytes}",
        )
    if len(msg.data) != msg.step * msg.height:
        raise InputError(
            code=f"{kind}_data_length",
            field=f"{kind}.data",
            problem=f"has {len(msg.data)} bytes, not step x height = {msg.step * msg.height}",
            remedy="Send whole images; a driver that cuts rows has to adapt height and step",
        )
    validate_header(msg.header, kind)
    return encoding


def validate_header(header: Header, kind: str) -> None:
    """Check stamp and frame_id.

    Raises:
        InputError: code ``<kind>_frame_id`` or ``<kind>_stamp``.
    """
    frame_id = header.frame_id
    if not frame_id.strip() or len(frame_id) > MAX_FRAME_ID_CHARS:
        raise InputError(
            code=f"{kind}_frame_id",
            field=f"{kind}.header.frame_id",
            problem="is empty" if not frame_id.strip() else f"has {len(frame_id)} characters",
            remedy="Set it to the camera's optical frame (REP-103), e.g. camera_optical_frame",
        )
    if header.stamp.sec < 0 or header.stamp.nanosec >= 1_000_000_000:
        raise InputError(
            code=f"{kind}_stamp",
            field=f"{kind}.header.stamp",
            problem=f"is {header.stamp.sec} s + {header.stamp.nanosec} ns",
            remedy="Send sec >= 0 and nanosec < 1e9: the time of capture",
        )


def validate_camera_info(msg: CameraInfo) -> Intrinsics:
    """Check a CameraInfo and return its intrinsics, taken from K (as for image_raw).

    Raises:
        InputError: code ``camera_info_size``, ``camera_info_intrinsics``, ``camera_info_frame_id``
            or ``camera_info_stamp``.
    """
    if not (0 < msg.width <= MAX_SIDE_PX and 0 < msg.height <= MAX_SIDE_PX):
        raise InputError(
            code="camera_info_size",
            field="camera_info.width, camera_info.height",
            problem=f"are {msg.width} x {msg.height}",
            remedy="Set them to the size of the image they describe",
        )
    k = [float(value) for value in msg.k]
    if not all(math.isfinite(value) for value in k) or k[0] <= 0 or k[4] <= 0:
        problem = "is all zero: the camera is not calibrated"
        if any(k):
            problem = f"has fx {k[0]:g}, fy {k[4]:g}, cx {k[2]:g}, cy {k[5]:g}"
        raise InputError(
            code="camera_info_intrinsics",
            field="camera_info.k",
            problem=problem,
            remedy="Calibrate the camera: fx and fy have to be > 0 and every entry finite",
        )
    validate_header(msg.header, "camera_info")
    return Intrinsics(fx=k[0], fy=k[4], cx=k[2], cy=k[5], width=msg.width, height=msg.height)


def is_distorted(msg: CameraInfo) -> bool:
    """Tell whether the lens distortion is not zero, so that back-projection by K alone is off."""
    return any(abs(value) > 1e-6 for value in msg.d)


def check_depth_fits(depth: Image, colour: Image) -> None:
    """Check that a depth image is registered to the colour image, as far as fields can tell.

    Raises:
        InputError: code ``depth_size_mismatch`` or ``depth_frame_mismatch``.
    """
    _check_fits(
        "depth",
        (depth.width, depth.height, depth.header.frame_id),
        colour,
        "Publish depth registered to colour (depth_image_proc's register node, or the driver's "
        "align_depth option)",
    )


def check_camera_info_fits(info: CameraInfo, colour: Image) -> None:
    """Check that the intrinsics describe the colour image.

    Raises:
        InputError: code ``camera_info_size_mismatch`` or ``camera_info_frame_mismatch``.
    """
    _check_fits(
        "camera_info",
        (info.width, info.height, info.header.frame_id),
        colour,
        "Subscribe to the camera_info that belongs to the colour topic",
    )


def _check_fits(kind: str, found: tuple[int, int, str], colour: Image, remedy: str) -> None:
    width, height, frame_id = found
    if (width, height) != (colour.width, colour.height):
        raise InputError(
            code=f"{kind}_size_mismatch",
            field=f"{kind}.width, {kind}.height",
            problem=f"are {width} x {height}, the colour image is {colour.width} x {colour.height}",
            remedy=remedy,
        )
    if frame_id != colour.header.frame_id:
        raise InputError(
            code=f"{kind}_frame_mismatch",
            field=f"{kind}.header.frame_id",
            problem=f"is {frame_id!r}, the colour image's is {colour.header.frame_id!r}",
            remedy=remedy,
        )
