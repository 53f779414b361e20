"""The work of the ROS side, done by well-known libraries instead: rosbags-image and open3d.

Both are optional (the extra ``bench-ros``).  open3d also needs the system's libusb-1.0.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lisa_model.geometry import Intrinsics


class RosbagsImage:
    """Image messages to arrays with rosbags-image."""

    def __init__(self) -> None:
        self._convert = importlib.import_module("rosbags.image").message_to_cvimage

    def colour(self, msg: Any) -> NDArray[np.uint8]:
        """Return (H, W, 3) uint8 RGB; rosbags-image may hand out the message's own memory."""
        return np.array(self._convert(msg, "rgb8"))

    def depth(self, msg: Any) -> NDArray[np.float32]:
        """Return (H, W) float32 metres."""
        pixels = self._convert(msg)
        if msg.encoding == "16UC1":
            return np.asarray(pixels * np.float32(0.001), dtype=np.float32)
        return np.array(pixels)


class Open3d:
    """From a mask and a depth image to a position, an oriented box and a normal with open3d."""

    # What its documentation shows.
    NEIGHBOURS = 20
    DEVIATIONS = 2.0

    def __init__(self) -> None:
        self._o3d: Any = importlib.import_module("open3d")

    def cloud(
        self,
        rgb: NDArray[np.uint8],
        depth_m: NDArray[np.float32],
        mask: NDArray[np.bool_],
        intrinsics: Intrinsics,
    ) -> Any:
        """Return the coloured points under the mask."""
        o3d, k = self._o3d, intrinsics
        masked = np.ascontiguousarray(np.where(mask, depth_m, np.float32(0)))
        both = o3d.geometry.RGBDImage.create_from_color_and_depth(
            o3d.geometry.Image(rgb),
            o3d.geometry.Image(masked),
            depth_scale=1.0,
            depth_trunc=10.0,
            convert_rgb_to_intensity=False,
        )
        camera = o3d.camera.PinholeCameraIntrinsic(k.width, k.height, k.fx, k.fy, k.cx, k.cy)
        return o3d.geometry.PointCloud.create_from_rgbd_image(both, camera)

    def shape(self, cloud: Any) -> tuple[NDArray[np.float64], Any, NDArray[np.float64]]:
        """Return position, oriented box and normal after statistical removal of outliers."""
        o3d = self._o3d
        clean, _ = cloud.remove_statistical_outlier(self.NEIGHBOURS, self.DEVIATIONS)
        points = np.asarray(clean.points)
        place = np.median(points, axis=0)
        box = o3d.geometry.OrientedBoundingBox.create_from_points_minimal(clean.points)
        tree = o3d.geometry.KDTreeFlann(clean)
        _, nearest, _ = tree.search_knn_vector_3d(place, 200)
        patch = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points[np.asarray(nearest)]))
        plane, _ = patch.segment_plane(0.003, 3, 60)
        return place, box, np.asarray(plane[:3])


def load(kind: type[Any]) -> tuple[Any, str]:
    """Return a reference, or None and why it cannot be had."""
    try:
        return kind(), ""
    except ImportError as error:
        return None, f"{error} (pip install '.[bench-ros]')"
