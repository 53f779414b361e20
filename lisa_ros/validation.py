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
InfoKind = Literal["camera_info", "depth_camera_info"]

MAX_SIDE_PX = 16384
MAX_PIXELS = 64 * 1024 * 1024
MAX_FRAME_ID_CHARS = 255
# Far beyond any lens; what lies outside would make coordinates that mean nothing.
MIN_FOCAL_PX = 0.01
MAX_FOCAL_PX = 1e6


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
    "mono16": Encoding(np.uint16, 1),
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


def validate_camera_info(msg: CameraInfo, kind: InfoKind = "camera_info") -> Intrinsics:
    """Check a CameraInfo and return its intrinsics, taken from K (as for image_raw).

    Raises:
        InputError: code ``<kind>_size``, ``<kind>_intrinsics``, ``<kind>_frame_id`` or
            ``<kind>_stamp``.
    """
    if not (0 < msg.width <= MAX_SIDE_PX and 0 < msg.height <= MAX_SIDE_PX):
        raise InputError(
            code=f"{kind}_size",
            field=f"{kind}.width, {kind}.height",
            problem=f"are {msg.width} x {msg.height}",
            remedy="Set them to the size of the image they describe",
        )
    k = [float(value) for value in msg.k]
    _check_matrix(k, (k[0], k[4], k[2], k[5]), f"{kind}.k", f"{kind}_intrinsics")
    validate_header(msg.header, kind)
    return Intrinsics(fx=k[0], fy=k[4], cx=k[2], cy=k[5], width=msg.width, height=msg.height)


def rectified_intrinsics(msg: CameraInfo) -> Intrinsics:
    """Check a CameraInfo and return the intrinsics of its rectified image, taken from P.

    Raises:
        InputError: as ``validate_camera_info``, or code ``camera_info_projection``.
    """
    validate_camera_info(msg)
    p = [float(value) for value in msg.p]
    _check_matrix(p, (p[0], p[5], p[2], p[6]), "camera_info.p", "camera_info_projection")
    return Intrinsics(fx=p[0], fy=p[5], cx=p[2], cy=p[6], width=msg.width, height=msg.height)


def _check_matrix(
    entries: list[float], pinhole: tuple[float, float, float, float], field: str, code: str
) -> None:
    fx, fy, cx, cy = pinhole
    plausible = (
        all(math.isfinite(value) for value in entries)
        and all(MIN_FOCAL_PX <= value <= MAX_FOCAL_PX for value in (fx, fy))
        and all(abs(value) <= MAX_FOCAL_PX for value in (cx, cy))
    )
    if plausible:
        return
    problem = "is all zero: the camera is not calibrated"
    if any(entries):
        problem = f"has fx {fx:g}, fy {fy:g}, cx {cx:g}, cy {cy:g}"
    raise InputError(
        code=code,
        field=field,
        problem=problem,
        remedy=f"Calibrate the camera: fx and fy have to be {MIN_FOCAL_PX:g}..{MAX_FOCAL_PX:g} "
        "pixels and every entry finite",
    )


def is_distorted(msg: CameraInfo) -> bool:
    """Tell whether the lens distortion is not zero, so that back-projection by K alone is off."""
    return any(abs(value) > 1e-6 for value in msg.d)


@dataclass(frozen=True)
class Extent:
    """What has to agree between a colour image and what belongs to it."""

    width: int
    height: int
    frame_id: str


def extent_of(msg: Image | CameraInfo) -> Extent:
    """Return the extent of a message that says it in its fields."""
    return Extent(msg.width, msg.height, msg.header.frame_id)


def check_depth_fits(depth: Image | Extent, colour: Image | Extent) -> None:
    """Check that a depth image is registered to the colour image, as far as fields can tell.

    Raises:
        InputError: code ``depth_size_mismatch`` or ``depth_frame_mismatch``.
    """
    _check_fits(
        "depth",
        depth,
        colour,
        "Publish depth registered to colour (depth_image_proc's register node, or the driver's "
        "align_depth option), or set the parameter depth_to_colour",
    )


def check_camera_info_fits(info: CameraInfo | Extent, colour: Image | Extent) -> None:
    """Check that the intrinsics describe the colour image.

    Raises:
        InputError: code ``camera_info_size_mismatch`` or ``camera_info_frame_mismatch``.
    """
    _check_fits(
        "camera_info", info, colour, "Subscribe to the camera_info that belongs to the colour topic"
    )


def check_depth_camera_info_fits(info: CameraInfo | Extent, depth: Image | Extent) -> None:
    """Check that the intrinsics of the depth camera describe the depth image.

    Raises:
        InputError: code ``depth_camera_info_size_mismatch`` or ``..._frame_mismatch``.
    """
    _check_fits(
        "depth_camera_info",
        info,
        depth,
        "Subscribe to the camera_info that belongs to the depth topic",
        image="depth",
    )


def _check_fits(
    kind: str,
    found: Image | CameraInfo | Extent,
    expected: Image | Extent,
    remedy: str,
    image: str = "colour",
) -> None:
    have = found if isinstance(found, Extent) else extent_of(found)
    need = expected if isinstance(expected, Extent) else extent_of(expected)
    if (have.width, have.height) != (need.width, need.height):
        raise InputError(
            code=f"{kind}_size_mismatch",
            field=f"{kind}.width, {kind}.height",
            problem=f"are {have.width} x {have.height}, the {image} image is {need.width} x "
            f"{need.height}",
            remedy=remedy,
        )
    if have.frame_id != need.frame_id:
        raise InputError(
            code=f"{kind}_frame_mismatch",
            field=f"{kind}.header.frame_id",
            problem=f"is {have.frame_id!r}, the {image} image's is {need.frame_id!r}",
            remedy=remedy,
        )
