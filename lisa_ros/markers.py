"""Targets as markers, for RViz and Foxglove."""

from __future__ import annotations

from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Pose, Vector3
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from lisa_model.geometry import Target3D
from lisa_model.overlay import PALETTE
from lisa_model.rigid import quaternion_of_arrow
from lisa_ros.answer import Answer, Instance
from lisa_ros.geometry_messages import to_point, to_pose, to_quaternion, to_vector

# Markers of a node that has ended vanish after this long.
LIFETIME_S = 60
POINT_DIAMETER_M = 0.02
ARROW_M = (0.10, 0.01, 0.015)  # length, width, height
LABEL_HEIGHT_M = 0.03
# A side of a flat box is drawn at least this thick.
MIN_SIDE_M = 0.002


def to_markers(answer: Answer) -> MarkerArray:
    """Return the markers of all targets with a 3D position, after one that clears the old ones.

    Namespaces ``box``, ``point``, ``normal`` and ``label``; ids are those of the instances.
    """
    markers = [Marker(header=answer.target_header, action=Marker.DELETEALL)]
    for target in answer.targets:
        if isinstance(target.position, Target3D):
            markers += _of_target(answer, target, target.position)
    return MarkerArray(markers=markers)


def label(answer: Answer, target: Instance) -> str:
    """Return what is written at a target: intent, score, distance from the camera."""
    distance = "" if target.distance_m is None else f" {target.distance_m:.2f} m"
    return f"{answer.intent}\n#{target.id} {target.score:.2f}{distance}"


def _of_target(answer: Answer, target: Instance, position: Target3D) -> list[Marker]:
    red, green, blue = (value / 255.0 for value in PALETTE[(target.id - 1) % len(PALETTE)])

    def marker(namespace: str, kind: int, size: Vector3, opacity: float, pose: Pose) -> Marker:
        return Marker(
            header=answer.target_header,
            ns=namespace,
            id=target.id,
            type=kind,
            action=Marker.ADD,
            pose=pose,
            scale=size,
            color=ColorRGBA(r=red, g=green, b=blue, a=opacity),
            lifetime=Duration(sec=LIFETIME_S),
        )

    at_point = Pose(position=to_point(position.point))
    diameter = Vector3(x=POINT_DIAMETER_M, y=POINT_DIAMETER_M, z=POINT_DIAMETER_M)
    markers = [marker("point", Marker.SPHERE, diameter, 1.0, at_point)]
    shape = target.shape
    box = shape.box if shape else None
    normal = shape.normal if shape else None
    if box is not None:
        size = to_vector(box.size.clip(min=MIN_SIDE_M))
        markers.append(marker("box", Marker.CUBE, size, 0.35, to_pose(box)))
    if normal is not None:
        turned = to_quaternion(quaternion_of_arrow(normal.direction))
        pose = Pose(position=to_point(normal.anchor), orientation=turned)
        length, width, height = ARROW_M
        markers.append(
            marker("normal", Marker.ARROW, Vector3(x=length, y=width, z=height), 1.0, pose)
        )
    text = marker("label", Marker.TEXT_VIEW_FACING, Vector3(z=LABEL_HEIGHT_M), 1.0, at_point)
    text.text = label(answer, target)
    text.color = ColorRGBA(r=1.0, g=1.0, b=1.0, a=1.0)
    markers.append(text)
    return markers
