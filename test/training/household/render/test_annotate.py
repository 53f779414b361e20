"""Ids, depth, boxes, points and polygons of a small made-up frame."""

from __future__ import annotations

import numpy as np
import pytest

from training.household.render.annotate import (
    depth_to_millimetres,
    describe_instances,
    drop_small,
)
from training.household.render.cameras import pinhole

CAMERA = pinhole(64, 48, 60)
FACTS = {1: {"category": "mug", "model": "SC1"}, 2: {"category": "book", "model": "BY2"}}


def frame() -> tuple[np.ndarray, np.ndarray]:
    ids = np.zeros((48, 64), dtype=np.uint8)
    ids[10:20, 30:40] = 1
    ids[30:35, 5:12] = 2  # 35 pixels
    return ids, np.full((48, 64), 800, dtype=np.uint16)


def test_depth_rounds_to_millimetres_and_nothing_hit_is_zero() -> None:
    depth = np.array([[1.0004, 1e10, np.nan, 0.7996, -1.0]], dtype=np.float32)
    assert depth_to_millimetres(depth).tolist() == [[1000, 0, 0, 800, 0]]


def test_small_instances_become_background() -> None:
    ids, _ = frame()
    kept = drop_small(ids)
    assert set(np.unique(kept)) == {0, 1}
    assert (ids == 2).any(), "the input is not changed"


def test_instance_record() -> None:
    ids, depth = frame()
    instances, shapes = describe_instances(ids, depth, CAMERA, FACTS)
    assert [i["id"] for i in instances] == [1, 2]
    mug = instances[0]
    assert mug["box_xyxy"] == [30, 10, 40, 20]
    assert mug["area"] == 100
    x = (34.5 - CAMERA.cx) / CAMERA.fx * 0.8
    y = (14.5 - CAMERA.cy) / CAMERA.fy * 0.8
    assert mug["point_m"] == pytest.approx([x, y, 0.8], abs=1e-4)
    assert shapes[0]["label"] == "mug"
    assert shapes[0]["points"] == [[30, 10], [30, 19], [39, 19], [39, 10]]


def test_instance_in_two_pieces_has_two_polygons_of_one_group() -> None:
    ids, depth = frame()
    ids[40:45, 50:60] = 1
    _, shapes = describe_instances(ids, depth, CAMERA, FACTS)
    assert [s["group_id"] for s in shapes].count(1) == 2


def test_instance_without_depth_has_no_point() -> None:
    ids, depth = frame()
    depth[ids == 1] = 0
    instances, _ = describe_instances(ids, depth, CAMERA, FACTS)
    assert instances[0]["point_m"] is None


def test_unknown_id_is_an_error() -> None:
    ids, depth = frame()
    ids[0, 0] = 9
    with pytest.raises(KeyError):
        describe_instances(ids, depth, CAMERA, FACTS)
