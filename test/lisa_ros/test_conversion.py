from __future__ import annotations

import array
from typing import Any

import numpy as np
import pytest

from lisa_ros.conversion import (
    array_to_image,
    depth_to_metres,
    image_to_array,
    image_to_rgb,
    mask_to_image,
)
from lisa_ros.errors import InputError
from lisa_ros.validation import COLOUR_ENCODINGS, ENCODINGS

RNG = np.random.default_rng(0)


def random_pixels(encoding: str, height: int = 5, width: int = 8) -> np.ndarray:
    layout = ENCODINGS[encoding]
    shape = (height, width) if layout.channels == 1 else (height, width, layout.channels)
    if layout.dtype is np.float32:
        return RNG.normal(size=shape).astype(np.float32)
    return RNG.integers(0, np.iinfo(layout.dtype).max, shape, dtype=layout.dtype, endpoint=True)


def pad(msg: Any, extra: int) -> Any:
    """Add padding bytes of 0xAA to each row."""
    rows = np.frombuffer(msg.data, np.uint8).reshape(msg.height, msg.step)
    rows = np.pad(rows, ((0, 0), (0, extra)), constant_values=0xAA)
    msg.step += extra
    msg.data = array.array("B", rows.tobytes())
    return msg


def kind_of(encoding: str) -> Any:
    return "image" if encoding in COLOUR_ENCODINGS else "depth"


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("padding", [0, 1, 13])
@pytest.mark.parametrize("big_endian", [False, True])
def test_round_trip(make: Any, encoding: str, padding: int, big_endian: bool):
    pixels = random_pixels(encoding)
    msg = array_to_image(pixels, encoding, make.header())
    if big_endian:
        msg.is_bigendian = 1
        msg.data = array.array("B", pixels.astype(pixels.dtype.newbyteorder(">")).tobytes())
    back = image_to_array(pad(msg, padding), kind_of(encoding))
    np.testing.assert_array_equal(back, pixels)
    assert back.dtype == pixels.dtype
    assert back.dtype.isnative
    assert back.flags.c_contiguous
    assert back.flags.owndata or back.base is not None
    assert isinstance(msg.data, array.array)


def test_the_result_does_not_share_the_messages_memory(make: Any):
    msg = make.image()
    rgb = image_to_rgb(msg)
    before = rgb.copy()
    msg.data[:] = make.bytes(len(msg.data))
    np.testing.assert_array_equal(rgb, before)
    rgb[:] = 0  # and can be written to


@pytest.mark.parametrize(
    ("encoding", "order"), [("rgb8", [0, 1, 2]), ("bgr8", [2, 1, 0]), ("rgba8", [0, 1, 2])]
)
def test_colour_order(make: Any, encoding: str, order: list[int]):
    pixels = random_pixels(encoding)
    rgb = image_to_rgb(array_to_image(pixels, encoding, make.header()))
    np.testing.assert_array_equal(rgb, pixels[..., order])


def test_bgra_and_grey(make: Any):
    bgra = random_pixels("bgra8")
    np.testing.assert_array_equal(
        image_to_rgb(array_to_image(bgra, "bgra8", make.header())), bgra[..., [2, 1, 0]]
    )
    grey = random_pixels("mono8")
    rgb = image_to_rgb(array_to_image(grey, "mono8", make.header()))
    np.testing.assert_array_equal(rgb, np.stack([grey] * 3, axis=2))


def yuv_of(rgb: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return Y, U, V of a colour by ITU-R BT.601, limited range."""
    r, g, b = (value / 255 for value in rgb)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    u, v = (b - y) / 1.772, (r - y) / 1.402
    return round(16 + 219 * y), round(128 + 224 * u), round(128 + 224 * v)


@pytest.mark.parametrize("encoding", ["yuv422", "uyvy", "yuv422_yuy2", "yuyv"])
def test_yuv(make: Any, encoding: str):
    colours = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (90, 90, 90), (200, 120, 30), (255, 255, 255))
    first_y = encoding.startswith("yuyv") or encoding.endswith("yuy2")
    pairs = []
    for colour in colours:
        y, u, v = yuv_of(colour)
        pairs.append([y, u, y, v] if first_y else [u, y, v, y])
    pixels = np.array([pairs, pairs], np.uint8).reshape(2, -1, 2)
    rgb = image_to_rgb(pad(array_to_image(pixels, encoding, make.header()), 3))
    assert rgb.shape == (2, 2 * len(colours), 3)
    expected = np.repeat(np.array(colours), 2, axis=0)
    assert np.abs(rgb[1].astype(int) - expected).max() <= 3


def test_yuv_of_odd_width_is_refused(make: Any):
    msg = array_to_image(np.zeros((2, 3, 2), np.uint8), "yuv422", make.header())
    with pytest.raises(InputError, match=r"image\.width is 3.*pairs") as caught:
        image_to_rgb(msg)
    assert caught.value.code == "image_size"


def test_depth_units(make: Any):
    millimetres = np.array([[0, 1, 1500, 65535]], np.uint16)
    metres = depth_to_metres(array_to_image(millimetres, "16UC1", make.header()))
    assert metres.dtype == np.float32
    np.testing.assert_allclose(metres, [[0, 0.001, 1.5, 65.535]], rtol=1e-6)
    floats = np.array([[0.0, np.nan, np.inf, 1.25]], np.float32)
    np.testing.assert_array_equal(
        depth_to_metres(array_to_image(floats, "32FC1", make.header())), floats
    )


def test_mask_is_0_or_255_and_keeps_the_header(make: Any):
    msg = mask_to_image(np.array([[True, False]]), make.header(7.25))
    assert list(msg.data) == [255, 0]
    assert (msg.encoding, msg.step, msg.height, msg.width) == ("mono8", 2, 1, 2)
    assert msg.header == make.header(7.25)


def test_wrong_arrays_are_refused(make: Any):
    for pixels, encoding in (
        (np.zeros((2, 2), np.float64), "32FC1"),
        (np.zeros((2, 2), np.uint8), "rgb8"),
        (np.zeros((2, 2, 4), np.uint8), "rgb8"),
        (np.zeros(4, np.uint8), "mono8"),
        (np.zeros((2, 2), np.uint8), "8UC1"),
    ):
        with pytest.raises(ValueError, match=r"encoding|needs"):
            array_to_image(pixels, encoding, make.header())


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_agrees_with_cv_bridge(make: Any, encoding: str):
    """Only a ROS installation's cv_bridge counts: PyPI's is ROS 1's, and wrong on numpy 2."""
    pytest.importorskip("image_geometry", reason="no ROS installation with vision_opencv")
    bridge = pytest.importorskip("cv_bridge").CvBridge()
    msg = array_to_image(random_pixels(encoding), encoding, make.header())
    theirs = bridge.imgmsg_to_cv2(msg, desired_encoding="passthrough")
    np.testing.assert_array_equal(image_to_array(msg, kind_of(encoding)), theirs)
    if encoding in COLOUR_ENCODINGS:
        np.testing.assert_array_equal(image_to_rgb(msg), bridge.imgmsg_to_cv2(msg, "rgb8"))
    ours = array_to_image(np.asarray(theirs), encoding, make.header())
    assert bridge.cv2_to_imgmsg(theirs, encoding, make.header()).data == ours.data
