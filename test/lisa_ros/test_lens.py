from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from lisa_ros.errors import InputError
from lisa_ros.lens import lens_model
from lisa_ros.validation import is_distorted


def test_models_of_camera_info(make: Any):
    plumb = lens_model(make.info(d=[0.1, 0.2, 0.0, 0.0, 0.3], distortion_model="plumb_bob"))
    assert plumb.distorted
    assert plumb.coefficients == (0.1, 0.2, 0.0, 0.0, 0.3)
    assert (plumb.intrinsics.fx, plumb.intrinsics.width) == (50.0, 64)
    rational = lens_model(make.info(d=[0.1] * 8, distortion_model="rational_polynomial"))
    assert (rational.distortion_model, len(rational.coefficients)) == ("rational_polynomial", 8)


@pytest.mark.parametrize(
    ("d", "model"), [([], ""), ([0.0] * 5, "plumb_bob"), ([0.0] * 4, "equidistant"), ([1e-9], "")]
)
def test_without_distortion_the_name_does_not_matter(make: Any, d: list[float], model: str):
    info = make.info(d=d, distortion_model=model)
    assert not is_distorted(info)
    assert not lens_model(info).distorted


@pytest.mark.parametrize(
    ("d", "model", "code"),
    [
        ([0.1] * 4, "equidistant", "camera_info_distortion_model"),
        ([0.1] * 5, "", "camera_info_distortion_model"),
        ([0.1] * 3, "plumb_bob", "camera_info_distortion"),
        ([0.1] * 5, "rational_polynomial", "camera_info_distortion"),
        ([math.nan] * 5, "plumb_bob", "camera_info_distortion"),
        ([math.inf], "", "camera_info_distortion"),
    ],
)
def test_unusable_models_are_named(make: Any, d: list[float], model: str, code: str):
    with pytest.raises(InputError) as caught:
        lens_model(make.info(d=d, distortion_model=model))
    assert caught.value.code == code
    assert caught.value.field.startswith("camera_info.d")


@settings(max_examples=300, deadline=None)
@given(
    d=st.lists(st.floats(), max_size=15),
    model=st.one_of(
        st.sampled_from(["plumb_bob", "rational_polynomial", "equidistant", ""]),
        st.text(max_size=9),
    ),
    fx=st.floats(),
    width=st.integers(0, 2**32 - 1),
)
def test_any_camera_info_gives_a_lens_or_is_refused(
    d: list[float], model: str, fx: float, width: int
):
    info = CameraInfo(header=Header(frame_id="camera"), width=width, height=9, d=d)
    info.distortion_model = model
    info.k = [fx, 0.0, 1.0, 0.0, 5.0, 1.0, 0.0, 0.0, 1.0]
    try:
        lens = lens_model(info)
    except InputError:
        return
    assert lens.distorted == is_distorted(info)
