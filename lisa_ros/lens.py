"""The lens model of a CameraInfo, for rectification."""

from __future__ import annotations

import math

from sensor_msgs.msg import CameraInfo

from lisa_model.rectification import COEFFICIENTS, LensModel
from lisa_ros.errors import InputError
from lisa_ros.validation import InfoKind, is_distorted, validate_camera_info


def lens_model(msg: CameraInfo, kind: InfoKind = "camera_info") -> LensModel:
    """Check a CameraInfo and return its lens.

    ``is_distorted`` decides: without distortion the model's name does not matter, as many drivers
    of rectified images leave it empty.

    Raises:
        InputError: as ``validate_camera_info``, or code ``<kind>_distortion_model`` or
            ``<kind>_distortion``.
    """
    intrinsics = validate_camera_info(msg, kind)
    coefficients = tuple(float(value) for value in msg.d)
    if not all(math.isfinite(value) for value in coefficients):
        raise InputError(
            code=f"{kind}_distortion",
            field=f"{kind}.d",
            problem="has an entry that is not finite",
            remedy="Calibrate the camera again",
        )
    if not is_distorted(msg):
        return LensModel(intrinsics)
    counts = COEFFICIENTS.get(msg.distortion_model)
    if counts is None:
        raise InputError(
            code=f"{kind}_distortion_model",
            field=f"{kind}.distortion_model",
            problem=f"is {msg.distortion_model[:40]!r}",
            remedy=f"Use one of {', '.join(COEFFICIENTS)}, or send a rectified image",
        )
    if len(coefficients) not in counts:
        raise InputError(
            code=f"{kind}_distortion",
            field=f"{kind}.d",
            problem=f"has {len(coefficients)} entries",
            remedy=f"Send {' or '.join(map(str, counts))} for {msg.distortion_model}",
        )
    return LensModel(intrinsics, msg.distortion_model, coefficients)
