from __future__ import annotations

import math
from typing import Any

import pytest
from builtin_interfaces.msg import Time
from hypothesis import given, settings
from hypothesis import strategies as st
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from lisa_ros.conversion import depth_to_metres, image_to_rgb
from lisa_ros.errors import InputError
from lisa_ros.validation import (
    COLOUR_ENCODINGS,
    DEPTH_ENCODINGS,
    ENCODINGS,
    check_camera_info_fits,
    check_depth_fits,
    is_distorted,
    validate_camera_info,
    validate_image,
)


def test_good_messages_pass(make: Any):
    assert validate_image(make.image(), "image").channels == 3
    assert validate_image(make.depth(), "depth").pixel_bytes == 2
    k = validate_camera_info(make.info())
    assert (k.fx, k.fy, k.cx, k.cy, k.width, k.height) == (50.0, 50.0, 31.5, 23.5, 64, 48)


@pytest.mark.parametrize("kind", ["image", "depth"])
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"encoding": "yuv444"}, "encoding"),
        ({"encoding": ""}, "encoding"),
        ({"width": 0}, "size"),
        ({"height": 0}, "size"),
        ({"width": 2**32 - 1, "height": 2**32 - 1}, "size"),
        ({"width": 16384, "height": 16384}, "size"),
        ({"is_bigendian": 2}, "endianness"),
        ({"step": 0}, "step"),
        ({"step": 2**32 - 1}, "data_length"),
        ({"step": 10}, "step"),
        ({"height": 47}, "data_length"),
        ({"data": b""}, "data_length"),
        ({"header": Header(frame_id="")}, "frame_id"),
        ({"header": Header(frame_id="  ")}, "frame_id"),
        ({"header": Header(frame_id="x" * 256)}, "frame_id"),
        ({"header": Header(frame_id="c", stamp=Time(nanosec=10**9))}, "stamp"),
        ({"header": Header(frame_id="c", stamp=Time(sec=-1))}, "stamp"),
    ],
)
def test_each_wrong_field_is_named(make: Any, kind: Any, changes: dict[str, Any], code: str):
    msg = make.image(**changes) if kind == "image" else make.depth(**changes)
    with pytest.raises(InputError) as caught:
        validate_image(msg, kind)
    assert caught.value.code == f"{kind}_{code}"
    assert caught.value.field.startswith(f"{kind}.")
    assert caught.value.remedy


@pytest.mark.parametrize("extra", [-1, 1])
def test_data_has_to_have_exactly_the_length(make: Any, extra: int):
    msg = make.image()
    msg.data = make.bytes(len(msg.data) + extra)
    with pytest.raises(InputError, match=r"image\.data has"):
        validate_image(msg, "image")


def test_colour_is_no_depth_and_depth_no_colour(make: Any):
    with pytest.raises(InputError, match="16UC1, 32FC1"):
        validate_image(make.image(), "depth")
    with pytest.raises(InputError, match="rgb8"):
        validate_image(make.depth(), "image")


@pytest.mark.parametrize(
    ("index", "value"),
    [
        *[(0, 0.0), (0, -5.0), (4, 0.0), (0, math.nan), (2, math.inf), (5, math.nan)],
        *[(8, math.nan), (0, 1e-3), (4, 1e300), (2, -1e7)],
    ],
)
def test_intrinsics_have_to_be_usable(make: Any, index: int, value: float):
    info = make.info()
    info.k[index] = value
    with pytest.raises(InputError) as caught:
        validate_camera_info(info)
    assert caught.value.code == "camera_info_intrinsics"


def test_an_uncalibrated_camera_is_called_so(make: Any):
    with pytest.raises(InputError, match="not calibrated"):
        validate_camera_info(make.info(k=[0.0] * 9))
    with pytest.raises(InputError, match=r"camera_info\.width"):
        validate_camera_info(make.info(size=(0, 64)))


def test_depth_and_camera_info_have_to_fit_the_colour_image(make: Any):
    colour = make.image()
    check_depth_fits(make.depth(), colour)
    check_camera_info_fits(make.info(), colour)
    other = Header(frame_id="other")
    for check, msg, code in (
        (check_depth_fits, make.depth(size=(24, 32)), "depth_size_mismatch"),
        (check_depth_fits, make.depth(header=other), "depth_frame_mismatch"),
        (check_camera_info_fits, make.info(size=(24, 32)), "camera_info_size_mismatch"),
        (check_camera_info_fits, make.info(header=other), "camera_info_frame_mismatch"),
    ):
        with pytest.raises(InputError) as caught:
            check(msg, colour)
        assert caught.value.code == code


def test_distortion_is_noticed(make: Any):
    assert not is_distorted(make.info())
    assert not is_distorted(make.info(d=[0.0] * 5))
    assert is_distorted(make.info(d=[0.1, 0.0, 0.0, 0.0, 0.0]))


images = st.builds(
    Image,
    header=st.builds(
        Header,
        stamp=st.builds(
            Time, sec=st.integers(-(2**31), 2**31 - 1), nanosec=st.integers(0, 2**32 - 1)
        ),
        frame_id=st.sampled_from(["", "camera", " "]),
    ),
    width=st.one_of(st.integers(0, 9), st.integers(0, 2**32 - 1)),
    height=st.one_of(st.integers(0, 9), st.integers(0, 2**32 - 1)),
    step=st.one_of(st.integers(0, 40), st.integers(0, 2**32 - 1)),
    is_bigendian=st.integers(0, 255),
    encoding=st.one_of(st.sampled_from(list(ENCODINGS)), st.text(max_size=8)),
    data=st.binary(max_size=400),
)


@settings(max_examples=300, deadline=None)
@given(images)
def test_any_image_is_converted_whole_or_refused(msg: Image):
    for allowed, convert in ((COLOUR_ENCODINGS, image_to_rgb), (DEPTH_ENCODINGS, depth_to_metres)):
        try:
            pixels = convert(msg)
        except InputError:
            continue
        assert msg.encoding in allowed
        assert pixels.shape[:2] == (msg.height, msg.width)


@settings(max_examples=200, deadline=None)
@given(
    width=st.integers(1, 9),
    height=st.integers(1, 9),
    padding=st.integers(0, 5),
    encoding=st.sampled_from(list(ENCODINGS)),
    change=st.sampled_from(["none", "cut", "extend", "step"]),
)
def test_nearly_good_images(width: int, height: int, padding: int, encoding: str, change: str):
    width += width % 2 if ENCODINGS[encoding].channels == 2 else 0  # YUV comes in pairs
    row = width * ENCODINGS[encoding].pixel_bytes
    msg = Image(
        header=Header(frame_id="camera"),
        width=width,
        height=height,
        step=row + padding,
        encoding=encoding,
        data=bytes((row + padding) * height),
    )
    kind: Any = "image" if encoding in COLOUR_ENCODINGS else "depth"
    if change == "none":
        validate_image(msg, kind)
        return
    if change == "step":
        msg.step = row - 1
    else:
        msg.data = bytes(len(msg.data) + (1 if change == "extend" else -1))
    with pytest.raises(InputError):
        validate_image(msg, kind)


@settings(max_examples=200, deadline=None)
@given(
    k=st.lists(st.floats(width=64), min_size=9, max_size=9),
    width=st.integers(0, 2**32 - 1),
    height=st.integers(0, 2**32 - 1),
)
def test_any_camera_info_gives_finite_intrinsics_or_is_refused(
    k: list[float], width: int, height: int
):
    info = CameraInfo(header=Header(frame_id="camera"), width=width, height=height, k=k)
    try:
        intrinsics = validate_camera_info(info)
    except InputError:
        return
    assert intrinsics.fx > 0
    assert math.isfinite(intrinsics.cx)
