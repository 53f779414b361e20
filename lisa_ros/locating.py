"""From masks to targets: where each lies by its depth, and that in the frame that is wanted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from std_msgs.msg import Header

from lisa_model.geometry import NoTarget3D, Target3D, estimate_target
from lisa_model.rigid import RigidTransform
from lisa_model.target_shape import describe_shape, move_target
from lisa_ros.answer import Answer, Instance
from lisa_ros.frame import Frame
from lisa_ros.parameters import Settings
from lisa_ros.transforms import (
    REASON_NO_TRANSFORM,
    TRANSFORM_REASONS,
    TransformError,
    TransformLookup,
)


def locate(
    instances: tuple[Instance, ...], frame: Frame, settings: Settings
) -> tuple[Instance, ...]:
    """Fill in the targets' positions and shapes, in the frame of the camera.

    Raises:
        InputError: depth or camera_info is malformed.
    """
    if not any(one.is_target for one in instances):
        return instances
    if not frame.complete:
        nowhere = NoTarget3D(frame.missing, frame.missing_text)
        return tuple(replace(one, position=nowhere) if one.is_target else one for one in instances)
    depth = frame.depth_m()
    intrinsics = frame.intrinsics()

    def located(one: Instance) -> Instance:
        position = estimate_target(one.mask, depth, intrinsics, settings.target)
        if isinstance(position, NoTarget3D):
            return replace(one, position=position)
        return replace(
            one,
            position=position,
            shape=describe_shape(position),
            distance_m=float(np.linalg.norm(position.point)),
        )

    return tuple(located(one) if one.is_target else one for one in instances)


def into_frame(
    instances: tuple[Instance, ...],
    header: Header,
    settings: Settings,
    transforms: TransformLookup | None,
) -> tuple[tuple[Instance, ...], str]:
    """Bring positions and shapes from the camera's frame into the parameter ``target_frame``.

    Without a transform nothing is left in 3D, since a consumer that relies on the frame must not
    get numbers of another; the reason says why.

    Args:
        instances: located in the camera's frame.
        header: of the colour image.
        settings: ``target_frame`` and ``tf_timeout_s``.
        transforms: where the transform comes from.

    Returns:
        The instances, and the frame that they are in now: "" when nothing was brought anywhere.
    """
    frame = settings.target_frame
    if not frame or not any(isinstance(one.position, Target3D) for one in instances):
        return instances, ""
    try:
        if transforms is None:
            raise TransformError(
                code=REASON_NO_TRANSFORM,
                message=f"target_frame is {frame!r}, but nothing looks up transforms here",
            )
        transform = transforms.lookup(frame, header.frame_id, header.stamp, settings.tf_timeout_s)
    except TransformError as error:
        return tuple(_without_3d(one, error) for one in instances), ""
    return tuple(_moved(one, transform) for one in instances), frame


def transform_failure(answer: Answer) -> NoTarget3D | None:
    """Return why an answer's targets could not be brought into ``target_frame``, if that is so."""
    for one in answer.targets:
        position = one.position
        if isinstance(position, NoTarget3D) and position.reason in TRANSFORM_REASONS:
            return position
    return None


def _moved(one: Instance, transform: RigidTransform) -> Instance:
    if not isinstance(one.position, Target3D):
        return one
    shape = one.shape.moved(transform) if one.shape else None
    return replace(one, position=move_target(one.position, transform), shape=shape)


def _without_3d(one: Instance, error: TransformError) -> Instance:
    position = one.position
    if not isinstance(position, Target3D):
        return one
    nowhere = NoTarget3D(
        error.code,
        str(error),
        position.valid_depth_fraction,
        position.mask_area_px,
        position.eroded_area_px,
    )
    return replace(one, position=nowhere, shape=None, distance_m=None)
