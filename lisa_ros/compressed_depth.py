"""sensor_msgs/CompressedImage with depth, as compressed_depth_image_transport sends it.

``format`` is "16UC1; compressedDepth png", "32FC1; compressedDepth rvl" or, from older senders,
"16UC1; compressedDepth" (a PNG).  The data begin with 12 bytes, ``int32 format, float32
depthParam[2]``, then comes a 16-bit PNG, or for RVL ``uint32 columns, uint32 rows`` and the
compressed values.  Of 16UC1 the values are the pixels; of 32FC1 they are an inverse depth q with

    depth = depthParam[0] / (q - depthParam[1])  [m],  and q = 0 where there is none.

Depth sent by the plain "compressed" transport ("16UC1; png compressed ") is a PNG alone.
"""

from __future__ import annotations

import array
import math
import struct
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from lisa_model import rvl
from lisa_model.encoded_images import (
    EncodedImageError,
    ImageTooLargeError,
    check_size,
    decode_depth,
    encode,
)
from lisa_ros.compressed import (
    MAX_FORMAT_CHARS,
    check_data_length,
    damaged,
    read_image_header,
    too_large,
)
from lisa_ros.errors import InputError
from lisa_ros.validation import validate_header

DepthCodec = Literal["png", "rvl"]

_CONFIG = struct.Struct("<iff")
_RVL_SIZE = struct.Struct("<II")
_INV_DEPTH = 0  # ConfigHeader.format of both encodings
_MM_TO_M = np.float32(0.001)


@dataclass(frozen=True)
class CompressedDepthLayout:
    """What a message holds.

    Attributes:
        encoding: "16UC1" or "32FC1".
        codec: "png" or "rvl".
        width, height: pixels.
        start: byte where the PNG, or the compressed values, begin.
        depth_param: a and b of the formula above, of 32FC1 only.
    """

    encoding: str
    codec: DepthCodec
    width: int
    height: int
    start: int
    depth_param: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Quantization:
    """How 32FC1 depth becomes 16 bits: the transport's parameters and their defaults.

    Attributes:
        depth_max: depths from here on are lost [m].
        depth_quantization: steps; more are finer at a distance, but lose what is near.
    """

    depth_max: float = 10.0
    depth_quantization: float = 100.0

    def __post_init__(self) -> None:
        for field in ("depth_max", "depth_quantization"):
            if not (math.isfinite(getattr(self, field)) and getattr(self, field) > 0):
                raise ValueError(f"{field} is {getattr(self, field)}; must be > 0 and finite")

    @property
    def depth_param(self) -> tuple[float, float]:
        """a and b of the formula above, as float32 holds them."""
        a = self.depth_quantization * (self.depth_quantization + 1.0)
        return float(np.float32(a)), float(np.float32(1.0 - a / self.depth_max))


def validate_compressed_depth(msg: CompressedImage) -> CompressedDepthLayout:
    """Check a compressed depth image and return its layout, without decoding it.

    Raises:
        InputError: code ``depth_format``, ``depth_data_length``, ``depth_data``, ``depth_size``,
            ``depth_quantization``, ``depth_frame_id`` or ``depth_stamp``.
    """
    encoding, codec, has_config = _parse_format(msg.format)
    check_data_length(msg, "depth")
    data = bytes(msg.data)
    start = 0
    depth_param = (0.0, 0.0)
    if has_config:
        start = _CONFIG.size
        _check_length(data, start + 1)
        if encoding == "32FC1":
            depth_param = _check_depth_param(*_CONFIG.unpack_from(data)[1:])
    if codec == "png":
        header = read_image_header(data[start:], "depth")
        if (header.codec, header.channels, header.bits) != ("png", 1, 16):
            problem = f"holds a {header.codec}, {header.channels} channel(s) of {header.bits} bits"
            raise InputError(
                code="depth_data",
                field="depth.data",
                problem=problem,
                remedy="Send depth as a PNG with one channel of 16 bits, or as RVL",
            )
        width, height = header.width, header.height
    else:
        _check_length(data, start + _RVL_SIZE.size)
        width, height = _RVL_SIZE.unpack_from(data, start)
        start += _RVL_SIZE.size
        try:
            check_size(width, height)
        except ImageTooLargeError as error:
            raise too_large(error, "depth") from error
    validate_header(msg.header, "depth")
    return CompressedDepthLayout(encoding, codec, width, height, start, depth_param)


def compressed_depth_to_metres(msg: CompressedImage) -> NDArray[np.float32]:
    """Return a compressed depth image as (H, W) float32 metres; invalid pixels are 0 or NaN.

    Raises:
        InputError: see ``validate_compressed_depth``.
    """
    layout = validate_compressed_depth(msg)
    payload = bytes(msg.data)[layout.start :]
    try:
        if layout.codec == "png":
            values = decode_depth(payload)
        else:
            values = rvl.decompress(payload, layout.width * layout.height)
    except EncodedImageError as error:
        raise damaged(error, "depth") from error
    except ValueError as error:
        raise damaged(ValueError(f"is damaged RVL: it {error}"), "depth") from error
    values = values.reshape(layout.height, layout.width)
    if layout.encoding == "16UC1":
        return np.asarray(values * _MM_TO_M, dtype=np.float32)
    a, b = layout.depth_param
    over = values.astype(np.float32) - np.float32(b)
    # q up to b would be a depth behind the camera, or at infinity.
    valid = (values > 0) & (over > 0)
    return np.where(valid, np.float32(a) / np.where(valid, over, 1), np.nan).astype(np.float32)


def depth_to_compressed(
    depth: NDArray[Any],
    header: Header,
    *,
    codec: DepthCodec = "png",
    quantization: Quantization | None = None,
) -> CompressedImage:
    """Return (H, W) uint16 millimetres or float32 metres as the transport compresses it.

    Args:
        header: stamp and frame_id to put in (not copied).
        quantization: of float32; the transport's defaults when None.

    Raises:
        ValueError: the depth is of another kind.
    """
    if depth.ndim != 2 or depth.dtype not in (np.uint16, np.float32):
        raise ValueError(f"depth is {depth.dtype} {depth.shape}; needs (H, W) uint16 or float32")
    depth_param = (0.0, 0.0)
    encoding, values = "16UC1", depth
    if depth.dtype == np.float32:
        quantization = quantization or Quantization()
        encoding, depth_param = "32FC1", quantization.depth_param
        values = _quantize(depth, quantization)
    config = _CONFIG.pack(_INV_DEPTH, *depth_param)
    if codec == "png":
        payload = encode(values, "png")
    else:
        payload = _RVL_SIZE.pack(depth.shape[1], depth.shape[0]) + rvl.compress(values)
    return CompressedImage(
        header=header,
        format=f"{encoding}; compressedDepth {codec}",
        data=array.array("B", config + payload),
    )


def _quantize(depth_m: NDArray[np.float32], quantization: Quantization) -> NDArray[np.uint16]:
    a, b = quantization.depth_param
    with np.errstate(all="ignore"):
        q = np.floor(a / depth_m.astype(np.float64) + b)
        valid = (depth_m > 0) & (depth_m < quantization.depth_max) & (q > 0) & (q <= 0xFFFF)
    return np.where(valid, q, 0).astype(np.uint16)


def _parse_format(text: str) -> tuple[str, DepthCodec, bool]:
    """Return encoding, codec, and whether the data begin with the 12 bytes."""
    encoding, _, rest = text.partition(";")
    words = rest.split()
    if len(text) <= MAX_FORMAT_CHARS and encoding.strip() in ("16UC1", "32FC1") and words:
        if words in (["compressedDepth"], ["compressedDepth", "png"]):
            return encoding.strip(), "png", True
        if words == ["compressedDepth", "rvl"]:
            return encoding.strip(), "rvl", True
        # JPEG would invent depths, and the plain transport cannot compress 32FC1.
        if words[0] == "png" and encoding.strip() == "16UC1":
            return "16UC1", "png", False
    raise InputError(
        code="depth_format",
        field="depth.format",
        problem=f"is {text[:60]!r}",
        remedy="Send '16UC1; compressedDepth png', '32FC1; compressedDepth png', the same with "
        "rvl, or '16UC1; png compressed'",
    )


def _check_length(data: bytes, least: int) -> None:
    if len(data) < least:
        raise InputError(
            code="depth_data_length",
            field="depth.data",
            problem=f"has {len(data)} bytes, less than its headers",
            remedy="Send whole messages of compressed_depth_image_transport",
        )


def _check_depth_param(a: float, b: float) -> tuple[float, float]:
    if not (math.isfinite(a) and a > 0 and math.isfinite(b)):
        raise InputError(
            code="depth_quantization",
            field="depth.data",
            problem=f"has the quantization parameters {a:g} and {b:g}",
            remedy="Send a finite depthParam with depthParam[0] > 0; the sender's depth_max has to "
            "be > 0",
        )
    return a, b
