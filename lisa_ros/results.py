"""From an Answer to the messages that are published and returned."""

from __future__ import annotations

import math

import numpy as np
from geometry_msgs.msg import Point, PointStamped, Vector3
from sensor_msgs.msg import RegionOfInterest

from lisa_model.geometry import NoTarget3D, Target3D
from lisa_ros.conversion import mask_to_image
from lisa_ros.msg import InstanceMask, InstanceMasks, Targets
from lisa_ros.msg import Target3D as Target3DMsg
from lisa_ros.pipeline import Answer, Instance


def to_instance_masks(answer: Answer) -> InstanceMasks:
    """Return the 2D result, with every instance."""
    height, width = answer.rgb.shape[:2]
    return InstanceMasks(
        header=answer.header,
        intent=answer.intent,
        answer=answer.text,
        model=answer.model,
        height=height,
        width=width,
        instances=[_to_instance_mask(answer, one) for one in answer.instances],
    )


def to_targets(answer: Answer) -> Targets:
    """Return the 3D result, with the targets only."""
    return Targets(
        header=answer.header,
        intent=answer.intent,
        targets=[_to_target(answer, one) for one in answer.targets],
        best=answer.best,
    )


def to_target_point(answer: Answer) -> PointStamped | None:
    """Return the position of the best target, None when none has a position."""
    if answer.best < 0:
        return None
    position = answer.targets[answer.best].position
    assert isinstance(position, Target3D)
    return PointStamped(header=answer.header, point=_point(position))


def describe(answer: Answer) -> str:
    """Return the answer as a line for the log."""
    parts = []
    for target in answer.targets:
        position = target.position
        if isinstance(position, Target3D):
            x, y, z = position.point
            where = f"at ({x:.3f}, {y:.3f}, {z:.3f}) m in {answer.header.frame_id}"
        else:
            where = f"without 3D ({position.text if position else ''})"
        parts.append(f"#{target.id} {target.area_px} px, score {target.score:.2f}, {where}")
    below = len(answer.instances) - len(answer.targets)
    if below:
        parts.append(f"{below} instance(s) empty or below the score threshold")
    found = "; ".join(parts) if parts else "no mask"
    return f'"{answer.intent}": "{answer.text}": {found}'


def _to_instance_mask(answer: Answer, instance: Instance) -> InstanceMask:
    left, top, width, height = instance.box_xywh
    return InstanceMask(
        id=instance.id,
        mask=mask_to_image(instance.mask, answer.header),
        box=RegionOfInterest(x_offset=left, y_offset=top, width=width, height=height),
        area_px=instance.area_px,
        score=instance.score,
        is_target=instance.is_target,
    )


def _to_target(answer: Answer, instance: Instance) -> Target3DMsg:
    position = instance.position
    assert position is not None, "every target has a position or the reason why not"
    rows, columns = np.nonzero(instance.mask)
    msg = Target3DMsg(
        header=answer.header,
        id=instance.id,
        score=instance.score,
        valid_depth_fraction=position.valid_depth_fraction,
        mask_area_px=instance.area_px,
        eroded_area_px=position.eroded_area_px,
        centroid_u=float(columns.mean()),
        centroid_v=float(rows.mean()),
    )
    if isinstance(position, NoTarget3D):
        msg.has_3d = False
        msg.reason = position.reason
        msg.reason_text = position.text
        # NaN and not 0: a consumer that forgets has_3d must not drive to the camera's origin.
        msg.point = Point(x=math.nan, y=math.nan, z=math.nan)
        msg.extent = Vector3(x=math.nan, y=math.nan, z=math.nan)
        msg.covariance = np.full(9, math.nan)
        return msg
    msg.has_3d = True
    msg.point = _point(position)
    msg.covariance = position.covariance.reshape(9)
    x, y, z = (float(value) for value in position.extent)
    msg.extent = Vector3(x=x, y=y, z=z)
    msg.depth_points = position.depth_points
    return msg


def _point(position: Target3D) -> Point:
    x, y, z = (float(value) for value in position.point)
    return Point(x=x, y=y, z=z)
