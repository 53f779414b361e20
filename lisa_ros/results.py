"""From an Answer to the messages that are published and returned."""

from __future__ import annotations

import math

import numpy as np
from geometry_msgs.msg import PointStamped
from sensor_msgs.msg import PointCloud2, RegionOfInterest

from lisa_model.geometry import NoTarget3D, Target3D
from lisa_model.oriented_box import OrientedBox
from lisa_model.target_shape import SurfaceNormal, TargetShape
from lisa_ros.answer import Answer, Instance
from lisa_ros.cloud import surface_to_cloud
from lisa_ros.conversion import mask_to_image
from lisa_ros.follow_session import FollowReport
from lisa_ros.geometry_messages import NAN3, nan_pose, to_point, to_pose, to_vector
from lisa_ros.log_line import log_line
from lisa_ros.msg import FollowedTarget, FollowState, InstanceMask, InstanceMasks, Targets
from lisa_ros.msg import Target3D as Target3DMsg


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
        header=answer.target_header,
        intent=answer.intent,
        targets=[_to_target(answer, one) for one in answer.targets],
        best=answer.best,
    )


def to_target_point(answer: Answer) -> PointStamped | None:
    """Return the position of the best target, None when none has a position."""
    best = answer.best_target
    if best is None:
        return None
    assert isinstance(best.position, Target3D)
    return PointStamped(header=answer.target_header, point=to_point(best.position.point))


def to_target_cloud(answer: Answer) -> PointCloud2:
    """Return the points of the best target, an empty cloud when none has a position."""
    best = answer.best_target
    surface = best.position.surface if best and isinstance(best.position, Target3D) else None
    return surface_to_cloud(surface, answer.rgb, answer.target_header)


def to_follow_state(report: FollowReport) -> FollowState:
    """Return what follow mode does."""
    return FollowState(
        header=report.header,
        intent=report.intent,
        following=report.following,
        reason=report.reason,
        answer=report.text,
        rate_hz=report.rate_hz,
        targets=[
            FollowedTarget(id=one.id, state=one.state, confidence=one.confidence, score=one.score)
            for one in report.targets
        ],
    )


def describe(answer: Answer, total_s: float) -> str:
    """Return the answer as a line for the log."""
    best = answer.best_target
    found: dict[str, object] = {"instances": len(answer.instances), "targets": len(answer.targets)}
    if best is not None and isinstance(best.position, Target3D):
        x, y, z = best.position.point
        found |= {
            "best": best.id,
            "score": best.score,
            "area_px": best.area_px,
            "point_m": f"({x:.3f}, {y:.3f}, {z:.3f})",
            "frame": answer.target_header.frame_id,
        }
    elif answer.targets and isinstance(answer.targets[0].position, NoTarget3D):
        found |= {"no_3d": answer.targets[0].position.text}
    return log_line("answered", intent=answer.intent, answer=answer.text, **found, total_s=total_s)


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
    centroid_u, centroid_v = _centroid(instance)
    msg = Target3DMsg(
        header=answer.target_header,
        id=instance.id,
        score=instance.score,
        valid_depth_fraction=position.valid_depth_fraction,
        mask_area_px=instance.area_px,
        eroded_area_px=position.eroded_area_px,
        centroid_u=centroid_u,
        centroid_v=centroid_v,
    )
    shape = instance.shape or TargetShape()
    _fill_box(msg, shape.box)
    _fill_normal(msg, shape.normal)
    if isinstance(position, NoTarget3D):
        msg.has_3d = False
        msg.reason = position.reason
        msg.reason_text = position.text
        # NaN and not 0: a consumer that forgets has_3d must not drive to the camera's origin.
        msg.point = to_point(NAN3)
        msg.extent = to_vector(NAN3)
        msg.covariance = np.full(9, math.nan)
        msg.point_sigma_m = math.nan
        return msg
    msg.has_3d = True
    msg.point = to_point(position.point)
    msg.covariance = position.covariance.reshape(9)
    msg.extent = to_vector(position.extent)
    msg.point_sigma_m = position.point_sigma_m
    msg.depth_points = position.depth_points
    return msg


def _fill_box(msg: Target3DMsg, box: OrientedBox | None) -> None:
    msg.has_box = box is not None
    msg.box_pose = to_pose(box) if box else nan_pose()
    msg.box_size = to_vector(box.size if box else NAN3)


def _fill_normal(msg: Target3DMsg, normal: SurfaceNormal | None) -> None:
    msg.has_normal = normal is not None
    msg.normal = to_vector(normal.direction if normal else NAN3)
    msg.normal_anchor = to_point(normal.anchor if normal else NAN3)
    msg.normal_points = normal.points if normal else 0
    msg.normal_radius_m = normal.radius_m if normal else math.nan
    msg.normal_rms_m = normal.rms_m if normal else math.nan


def _centroid(instance: Instance) -> tuple[float, float]:
    """Return the mean column and row of the mask, from what its box holds."""
    left, top, width, height = instance.box_xywh
    window = instance.mask[top : top + height, left : left + width]
    columns, rows = window.sum(axis=0), window.sum(axis=1)
    area = instance.area_px
    return (
        left + float(columns @ np.arange(width)) / area,
        top + float(rows @ np.arange(height)) / area,
    )
