"""Compressed colour and depth: what image_transport sends is understood, all else is refused."""

from __future__ import annotations

import array
import struct
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from lisa_model import rvl
from lisa_model.encoded_images import encode
from lisa_ros import compressed
from lisa_ros.compressed import compressed_to_rgb, rgb_to_compressed, validate_compressed_image
from lisa_ros.compressed_depth import (
    Quantization,
    compressed_depth_to_metres,
    depth_to_compressed,
    validate_compressed_depth,
)
from lisa_ros.errors import InputError

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)
GREY = RNG.integers(0, 256, (20, 30), dtype=np.uint8)
DEPTH = RNG.integers(0, 65536, (20, 30), dtype=np.uint16)
METRES = RNG.uniform(0.3, 9.9, (20, 30)).astype(np.float32)


def message(data: bytes, text: str, **fields: Any) -> CompressedImage:
    fields.setdefault("header", Header(frame_id="camera"))
    return CompressedImage(data=array.array("B", data), format=text, **fields)


def code_of(convert: Any, msg: CompressedImage) -> str:
    with pytest.raises(InputError) as caught:
        convert(msg)
    assert caught.value.field.split(".")[0] == caught.value.code.split("_")[0]
    assert caught.value.remedy
    return caught.value.code


# Colour


def test_colour_round_trip(make: Any):
    msg = rgb_to_compressed(RGB, make.header(), codec="png")
    assert msg.format == "rgb8; png compressed bgr8"
    assert msg.header == make.header()
    np.testing.assert_array_equal(compressed_to_rgb(msg), RGB)
    header = validate_compressed_image(msg)
    assert (header.width, header.height) == (30, 20)
    smooth = cv2.GaussianBlur(RGB, (0, 0), 5)
    back = compressed_to_rgb(rgb_to_compressed(smooth, make.header()))
    assert np.abs(back.astype(int) - smooth).mean() < 3


def test_grey_round_trip(make: Any):
    msg = rgb_to_compressed(GREY, make.header(), codec="png")
    assert msg.format == "mono8; png compressed "
    np.testing.assert_array_equal(compressed_to_rgb(msg), np.repeat(GREY[..., None], 3, axis=2))


@pytest.mark.parametrize(
    ("text", "exchanged"),
    [
        ("png", False),
        ("PNG", False),
        ("rgb8; png compressed bgr8", False),
        ("bgr8; png compressed bgr8", False),
        ("rgb8;png compressed bgr8", False),
        ("bayer_rggb8; png compressed bgr8", False),
        ("rgb8; png compressed rgb8", True),
        ("bgr8; png compressed rgb8", True),
        ("bgra8; png compressed ", True),
        # The name may be that of another codec: what the data are is seen in the data.
        ("jpeg", False),
        ("bgr8; jpeg compressed bgr8", False),
    ],
)
def test_formats_as_image_transport_understands_them(text: str, exchanged: bool):
    rgb = compressed_to_rgb(message(encode(RGB, "png"), text))
    np.testing.assert_array_equal(rgb, RGB[..., ::-1] if exchanged else RGB)
    assert rgb.flags.c_contiguous


@pytest.mark.parametrize(
    ("msg", "code"),
    [
        (message(encode(RGB, "png"), ""), "image_format"),
        (message(encode(RGB, "png"), "h264"), "image_format"),
        (message(encode(RGB, "png"), "16UC1; compressedDepth png"), "image_format"),
        (message(encode(RGB, "png"), "rgb8;"), "image_format"),
        (message(encode(RGB, "png"), "png" + " " * 300), "image_format"),
        (message(b"", "png"), "image_data_length"),
        (message(b"\x00" * 50, "png"), "image_data"),
        (message(encode(RGB, "jpeg")[:-2], "jpeg"), "image_data"),
        (message(encode(DEPTH, "png"), "png"), "image_data"),
        (message(encode(RGB, "png"), "png", header=Header()), "image_frame_id"),
        (
            message(
                encode(RGB, "png")[:16]
                + struct.pack(">II", 60000, 60000)
                + encode(RGB, "png")[24:],
                "png",
            ),
            "image_size",
        ),
    ],
)
def test_each_wrong_colour_message_is_named(msg: CompressedImage, code: str):
    assert code_of(compressed_to_rgb, msg) == code


def test_data_are_limited(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(compressed, "MAX_BYTES", 100)
    assert code_of(compressed_to_rgb, message(bytes(101), "png")) == "image_data_length"


# Depth


@pytest.mark.parametrize("codec", ["png", "rvl"])
def test_millimetres_round_trip(make: Any, codec: Any):
    msg = depth_to_compressed(DEPTH, make.header(), codec=codec)
    assert msg.format == f"16UC1; compressedDepth {codec}"
    metres = compressed_depth_to_metres(msg)
    assert metres.dtype == np.float32
    np.testing.assert_allclose(metres, DEPTH / 1000.0, rtol=1e-6)
    layout = validate_compressed_depth(msg)
    assert (layout.width, layout.height, layout.codec) == (30, 20, codec)


@pytest.mark.parametrize("codec", ["png", "rvl"])
def test_metres_round_trip_within_the_quantization(make: Any, codec: Any):
    depth = METRES.copy()
    depth[0, :5] = [0.0, np.nan, np.inf, -1.0, 10.0]
    msg = depth_to_compressed(depth, make.header(), codec=codec)
    back = compressed_depth_to_metres(msg)
    assert np.isnan(back[0, :5]).all()
    # One step of q: |d(depth)/dq| = depth^2 / a.
    step = depth**2 / (100 * 101)
    assert (np.abs(back - depth)[1:] <= step[1:] * 1.1 + 1e-6).all()


def test_depth_of_another_sender_is_understood():
    """Bytes put together as the transport's source says, not by our encoder."""
    max_depth, quantization = 8.0, 50.0
    a = quantization * (quantization + 1)
    b = 1 - a / max_depth
    q = (a / METRES + b).astype(np.uint16)  # truncates, as C++ does
    inside = max_depth > METRES
    q[~inside] = 0
    data = struct.pack("<iff", 0, a, b) + encode(q, "png")
    back = compressed_depth_to_metres(message(data, "32FC1; compressedDepth"))
    assert np.isnan(back[~inside]).all()
    np.testing.assert_allclose(back[inside], METRES[inside], rtol=0.01)
    # a is 2550 and b is 1 - 2550 / 8 = -317.75: q = 957 is at 2550 / (957 + 317.75) = 2.0004 m.
    data = struct.pack("<iff", 0, a, b) + encode(np.full((2, 2), 957, np.uint16), "png")
    back = compressed_depth_to_metres(message(data, "32FC1; compressedDepth png"))
    np.testing.assert_allclose(back, 2.000392, rtol=1e-5)


def test_plain_png_of_depth_is_understood():
    for text in ("16UC1; png compressed ", "16UC1; png compressed 16UC1"):
        metres = compressed_depth_to_metres(message(encode(DEPTH, "png"), text))
        np.testing.assert_allclose(metres, DEPTH / 1000.0, rtol=1e-6)


def config(a: float = 0.0, b: float = 0.0) -> bytes:
    return struct.pack("<iff", 0, a, b)


def test_q_that_would_be_behind_the_camera_is_invalid():
    q = np.array([[0, 5, 10, 15]], np.uint16)
    back = compressed_depth_to_metres(
        message(config(20.0, 10.0) + encode(q, "png"), "32FC1; compressedDepth png")
    )
    np.testing.assert_array_equal(back, [[np.nan, np.nan, np.nan, 4.0]])


RVL_DATA = struct.pack("<II", 30, 20) + rvl.compress(DEPTH)


@pytest.mark.parametrize(
    ("data", "text", "code"),
    [
        (config() + encode(DEPTH, "png"), "", "depth_format"),
        (config() + encode(DEPTH, "png"), "16UC1", "depth_format"),
        (config() + encode(DEPTH, "png"), "mono16; compressedDepth png", "depth_format"),
        (config() + encode(DEPTH, "png"), "16UC1; compressedDepth zstd", "depth_format"),
        (encode(GREY, "jpeg"), "16UC1; jpeg compressed ", "depth_format"),
        (encode(DEPTH, "png"), "32FC1; png compressed ", "depth_format"),
        (b"", "16UC1; compressedDepth png", "depth_data_length"),
        (config(), "16UC1; compressedDepth png", "depth_data_length"),
        (config() + b"\x01" * 7, "16UC1; compressedDepth rvl", "depth_data_length"),
        (encode(DEPTH, "png"), "16UC1; compressedDepth png", "depth_data"),  # config is missing
        (config() + encode(GREY, "png"), "16UC1; compressedDepth png", "depth_data"),
        (config() + encode(RGB, "png"), "16UC1; compressedDepth png", "depth_data"),
        (config() + encode(DEPTH, "png")[:-20], "16UC1; compressedDepth png", "depth_data"),
        (config() + RVL_DATA[:-8], "16UC1; compressedDepth rvl", "depth_data"),
        (config() + struct.pack("<II", 0, 20), "16UC1; compressedDepth rvl", "depth_size"),
        (config() + struct.pack("<II", 2**31, 2**31), "16UC1; compressedDepth rvl", "depth_size"),
        (config() + RVL_DATA, "32FC1; compressedDepth rvl", "depth_quantization"),
        (config(np.nan, 1) + RVL_DATA, "32FC1; compressedDepth rvl", "depth_quantization"),
        (config(-1, 1) + RVL_DATA, "32FC1; compressedDepth rvl", "depth_quantization"),
        (config(1, np.inf) + RVL_DATA, "32FC1; compressedDepth rvl", "depth_quantization"),
    ],
)
def test_each_wrong_depth_message_is_named(data: bytes, text: str, code: str):
    assert code_of(compressed_depth_to_metres, message(data, text)) == code


def test_depth_needs_a_header():
    msg = message(config() + RVL_DATA, "16UC1; compressedDepth rvl", header=Header())
    assert code_of(compressed_depth_to_metres, msg) == "depth_frame_id"


def test_what_cannot_be_compressed_is_refused(make: Any):
    with pytest.raises(ValueError, match="float64"):
        depth_to_compressed(METRES.astype(np.float64), make.header())
    with pytest.raises(ValueError, match="uint8"):
        rgb_to_compressed(RGB.astype(np.float32), make.header())
    with pytest.raises(ValueError, match="depth_max"):
        Quantization(depth_max=0)


FORMATS = [
    "jpeg",
    "png",
    "rgb8; jpeg compressed bgr8",
    "rgb8; png compressed rgb8",
    "16UC1; compressedDepth png",
    "16UC1; compressedDepth rvl",
    "32FC1; compressedDepth png",
    "32FC1; compressedDepth rvl",
    "16UC1; png compressed ",
]
SEEDS = [
    b"",
    encode(RGB, "jpeg"),
    encode(RGB, "png"),
    encode(DEPTH, "png"),
    config() + encode(DEPTH, "png"),
    config(10100.0, -1009.0) + encode(DEPTH, "png"),
    config(10100.0, -1009.0) + RVL_DATA,
]


@settings(max_examples=600, deadline=None)
@given(
    text=st.one_of(st.sampled_from(FORMATS), st.text(max_size=30)),
    seed=st.sampled_from(SEEDS),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4),
    cut=st.integers(0, 40),
    extra=st.binary(max_size=60),
    frame_id=st.sampled_from(["camera", ""]),
)
def test_any_message_is_decoded_or_refused(
    text: str,
    seed: bytes,
    changes: list[tuple[float, int]],
    cut: int,
    extra: bytes,
    frame_id: str,
):
    data = bytearray(seed[: len(seed) - cut] if cut else seed)
    for place, value in changes:
        if data:
            data[int(place * len(data))] = value
    msg = message(bytes(data) + extra, text, header=Header(frame_id=frame_id))
    for convert in (compressed_to_rgb, compressed_depth_to_metres):
        try:
            pixels = convert(msg)
        except InputError:
            continue
        assert frame_id
        assert pixels.size
