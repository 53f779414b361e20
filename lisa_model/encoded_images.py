"""JPEG and PNG images in memory: what their headers say, and decoding that cannot be blown up.

A few kilobytes of PNG can decode to gigabytes, so the size is read from the header and checked
before anything is decoded.  Formats: PNG (ISO/IEC 15948), section 11.2.2 IHDR; JPEG (ITU-T T.81),
annex B.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

# The same limits as for raw images on topics (lisa_ros/validation.py).
MAX_SIDE_PX = 16384
MAX_PIXELS = 64 * 1024 * 1024

Codec = Literal["jpeg", "png"]

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}  # by colour type; 3 is a palette of RGB
_JPEG_START = b"\xff\xd8"
_JPEG_END = b"\xff\xd9"
# Start-of-frame markers; C4, C8 and CC of this range mean something else.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_WITHOUT_LENGTH = frozenset(range(0xD0, 0xD8)) | {0x01}
_JPEG_SCAN = 0xDA


class EncodedImageError(ValueError):
    """The bytes are no image that is accepted; the message says why."""


class ImageTooLargeError(EncodedImageError):
    """The image would be larger than the limits when decoded."""


@dataclass(frozen=True)
class ImageHeader:
    """What an encoded image says of itself.

    Attributes:
        codec: "jpeg" or "png".
        width, height: pixels, 1..MAX_SIDE_PX, and at most MAX_PIXELS together.
        channels: 1 grey, 2 grey and alpha, 3 colour, 4 colour and alpha.
        bits: of one channel: 1, 2, 4, 8, 12 or 16.
    """

    codec: Codec
    width: int
    height: int
    channels: int
    bits: int


def read_header(data: bytes) -> ImageHeader:
    """Return the header of a JPEG or PNG without decoding it.

    Raises:
        ImageTooLargeError: it would decode to more than the limits, or to nothing.
        EncodedImageError: neither JPEG nor PNG, or cut off within the header.
    """
    if data.startswith(_PNG_SIGNATURE):
        header = _png_header(data)
    elif data.startswith(_JPEG_START):
        header = _jpeg_header(data)
    else:
        raise EncodedImageError(
            f"starts with {data[:8].hex(' ') or 'nothing'}, neither JPEG (ff d8) nor PNG (89 50)"
        )
    check_size(header.width, header.height)
    return header


def check_size(width: int, height: int) -> None:
    """Check the size that something would decode to.

    Raises:
        ImageTooLargeError: a side is not 1..MAX_SIDE_PX, or there are more than MAX_PIXELS.
    """
    if not (0 < width <= MAX_SIDE_PX and 0 < height <= MAX_SIDE_PX) or width * height > MAX_PIXELS:
        raise ImageTooLargeError(
            f"is {width} x {height}; sides of 1..{MAX_SIDE_PX} and at most {MAX_PIXELS} pixels "
            "are accepted"
        )


def decode_color(data: bytes) -> NDArray[np.uint8]:
    """Decode an 8-bit JPEG or PNG to (H, W, 3) uint8 RGB; grey is repeated, alpha dropped.

    The pixels come as they are stored: an EXIF orientation is not applied, for it would not fit the
    camera's intrinsics.

    Raises:
        ImageTooLargeError: see ``read_header``.
        EncodedImageError: no JPEG or PNG, not 8 bits a channel, damaged or cut off.
    """
    header = read_header(data)
    if header.bits > 8:
        raise EncodedImageError(f"has {header.bits} bits a channel; colour needs 8")
    bgr = _decode(data, header, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return np.ascontiguousarray(bgr[..., ::-1])


def decode_depth(data: bytes) -> NDArray[np.uint16]:
    """Decode a 16-bit grey PNG to (H, W) uint16.

    Raises:
        ImageTooLargeError: see ``read_header``.
        EncodedImageError: not a 16-bit PNG with one channel, damaged or cut off.
    """
    header = read_header(data)
    if (header.codec, header.channels, header.bits) != ("png", 1, 16):
        raise EncodedImageError(
            f"is a {header.codec} with {header.channels} channel(s) of {header.bits} bits; "
            "depth needs a PNG with one channel of 16 bits"
        )
    return _decode(data, header, cv2.IMREAD_UNCHANGED)


def decode_ids(data: bytes) -> NDArray[np.uint16]:
    """Decode a grey PNG of 8 or 16 bits to (H, W) uint16, as label and instance images are.

    Raises:
        ImageTooLargeError: see ``read_header``.
        EncodedImageError: not such a PNG, damaged or cut off.
    """
    header = read_header(data)
    if header.codec != "png" or header.channels != 1 or header.bits not in (8, 16):
        raise EncodedImageError(
            f"is a {header.codec} with {header.channels} channel(s) of {header.bits} bits; "
            "ids need a PNG with one channel of 8 or 16 bits"
        )
    return _decode(data, header, cv2.IMREAD_UNCHANGED).astype(np.uint16)


def encode(pixels: NDArray[Any], codec: Codec, *, quality: int = 95) -> bytes:
    """Encode (H, W) uint8 or uint16, or (H, W, 3) uint8 RGB; 16 bits need "png".

    Args:
        quality: of a JPEG, 1..100.

    Raises:
        ValueError: the pixels are of another kind.
    """
    grey = pixels.ndim == 2 and pixels.dtype in (np.uint8, np.uint16)
    if not grey and not (
        pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == np.uint8 and pixels.size
    ):
        raise ValueError(f"pixels are {pixels.dtype} {pixels.shape}; cannot be encoded")
    if codec == "jpeg" and pixels.dtype != np.uint8:
        raise ValueError("a JPEG holds 8 bits a channel; use png for 16")
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if codec == "jpeg" else []
    stored = pixels if grey else np.ascontiguousarray(pixels[..., ::-1])
    done, buffer = cv2.imencode(".jpg" if codec == "jpeg" else ".png", stored, options)
    if not done:
        raise ValueError(f"pixels {pixels.dtype} {pixels.shape} cannot be encoded as {codec}")
    return bytes(buffer)


def _decode(data: bytes, header: ImageHeader, flags: int) -> NDArray[Any]:
    try:
        pixels = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
    except cv2.error as error:
        raise EncodedImageError(f"is a damaged {header.codec}: {error.err}") from error
    if pixels is None or pixels.shape[:2] != (header.height, header.width):
        raise EncodedImageError(f"is a damaged {header.codec}")
    return pixels


def _png_header(data: bytes) -> ImageHeader:
    if len(data) < 33 or data[8:16] != b"\x00\x00\x00\x0dIHDR":
        raise EncodedImageError("is a PNG without a header (IHDR)")
    width, height, bits, kind = struct.unpack_from(">IIBB", data, 16)
    if kind not in _PNG_CHANNELS:
        raise EncodedImageError(f"is a PNG of the unknown colour type {kind}")
    # libpng fills what is missing of a cut file with zeros, or not at all.
    if b"IEND" not in data[-64:]:
        raise EncodedImageError(f"is a PNG that is cut off after {len(data)} bytes")
    return ImageHeader("png", width, height, _PNG_CHANNELS[kind], bits)


def _jpeg_header(data: bytes) -> ImageHeader:
    position = len(_JPEG_START)
    frame: ImageHeader | None = None
    while position + 2 <= len(data):
        if data[position] != 0xFF:
            raise EncodedImageError(f"is a JPEG that is damaged at byte {position}")
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        position += 2
        if marker in _JPEG_WITHOUT_LENGTH:
            continue
        if position + 2 > len(data):
            break
        (length,) = struct.unpack_from(">H", data, position)
        if marker == _JPEG_SCAN:
            if frame is None:
                raise EncodedImageError("is a JPEG without a frame header")
            # libjpeg paints what is missing of a cut file grey.
            if data.find(_JPEG_END, position) < 0:
                raise EncodedImageError(f"is a JPEG that is cut off after {len(data)} bytes")
            return frame
        if length < 2:
            raise EncodedImageError(f"is a JPEG that is damaged at byte {position}")
        if marker in _JPEG_FRAMES:
            if frame is not None:
                raise EncodedImageError("is a JPEG with two frame headers")
            if length < 8 or position + 8 > len(data):
                raise EncodedImageError("is a JPEG with a cut frame header")
            bits, height, width, channels = struct.unpack_from(">BHHB", data, position + 2)
            if channels not in (1, 3):
                raise EncodedImageError(f"is a JPEG with {channels} channels; 1 or 3 are accepted")
            frame = ImageHeader("jpeg", width, height, channels, bits)
        position += length
    raise EncodedImageError(f"is a JPEG that is cut off after {len(data)} bytes")
