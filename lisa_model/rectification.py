"""Lens distortion taken out of images, as image_proc's rectify does.

The rectified image has the camera's own intrinsics K and stays in its optical frame: neither the
rotation R of a stereo pair nor a zoom is applied, so whatever reads K and frame_id stays right.
Models are those of sensor_msgs/CameraInfo: ``plumb_bob`` (k1, k2, p1, p2, k3) and
``rational_polynomial`` (and k4, k5, k6), which OpenCV computes alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lisa_model.geometry import Intrinsics

# Number of coefficients by distortion_model. A plumb_bob without k3 is common.
COEFFICIENTS = {"plumb_bob": (4, 5), "rational_polynomial": (8,)}
NEGLIGIBLE = 1e-6
# cv2.remap reads sizes as 16-bit integers.
MAX_SIDE_PX = 32766
_OUTSIDE = -10.0  # a place that is certainly not in the image


@dataclass(frozen=True)
class LensModel:
    """A camera with lens distortion.

    Attributes:
        intrinsics: pinhole part, of the raw and of the rectified image alike.
        distortion_model: a key of COEFFICIENTS.
        coefficients: as CameraInfo.d has them.

    Raises:
        ValueError: naming the field, for an unknown model, a wrong number of coefficients, one that
            is not finite, or an image too large.
    """

    intrinsics: Intrinsics
    distortion_model: str = "plumb_bob"
    coefficients: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        if self.distortion_model not in COEFFICIENTS:
            raise ValueError(
                f"distortion_model is {self.distortion_model[:40]!r}; "
                f"use one of {', '.join(COEFFICIENTS)}"
            )
        counts = COEFFICIENTS[self.distortion_model]
        if len(self.coefficients) not in counts:
            raise ValueError(
                f"coefficients: {self.distortion_model} has {' or '.join(map(str, counts))}, "
                f"not {len(self.coefficients)}"
            )
        if not all(math.isfinite(value) for value in self.coefficients):
            raise ValueError("coefficients: must be finite")
        if max(self.intrinsics.width, self.intrinsics.height) > MAX_SIDE_PX:
            raise ValueError(f"intrinsics: a side is longer than {MAX_SIDE_PX} pixels")

    @property
    def distorted(self) -> bool:
        """Whether the distortion is not zero."""
        return any(abs(value) > NEGLIGIBLE for value in self.coefficients)


def rectify_color(image: NDArray[np.uint8], lens: LensModel) -> NDArray[np.uint8]:
    """Return a (H, W) or (H, W, channels) image without distortion, interpolated bilinearly.

    Pixels that the camera did not see are 0.  An image without distortion is returned as it is.

    Raises:
        ValueError: the image's size is not that of the intrinsics.
    """
    return _rectify(image, lens, cv2.INTER_LINEAR)


def rectify_depth(depth: NDArray[Any], lens: LensModel) -> NDArray[Any]:
    """Return a (H, W) depth image without distortion; each pixel is one of the measured ones.

    Depths are not interpolated: between an object and its background there is nothing.  Pixels that
    the camera did not see are 0 (invalid).

    Args:
        depth: uint16 or float32, in any unit; NaN and inf are carried along.

    Raises:
        ValueError: the image's size is not that of the intrinsics.
    """
    return _rectify(depth, lens, cv2.INTER_NEAREST)


def _rectify(image: NDArray[Any], lens: LensModel, interpolation: int) -> NDArray[Any]:
    expected = (lens.intrinsics.height, lens.intrinsics.width)
    if image.shape[:2] != expected:
        raise ValueError(f"image: shape is {image.shape}; the intrinsics are of {expected}")
    if not lens.distorted:
        return image
    map_u, map_v = _maps(lens)
    return cv2.remap(
        image, map_u, map_v, interpolation, borderMode=cv2.BORDER_CONSTANT, borderValue=0
    )


# A robot has a few cameras, each with one calibration; 4 maps of 640 x 480 are 10 MB.
@lru_cache(maxsize=4)
def _maps(lens: LensModel) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return for each rectified pixel the column and the row of the raw image, (H, W) float32."""
    k = lens.intrinsics
    matrix = np.array([[k.fx, 0.0, k.cx], [0.0, k.fy, k.cy], [0.0, 0.0, 1.0]])
    coefficients = np.array(lens.coefficients)
    map_u, map_v = cv2.initUndistortRectifyMap(
        matrix, coefficients, None, matrix, (k.width, k.height), cv2.CV_32FC1
    )
    # Coefficients that fit no lens send pixels to infinity.
    lost = ~((np.abs(map_u) < 2 * MAX_SIDE_PX) & (np.abs(map_v) < 2 * MAX_SIDE_PX))
    map_u[lost] = map_v[lost] = _OUTSIDE
    return map_u, map_v
