from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lisa_ros.arrival import check_message
from lisa_ros.camera_view import CameraView, parse_depth_to_colour
from lisa_ros.compressed import rgb_to_compressed
from lisa_ros.compressed_depth import depth_to_compressed
from lisa_ros.errors import InputError
from lisa_ros.validation import Extent

PLAIN = CameraView()
RECTIFY = CameraView(rectify=True)
APART = CameraView(colour_from_depth=parse_depth_to_colour("0.1 0 0 0 0 0 1"))


def test_the_size_is_told_of_every_kind(make: Any):
    pixels = np.zeros((*make.size, 3), np.uint8)
    values = np.ones(make.size, np.uint16)
    expected = Extent(64, 48, make.frame_id)
    for stream, msg in (
        ("image", make.image()),
        ("image", rgb_to_compressed(pixels, make.header(), codec="jpeg")),
        ("image", rgb_to_compressed(pixels, make.header(), codec="png")),
        ("depth", make.depth()),
        ("depth", depth_to_compressed(values, make.header(), codec="png")),
        ("depth", depth_to_compressed(values, make.header(), codec="rvl")),
        ("camera_info", make.info()),
        ("depth_camera_info", make.info()),
    ):
        assert check_message(stream, msg, view=PLAIN) == expected  # type: ignore[arg-type]


def refusal(stream: Any, msg: Any, view: CameraView, colour: Extent | None = None) -> str:
    with pytest.raises(InputError) as caught:
        check_message(stream, msg, colour, view=view)
    return caught.value.code


def test_compressed_depth_has_to_fit_the_image(make: Any):
    colour = Extent(64, 48, make.frame_id)
    small = depth_to_compressed(np.ones((24, 32), np.uint16), make.header())
    assert refusal("depth", small, PLAIN, colour) == "depth_size_mismatch"
    elsewhere = depth_to_compressed(np.ones(make.size, np.uint16), make.header(1.0, "elsewhere"))
    assert refusal("depth", elsewhere, PLAIN, colour) == "depth_frame_mismatch"
    for msg in (small, elsewhere):
        check_message("depth", msg, colour, view=APART)


def test_what_rectification_needs_is_checked_then(make: Any):
    fisheye = {"d": [0.1] * 4, "distortion_model": "equidistant"}
    for stream in ("camera_info", "depth_camera_info"):
        check_message(stream, make.info(**fisheye), view=PLAIN)  # type: ignore[arg-type]
        assert refusal(stream, make.info(**fisheye), RECTIFY) == f"{stream}_distortion_model"
    rectified = CameraView(rectified_input=True)
    assert refusal("camera_info", make.info(), rectified) == "camera_info_projection"
    p = [50.0, 0, 31.5, 0, 0, 50.0, 23.5, 0, 0, 0, 1, 0]
    check_message("camera_info", make.info(p=p), view=rectified)


def test_the_depth_cameras_info_is_named(make: Any):
    assert refusal("depth_camera_info", make.info(k=[0.0] * 9), APART) == (
        "depth_camera_info_intrinsics"
    )
    assert refusal("depth_camera_info", make.info(width=0), APART) == "depth_camera_info_size"
    assert refusal("depth_camera_info", make.info(header=make.header(frame_id="")), APART) == (
        "depth_camera_info_frame_id"
    )
    check_message("depth_camera_info", make.info(size=(24, 32)), Extent(64, 48, "x"), view=APART)
