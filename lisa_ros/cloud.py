"""The points of a target as a coloured PointCloud2."""

from __future__ import annotations

import array

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from lisa_model.geometry import Surface

# As PCL's PointXYZRGB: the colour is a float32 whose bytes are those of 0x00RRGGBB.
_POINT = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("rgb", "<u4")])


def surface_to_cloud(
    surface: Surface | None, rgb: NDArray[np.uint8], header: Header
) -> PointCloud2:
    """Return an organised cloud of the surface's rectangle in the image.

    Rows and columns are those of the image within the bounding box of the surface's pixels; what is
    no point of the surface is NaN, so ``is_dense`` is false.  Without a surface the cloud is empty,
    so that no consumer keeps an old one.

    Args:
        surface: in the frame of the header.
        rgb: (H, W, 3) uint8, the image that the surface's pixels are of.
        header: stamp and frame_id (not copied).
    """
    if surface is None or not len(surface.points):
        return _message(np.zeros((0, 0), dtype=_POINT), header)
    top, left = int(surface.rows.min()), int(surface.columns.min())
    rows, columns = surface.rows - top, surface.columns - left
    points = np.empty((int(rows.max()) + 1, int(columns.max()) + 1), dtype=_POINT)
    height, width = points.shape
    window = rgb[top : top + height, left : left + width].astype(np.uint32)
    points["rgb"] = (window[..., 0] << 16) | (window[..., 1] << 8) | window[..., 2]
    places = rows * width + columns
    for number, name in enumerate("xyz"):
        values = np.full(height * width, np.nan, dtype=np.float32)
        values[places] = surface.points[:, number]
        points[name] = values.reshape(height, width)
    return _message(points, header)


def _message(points: NDArray[np.void], header: Header) -> PointCloud2:
    height, width = points.shape
    data = array.array("B")  # any other type is checked element by element
    data.frombytes(points.tobytes())
    return PointCloud2(
        header=header,
        height=height,
        width=width,
        fields=[
            PointField(name=name, offset=4 * number, datatype=PointField.FLOAT32, count=1)
            for number, name in enumerate(("x", "y", "z", "rgb"))
        ],
        is_bigendian=False,
        point_step=_POINT.itemsize,
        row_step=_POINT.itemsize * width,
        data=data,
        is_dense=False,
    )
