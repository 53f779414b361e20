"""The lens model of a CameraInfo, for rectification."""

from __future__ import annotations

import math

from sensor_msgs.msg import CameraInfo

from lisa_model.rectification import COEFFICIENTS, LensModel
from lisa_ros.errors import InputError
from lisa_ros.validation import is_distorted, validate_camera_info


def lens_model(msg: CameraInfo) -> LensModel:
    """Check a CameraInfo and return its lens.

    ``is_distorted`` decides: without distortion the model's name does not matter, as many drivers
    of rectified images leave it empty.

    Raises:
        InputError: as ``validate_camera_info``, or code ``camera_info_distortion_model`` or
            ``camera_info_distortion``.
    """
    intrinsics = validate_camera_info(msg)
    coefficients = tuple(float(value) for value in msg.d)
    if not all(math.isfinite(value) for value in coefficients):
        raise InputError(
            code="camera_info_distortion",
            field="camera_info.d",
            problem="has an entry that is not finite",
            remedy="Calibrate the camera again",
        )
    if not is_distorted(msg):
        return LensModel(intrinsics)
    counts = COEFFICIENTS.get(msg.distortion_model)
    if counts is None:
        raise InputError(
            code="camera_info_distortion_model",
            field="camera_info.distortion_model",
            problem=f"is {msg.distortion_model[:40]!r}",
            remedy=f"Use one of {', '.join(COEFFICIENTS)}, or send a rectified image",
        )
    if len(coefficients) not in counts:
        raise InputError(
            code="camera_info_distortion",
            field="camera_info.d",
            problem=f"has {len(coefficients)} entries",
            remedy=f"Send {' or '.join(map(str, counts))} for {msg.distortion_model}",
        )
    return LensModel(intrinsics, msg.distortion_model, coefficients)
