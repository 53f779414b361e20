"""The cloud of a target, byte by byte."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
import pytest

from lisa_model.geometry import Surface, Target3D
from lisa_ros.cloud import surface_to_cloud
from lisa_ros.results import to_target_cloud


def surface(points: list[tuple[float, ...]], pixels: list[tuple[int, int]]) -> Surface:
    rows, columns = zip(*pixels, strict=True)
    return Surface(
        points=np.array(points),
        rows=np.array(rows, np.int64),
        columns=np.array(columns, np.int64),
        pixel_m=0.001,
    )


def test_the_layout_byte_by_byte(make: Any):
    rgb = np.zeros((6, 8, 3), np.uint8)
    rgb[2, 3], rgb[2, 4], rgb[3, 3], rgb[3, 4] = (1, 2, 3), (4, 5, 6), (255, 128, 0), (7, 8, 9)
    msg = surface_to_cloud(
        surface([(0.5, -0.25, 1.0), (0.125, 2.0, 4.0)], [(2, 4), (3, 3)]), rgb, make.header(7.5)
    )
    nan = math.nan
    expected = b"".join(
        struct.pack("<fffBBBB", x, y, z, blue, green, red, 0)
        for x, y, z, red, green, blue in (
            (nan, nan, nan, 1, 2, 3),
            (0.5, -0.25, 1.0, 4, 5, 6),
            (0.125, 2.0, 4.0, 255, 128, 0),
            (nan, nan, nan, 7, 8, 9),
        )
    )
    assert bytes(msg.data) == expected
    assert (msg.height, msg.width, msg.point_step, msg.row_step) == (2, 2, 16, 32)
    assert [(f.name, f.offset, f.datatype, f.count) for f in msg.fields] == [
        ("x", 0, 7, 1),
        ("y", 4, 7, 1),
        ("z", 8, 7, 1),
        ("rgb", 12, 7, 1),
    ]
    assert not msg.is_bigendian
    assert not msg.is_dense
    assert msg.header == make.header(7.5)


def test_the_cloud_is_the_surface_of_the_best_target(make: Any):
    from target_answers import answer_of, located, nowhere

    best = located(2, (0.0, 0.0, 0.9))
    answer = answer_of(make, nowhere(1), best, located(3, (0.1, 0.0, 1.2), score=0.4))
    msg = to_target_cloud(answer)
    assert isinstance(best.position, Target3D)
    assert best.position.surface is not None
    left, top, width, height = best.box_xywh
    assert (msg.width, msg.height) == (width, height)
    values = np.frombuffer(bytes(msg.data), "<f4").reshape(height, width, 4)
    finite = np.isfinite(values[..., 0])
    np.testing.assert_array_equal(finite, best.mask[top : top + height, left : left + width])
    np.testing.assert_allclose(values[finite][:, :3], best.position.surface.points, rtol=1e-6)
    colours = np.frombuffer(bytes(msg.data), np.uint8).reshape(height, width, 16)[..., 14:11:-1]
    np.testing.assert_array_equal(colours, answer.rgb[top : top + height, left : left + width])


def test_without_a_position_the_cloud_is_empty(make: Any):
    from target_answers import answer_of, nowhere

    for answer in (answer_of(make), answer_of(make, nowhere(1))):
        msg = to_target_cloud(answer)
        assert (msg.height, msg.width, msg.row_step, len(msg.data)) == (0, 0, 0, 0)
        assert msg.header == make.header(7.5)
        assert len(msg.fields) == 4


def test_readers_of_others_read_it(make: Any):
    point_cloud2 = pytest.importorskip("sensor_msgs_py.point_cloud2", reason="needs a ROS desktop")
    rgb = np.full((4, 4, 3), 9, np.uint8)
    msg = surface_to_cloud(surface([(1.0, 2.0, 3.0)], [(1, 1)]), rgb, make.header(1.0))
    points = point_cloud2.read_points(msg, field_names=("x", "y", "z"), skip_nans=True)
    assert [tuple(point) for point in points] == [(1.0, 2.0, 3.0)]
