"""Markers of targets, and that none stays behind."""

from __future__ import annotations

from typing import Any

import numpy as np
from target_answers import INTENT, answer_of, located, nowhere
from visualization_msgs.msg import Marker

from lisa_model.geometry import Target3D
from lisa_model.rigid import matrix_of_quaternion
from lisa_ros.markers import to_markers

KINDS = {
    "point": Marker.SPHERE,
    "box": Marker.CUBE,
    "normal": Marker.ARROW,
    "label": Marker.TEXT_VIEW_FACING,
}


def xyz(value: Any) -> tuple[float, float, float]:
    return (value.x, value.y, value.z)


def shown(display: dict[tuple[str, int], Any], markers: list[Any]) -> dict[tuple[str, int], Any]:
    """What a viewer shows after these markers, by namespace and id."""
    for marker in markers:
        if marker.action == Marker.DELETEALL:
            display = {}
        else:
            assert marker.action == Marker.ADD
            display = display | {(marker.ns, marker.id): marker}
    return display


def test_a_target_has_box_point_normal_and_label(make: Any):
    target = located(3, (0.05, 0.0, 0.9), score=0.75)
    answer = answer_of(make, target)
    display = shown({}, to_markers(answer).markers)
    assert {key: one.type for key, one in display.items()} == {
        (name, 3): kind for name, kind in KINDS.items()
    }
    assert isinstance(target.position, Target3D)
    assert target.shape is not None
    box, normal = target.shape.box, target.shape.normal
    assert box is not None
    assert normal is not None
    for one in display.values():
        assert one.header == make.header(7.5)
        assert one.lifetime.sec == 60
        assert one.color.a > 0
        assert min(xyz(one.scale)) > 0 or one.ns == "label"
    np.testing.assert_allclose(xyz(display["point", 3].pose.position), target.position.point)
    cube = display["box", 3]
    np.testing.assert_allclose(xyz(cube.pose.position), box.centre)
    np.testing.assert_allclose(xyz(cube.scale), box.size)
    turned = cube.pose.orientation
    np.testing.assert_allclose(
        matrix_of_quaternion((turned.x, turned.y, turned.z, turned.w)), box.axes, atol=1e-9
    )
    arrow = display["normal", 3]
    np.testing.assert_allclose(xyz(arrow.pose.position), normal.anchor)
    turned = arrow.pose.orientation
    along = matrix_of_quaternion((turned.x, turned.y, turned.z, turned.w))[:, 0]
    np.testing.assert_allclose(along, normal.direction, atol=1e-9)
    assert display["label", 3].text == f"{INTENT}\n#3 0.75 {target.distance_m:.2f} m"
    assert display["label", 3].scale.z > 0


def test_nothing_of_an_earlier_answer_stays(make: Any):
    two = answer_of(make, located(1, (0.1, 0.0, 0.9)), located(2, (-0.1, 0.0, 1.0)))
    display = shown({}, to_markers(two).markers)
    assert len(display) == 8
    one = shown(display, to_markers(answer_of(make, located(2, (0.0, 0.0, 0.9)))).markers)
    assert {number for _, number in one} == {2}
    for empty in (answer_of(make), answer_of(make, nowhere(1))):
        assert shown(display, to_markers(empty).markers) == {}


def test_ids_and_namespaces_are_unique_and_in_the_targets_frame(make: Any):
    answer = answer_of(
        make, located(1, (0.1, 0.0, 0.9)), located(2, (0, 0, 1.0)), target_frame="base_link"
    )
    markers = to_markers(answer).markers
    keys = [(one.ns, one.id) for one in markers[1:]]
    assert len(set(keys)) == len(keys) == 8
    assert {one.header.frame_id for one in markers} == {"base_link"}
    assert {one.header.stamp.sec for one in markers} == {7}
