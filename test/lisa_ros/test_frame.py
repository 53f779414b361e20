from __future__ import annotations

import threading
from typing import Any

import cv2
import numpy as np
import pytest

from lisa_ros.camera_view import CameraView, parse_depth_to_colour
from lisa_ros.compressed import rgb_to_compressed
from lisa_ros.compressed_depth import depth_to_compressed
from lisa_ros.conversion import array_to_image, image_to_rgb
from lisa_ros.errors import InputError
from lisa_ros.frame import Frame, Once

BARREL = {"d": [-0.3, 0.1, 0.0, 0.0, 0.0], "distortion_model": "plumb_bob"}


def test_once_is_once_for_all_threads():
    calls = []
    start = threading.Barrier(4)

    def compute() -> int:
        calls.append(1)
        return 7

    once = Once(compute)
    got: list[int] = []

    def ask() -> None:
        start.wait()
        got.append(once.get())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (got, calls) == ([7] * 4, [1])


def test_once_remembers_its_error():
    calls = []

    def compute() -> int:
        calls.append(1)
        raise ValueError("damaged")

    once = Once(compute)
    for _ in range(2):
        with pytest.raises(ValueError, match="damaged"):
            once.get()
    assert calls == [1]


def test_raw_and_compressed_give_the_same(make: Any):
    image, depth, info = make.image(), make.depth(), make.info()
    pixels = image_to_rgb(image)
    millimetres = np.full(make.size, 1500, np.uint16)
    raw = Frame(colour=image, received=0.0, depth=depth, info=info)
    compressed = Frame(
        colour=rgb_to_compressed(pixels, make.header(), codec="png"),
        received=0.0,
        depth=depth_to_compressed(millimetres, make.header(), codec="rvl"),
        info=info,
    )
    for frame in (raw, compressed):
        assert frame.complete
        np.testing.assert_array_equal(frame.rgb(), pixels)
        np.testing.assert_allclose(frame.depth_m(), 1.5)
        assert (frame.intrinsics().fx, frame.intrinsics().cx) == (50.0, 31.5)
        assert frame.rgb() is frame.rgb()


def test_what_is_not_there_cannot_be_asked_for(make: Any):
    frame = Frame(colour=make.image(), received=0.0, missing_text="no depth message has arrived")
    for ask in (frame.depth_m, frame.decode_depth, frame.intrinsics):
        with pytest.raises(ValueError, match="no depth message has arrived"):
            ask()


def distorted_point(u: float, v: float, d: list[float]) -> tuple[float, float]:
    """Return where the lens puts a pixel of the rectified image; formula of plumb_bob."""
    x, y = (u - 31.5) / 50.0, (v - 23.5) / 50.0
    r2 = x * x + y * y
    radial = 1 + d[0] * r2 + d[1] * r2 * r2 + d[4] * r2**3
    return 50.0 * x * radial + 31.5, 50.0 * y * radial + 23.5


def test_rectification_brings_a_point_to_where_the_pinhole_has_it(make: Any):
    u, v = distorted_point(55.0, 40.0, BARREL["d"])
    assert np.hypot(u - 55.0, v - 40.0) > 2, "the lens has to matter"
    pixels = np.zeros((*make.size, 3), np.uint8)
    cv2.circle(pixels, (round(u), round(v)), 2, (255, 255, 255), -1)
    depth = np.full(make.size, 1000, np.uint16)
    cv2.circle(depth, (round(u), round(v)), 2, 700, -1)
    frame = Frame(
        colour=array_to_image(pixels, "rgb8", make.header()),
        received=0.0,
        depth=array_to_image(depth, "16UC1", make.header()),
        info=make.info(**BARREL),
        view=CameraView(rectify=True),
    )
    seen = np.argwhere(frame.rgb()[..., 0] > 128).mean(axis=0)
    np.testing.assert_allclose(seen, (40.0, 55.0), atol=0.8)
    near = np.argwhere(np.isclose(frame.depth_m(), 0.7)).mean(axis=0)
    np.testing.assert_allclose(near, (40.0, 55.0), atol=0.8)
    assert (frame.intrinsics().fx, frame.intrinsics().cx) == (50.0, 31.5)
    assert frame.colour.header == make.header()
    assert frame.decode_colour().max() == 255
    untouched = Frame(colour=frame.colour, received=0.0, info=frame.info)
    np.testing.assert_array_equal(untouched.rgb(), pixels)


def test_an_image_cannot_be_rectified_without_its_camera_info(make: Any):
    frame = Frame(
        colour=make.image(),
        received=0.0,
        missing_text="no camera_info message has arrived",
        view=CameraView(rectify=True),
    )
    with pytest.raises(InputError, match=r"camera_info is missing.*has arrived.*rectify") as caught:
        frame.rgb()
    assert caught.value.code == "no_camera_info"


def test_a_rectified_image_has_the_intrinsics_p(make: Any):
    info = make.info(p=[40.0, 0.0, 30.0, 0.0, 0.0, 41.0, 20.0, 0.0, 0.0, 0.0, 1.0, 0.0], **BARREL)
    frame = Frame(
        colour=make.image(), received=0.0, info=info, view=CameraView(rectified_input=True)
    )
    k = frame.intrinsics()
    assert (k.fx, k.fy, k.cx, k.cy) == (40.0, 41.0, 30.0, 20.0)
    np.testing.assert_array_equal(frame.rgb(), image_to_rgb(make.image()))


def test_unregistered_depth_is_registered(make: Any):
    """A depth camera of half the size, 10 cm to the right of colour and 2 m before a wall."""
    depth_info = make.info(size=(24, 32), k=[25.0, 0, 15.5, 0, 25.0, 11.5, 0, 0, 1])
    depth_info.header.frame_id = "depth"
    wall = np.full((24, 32), 2000, np.uint16)
    wall[8:14, 10:18] = 1000  # a box 1 m away
    frame = Frame(
        colour=make.image(),
        received=0.0,
        depth=array_to_image(wall, "16UC1", depth_info.header),
        info=make.info(),
        depth_info=depth_info,
        view=CameraView(colour_from_depth=parse_depth_to_colour("0.1 0 0 0 0 0 1")),
    )
    depth = frame.depth_m()
    assert depth.shape == make.size
    # The box's first column: x = (9.5 - 15.5) / 25 at 1 m, moved by 0.1, at fx = 50.
    columns = np.flatnonzero(np.isclose(depth[22], 1.0))
    assert columns.min() == pytest.approx((-0.24 + 0.1) * 50 + 31.5, abs=1)
    assert len(columns) == pytest.approx(16, abs=1)
    assert np.isclose(depth[2, 50], 2.0)
    assert (depth[:, :2] == 0).all(), "the depth camera does not see that far to the left"
    assert frame.decode_depth().shape == (24, 32)
