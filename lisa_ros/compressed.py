"""sensor_msgs/CompressedImage with a JPEG or PNG, as image_transport's "compressed" sends it.

``format`` is "jpeg" or "png", or names what was compressed and what the file holds: "rgb8; jpeg
compressed bgr8".  As in compressed_image_transport's subscriber, a colour file whose format does
not say "compressed bgr" has red and blue exchanged.
"""

from __future__ import annotations

import array

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from lisa_model.encoded_images import (
    MAX_PIXELS,
    MAX_SIDE_PX,
    Codec,
    EncodedImageError,
    ImageHeader,
    ImageTooLargeError,
    decode_color,
    encode,
    read_header,
)
from lisa_ros.errors import InputError
from lisa_ros.validation import Kind, validate_header

MAX_BYTES = 64 * 1024 * 1024
MAX_FORMAT_CHARS = 255
# What of ``format`` names the original pixels, where exchanged colours can be told.
_COLOUR_ORIGINALS = ("rgb8", "bgr8", "rgba8", "bgra8")
_CODEC_NAMES: dict[str, Codec] = {"jpeg": "jpeg", "jpg": "jpeg", "png": "png"}


def validate_compressed_image(msg: CompressedImage) -> ImageHeader:
    """Check a compressed colour image and return its size, without decoding it.

    Raises:
        InputError: code ``image_format``, ``image_data_length``, ``image_data``, ``image_size``,
            ``image_frame_id`` or ``image_stamp``.
    """
    _named_codec(msg)
    check_data_length(msg, "image")
    header = read_image_header(bytes(msg.data), "image")
    if header.bits > 8:
        raise InputError(
            code="image_data",
            field="image.data",
            problem=f"holds a {header.codec} of {header.bits} bits a channel",
            remedy="Send colour with 8 bits a channel (rgb8, bgr8 or mono8)",
        )
    validate_header(msg.header, "image")
    return header


def compressed_to_rgb(msg: CompressedImage) -> NDArray[np.uint8]:
    """Return a compressed image as (H, W, 3) uint8 RGB; grey is repeated, alpha dropped.

    Raises:
        InputError: see ``validate_compressed_image``.
    """
    validate_compressed_image(msg)
    try:
        rgb = decode_color(bytes(msg.data))
    except EncodedImageError as error:
        raise damaged(error, "image") from error
    original, separator, rest = msg.format.partition(";")
    exchanged = separator and original.strip() in _COLOUR_ORIGINALS and "compressed bgr" not in rest
    return np.ascontiguousarray(rgb[..., ::-1]) if exchanged else rgb


def rgb_to_compressed(
    rgb: NDArray[np.uint8], header: Header, *, codec: Codec = "jpeg", quality: int = 95
) -> CompressedImage:
    """Return (H, W, 3) uint8 RGB or (H, W) uint8 grey as image_transport compresses it.

    Args:
        header: stamp and frame_id to put in (not copied).
        codec: "jpeg" or "png".
        quality: of a JPEG, 1..100.

    Raises:
        ValueError: the pixels are of another kind.
    """
    if rgb.dtype != np.uint8:
        raise ValueError(f"pixels are {rgb.dtype}; must be uint8")
    what = "rgb8; {} compressed bgr8" if rgb.ndim == 3 else "mono8; {} compressed "
    data = encode(rgb, codec, quality=quality)
    return CompressedImage(header=header, format=what.format(codec), data=array.array("B", data))


def _named_codec(msg: CompressedImage) -> Codec:
    """Return which codec ``format`` names; what the data are is seen in the data."""
    original, separator, rest = msg.format.partition(";")
    words = (rest if separator else original).split()
    if len(msg.format) <= MAX_FORMAT_CHARS and words and words[0].lower() in _CODEC_NAMES:
        return _CODEC_NAMES[words[0].lower()]
    raise InputError(
        code="image_format",
        field="image.format",
        problem=f"is {msg.format[:60]!r}",
        remedy="Send jpeg or png, as image_transport's 'compressed' does "
        "(for example 'rgb8; jpeg compressed bgr8')",
    )


def check_data_length(msg: CompressedImage, kind: Kind) -> None:
    """Check that there are data, and not too many.

    Raises:
        InputError: code ``<kind>_data_length``.
    """
    if not 0 < len(msg.data) <= MAX_BYTES:
        raise InputError(
            code=f"{kind}_data_length",
            field=f"{kind}.data",
            problem=f"has {len(msg.data)} bytes",
            remedy=f"Send a whole compressed image of at most {MAX_BYTES} bytes",
        )


def read_image_header(data: bytes, kind: Kind) -> ImageHeader:
    """Return what an encoded image says of itself.

    Raises:
        InputError: code ``<kind>_size`` or ``<kind>_data``.
    """
    try:
        return read_header(data)
    except ImageTooLargeError as error:
        raise too_large(error, kind) from error
    except EncodedImageError as error:
        raise damaged(error, kind) from error


def too_large(error: ImageTooLargeError, kind: Kind) -> InputError:
    """Return the refusal of an image that would be too large when decoded."""
    return InputError(
        code=f"{kind}_size",
        field=f"{kind}.data",
        problem=f"holds an image that {error}",
        remedy=f"Send an image with sides of 1..{MAX_SIDE_PX} and at most {MAX_PIXELS} pixels",
    )


def damaged(error: Exception, kind: Kind) -> InputError:
    """Return the refusal of data that cannot be decoded."""
    return InputError(
        code=f"{kind}_data",
        field=f"{kind}.data",
        problem=str(error),
        remedy="Send whole messages; lost parts of a message are the transport's fault",
    )
