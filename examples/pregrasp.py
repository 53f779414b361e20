"""Whether a target can be gripped, and from where: pure functions of lisa_ros/Target3D."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from geometry_msgs.msg import Point, Pose, PoseStamped, Quaternion
from numpy.typing import NDArray
from std_msgs.msg import Header

from lisa_model.rigid import RigidTransform, matrix_of_quaternion, quaternion_of_matrix
from lisa_ros.msg import Target3D

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class GraspLimits:
    """What a gripper needs; all of it is the robot's to decide.

    Attributes:
        max_age_s: of the image; what moves may be elsewhere by then.
        max_sigma_m: standard error of the position [m].
        max_spread_m: largest standard deviation of the visible surface along any direction [m]:
            of more, the mask covers more than one thing that can be gripped.
        max_unevenness_m: of the surface where the gripper is to touch, root mean square [m].
        max_opening_m: of the gripper [m].
        clearance_m: by which it opens wider than the object [m].
        standoff_m: from the surface to the pre-grasp [m].
    """

    max_age_s: float = 10.0
    max_sigma_m: float = 0.01
    max_spread_m: float = 0.15
    max_unevenness_m: float = 0.005
    max_opening_m: float = 0.08
    clearance_m: float = 0.01
    standoff_m: float = 0.10


@dataclass(frozen=True, kw_only=True, eq=False)
class PreGrasp:
    """Where the gripper is to be before it moves to the surface.

    Attributes:
        header: frame and stamp of the rest.
        position: of the gripper (3,) [m].
        axes: (3, 3), columns x (the fingers close along it), y, z (the gripper moves along it).
        contact: where it touches (3,) [m].
        opening_m: of the gripper.
    """

    header: Header
    position: FloatArray
    axes: FloatArray
    contact: FloatArray
    opening_m: float


class CannotGraspError(Exception):
    """Why a target cannot be gripped, as a sentence."""


def pregrasp_of(target: Target3D, limits: GraspLimits, age_s: float = 0.0) -> PreGrasp:
    """Return a pre-grasp along the normal of the surface.

    Args:
        target: of the topic /targets, or of a result.
        limits: what the gripper needs.
        age_s: time since the target's stamp.

    Raises:
        CannotGraspError: the target has no position, or is outside of a limit.
    """
    if not target.has_3d:
        raise CannotGraspError(target.reason_text)
    if not abs(age_s) <= limits.max_age_s:
        raise CannotGraspError(
            f"its image is {age_s:.1f} s old (negative: do the computers' clocks agree?)"
        )
    if not target.point_sigma_m <= limits.max_sigma_m:
        raise CannotGraspError(f"its position is only known to {target.point_sigma_m:.3f} m")
    spread = float(np.sqrt(np.linalg.eigvalsh(np.reshape(target.covariance, (3, 3))).max()))
    if not spread <= limits.max_spread_m:
        raise CannotGraspError(f"its surface spreads by {spread:.2f} m: is it one thing?")
    if not (target.has_box and target.has_normal):
        raise CannotGraspError("too few depth points for a box or a normal")
    if not target.normal_rms_m <= limits.max_unevenness_m:
        raise CannotGraspError(f"uneven where it is touched: {target.normal_rms_m:.4f} m rms")
    if not target.box_size.y + limits.clearance_m <= limits.max_opening_m:
        raise CannotGraspError(f"{target.box_size.y:.3f} m is too wide for the gripper")
    normal = _xyz(target.normal)
    contact = _xyz(target.normal_anchor)
    return PreGrasp(
        header=target.header,
        position=contact + limits.standoff_m * normal,
        axes=gripper_axes(-normal, _axes(target.box_pose.orientation)[:, 1]),
        contact=contact,
        opening_m=target.box_size.y + limits.clearance_m,
    )


def gripper_axes(approach: FloatArray, closing: FloatArray) -> FloatArray:
    """Return the (3, 3) axes with z along ``approach`` and x as near to ``closing`` as can be.

    Args:
        approach: (3,) of length 1.
        closing: (3,) of length 1; when it is along the approach, any direction is taken.
    """
    across = closing - (closing @ approach) * approach
    if np.linalg.norm(across) < 0.1:
        other = np.eye(3)[int(np.abs(approach).argmin())]
        across = other - (other @ approach) * approach
    x = across / np.linalg.norm(across)
    return np.column_stack((x, np.cross(approach, x), approach))


def moved(grasp: PreGrasp, transform: RigidTransform, frame_id: str) -> PreGrasp:
    """Return a pre-grasp in another frame, into which ``transform`` takes points."""
    return replace(
        grasp,
        header=Header(stamp=grasp.header.stamp, frame_id=frame_id),
        position=transform.points(grasp.position),
        axes=transform.axes(grasp.axes),
        contact=transform.points(grasp.contact),
    )


def to_pose_stamped(grasp: PreGrasp) -> PoseStamped:
    """Return the gripper's pose as a message."""
    x, y, z = (float(one) for one in grasp.position)
    qx, qy, qz, qw = (float(one) for one in quaternion_of_matrix(grasp.axes))
    pose = Pose(position=Point(x=x, y=y, z=z), orientation=Quaternion(x=qx, y=qy, z=qz, w=qw))
    return PoseStamped(header=grasp.header, pose=pose)


def _xyz(value: Any) -> FloatArray:
    return np.array([value.x, value.y, value.z])


def _axes(value: Quaternion) -> FloatArray:
    return matrix_of_quaternion((value.x, value.y, value.z, value.w))
