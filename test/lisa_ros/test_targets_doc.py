"""The consumer in docs/targets.md runs against the messages that the node sends."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from target_answers import answer_of, located, nowhere

from lisa_model.geometry import Target3D
from lisa_ros.results import to_target_cloud, to_targets

PAGE = Path(__file__).parents[2] / "docs" / "targets.md"


@pytest.fixture(scope="module")
def consumer() -> dict[str, Any]:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, str(PAGE), "exec"), names)
    return names


def test_a_grasp_comes_from_the_side_that_is_seen(make: Any, consumer: dict[str, Any]):
    box = located(1, (0.05, 0.0, 0.9))
    targets = to_targets(answer_of(make, nowhere(2), box))
    grasp = consumer["grasp_of"](targets, max_opening_m=0.2)
    assert grasp["frame_id"] == make.frame_id
    assert grasp["approach"] @ grasp["contact"] > 0, "away from the camera"
    assert np.linalg.norm(grasp["approach"]) == pytest.approx(1)
    assert np.linalg.norm(grasp["pregrasp"]) < np.linalg.norm(grasp["contact"])
    assert 0.16 < grasp["opening"] < 0.2
    with pytest.raises(ValueError, match="wider than the gripper"):
        consumer["grasp_of"](targets)
    with pytest.raises(ValueError, match="only known to"):
        consumer["grasp_of"](targets, max_sigma_m=1e-6)
    pose, dimensions = consumer["collision_box_of"](targets)
    assert pose == targets.targets[targets.best].box_pose
    assert dimensions[0] == pytest.approx(0.28, abs=0.02)


def test_no_target_is_no_grasp(make: Any, consumer: dict[str, Any]):
    assert consumer["grasp_of"](to_targets(answer_of(make))) is None
    assert consumer["grasp_of"](to_targets(answer_of(make, nowhere(1)))) is None
    bare = replace(located(1, (0.0, 0.0, 0.9)), shape=None)
    with pytest.raises(ValueError, match="too few"):
        consumer["grasp_of"](to_targets(answer_of(make, bare)))


def test_the_points_of_the_cloud(make: Any, consumer: dict[str, Any]):
    box = located(1, (0.05, 0.0, 0.9))
    answer = answer_of(make, box)
    points, colours = consumer["points_of"](to_target_cloud(answer))
    assert isinstance(box.position, Target3D)
    assert box.position.surface is not None
    np.testing.assert_allclose(points, box.position.surface.points, rtol=1e-6)
    surface = box.position.surface
    np.testing.assert_array_equal(colours, answer.rgb[surface.rows, surface.columns])


def test_every_field_that_the_page_names_is_in_the_message(make: Any):
    (target,) = to_targets(answer_of(make, located(1, (0.0, 0.0, 0.9)))).targets
    table = (
        PAGE.read_text(encoding="utf-8").split("## What the numbers mean")[1].split("How the")[0]
    )
    fields = {
        name
        for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }
    assert len(fields) >= 10
    for name in fields:
        assert hasattr(target, name), name
