"""sensor_msgs/Image to numpy and back, without cv_bridge.

Arrays that come out are the caller's own: contiguous, in native byte order, free of row padding.
"""

from __future__ import annotations

import array
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from lisa_ros.validation import (
    ENCODINGS,
    UYVY_ENCODINGS,
    YUYV_ENCODINGS,
    Kind,
    validate_image,
)

_MM_TO_M = np.float32(0.001)


def image_to_array(msg: Image, kind: Kind) -> NDArray[Any]:
    """Return the pixels in the message's own encoding, (H, W) or (H, W, channels).

    Raises:
        InputError: the message is malformed, see ``validate_image``.
    """
    layout = validate_image(msg, kind)
    dtype = np.dtype(layout.dtype)
    row_bytes = msg.width * layout.pixel_bytes
    rows = np.frombuffer(msg.data, dtype=np.uint8).reshape(msg.height, msg.step)
    # The slice drops padding; the copy detaches the result from the message's memory.
    pixels = rows[:, :row_bytes].copy().view(dtype)
    if dtype.itemsize > 1 and bool(msg.is_bigendian) == np.little_endian:
        pixels = pixels.byteswap()
    if layout.channels > 1:
        pixels = pixels.reshape(msg.height, msg.width, layout.channels)
    return pixels


def image_to_rgb(msg: Image) -> NDArray[np.uint8]:
    """Return a colour image as (H, W, 3) uint8 RGB; alpha is dropped, grey repeated.

    mono16 is scaled from 0..65535 to 0..255.

    YUV 4:2:2 is taken as ITU-R BT.601 of limited range, which cameras send and cv_bridge expects.

    Raises:
        InputError: the message is malformed or not a colour image.
    """
    pixels = image_to_array(msg, "image")
    if msg.encoding == "mono16":
        pixels = np.rint(pixels / np.float32(257)).astype(np.uint8)
    if msg.encoding in ("mono8", "mono16"):
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    elif msg.encoding in UYVY_ENCODINGS:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_YUV2RGB_UYVY)
    elif msg.encoding in YUYV_ENCODINGS:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_YUV2RGB_YUY2)
    elif msg.encoding in ("bgr8", "bgra8"):
        pixels = pixels[:, :, 2::-1]
    else:
        pixels = pixels[:, :, :3]
    return np.ascontiguousarray(pixels)


def depth_to_metres(msg: Image) -> NDArray[np.float32]:
    """Return a depth image as (H, W) float32 metres (REP-118).

    16UC1 is in millimetres, 32FC1 in metres.  Invalid pixels stay what they are: 0, NaN or inf.

    Raises:
        InputError: the message is malformed or not a depth image.
    """
    pixels = image_to_array(msg, "depth")
    if msg.encoding == "16UC1":
        return np.asarray(pixels * _MM_TO_M, dtype=np.float32)
    return pixels


def array_to_image(pixels: NDArray[Any], encoding: str, header: Header) -> Image:
    """Return an Image message with its own copy of the pixels.

    Args:
        pixels: (H, W) or (H, W, channels), of exactly the encoding's dtype.
        encoding: one of the encodings of ``validation.ENCODINGS``.
        header: stamp and frame_id to put in (not copied).

    Raises:
        ValueError: unknown encoding, or a dtype or shape that is not the encoding's.
    """
    layout = ENCODINGS.get(encoding)
    if layout is None:
        raise ValueError(f"encoding {encoding!r}: use one of {', '.join(ENCODINGS)}")
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if pixels.ndim not in (2, 3) or channels != layout.channels or pixels.dtype != layout.dtype:
        raise ValueError(
            f"pixels are {pixels.dtype} {pixels.shape}; {encoding} needs "
            f"{np.dtype(layout.dtype)} with {layout.channels} channel(s)"
        )
    height, width = pixels.shape[:2]
    data = array.array("B")  # any other type is checked element by element, up to 150 times slower
    data.frombytes(np.ascontiguousarray(pixels).tobytes())
    return Image(
        header=header,
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=0 if np.little_endian else 1,
        step=width * layout.pixel_bytes,
        data=data,
    )


def mask_to_image(mask: NDArray[np.bool_], header: Header) -> Image:
    """Return a (H, W) bool mask as mono8, 255 where true."""
    return array_to_image(mask.astype(np.uint8) * np.uint8(255), "mono8", header)
