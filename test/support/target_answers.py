"""Answers with targets in 3D, and transforms, for the tests of what is published of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from depth_scenes import CAMERA, box_depth, rotation

from lisa_model.geometry import NoTarget3D, Target3D, estimate_target
from lisa_model.overlay import mask_box
from lisa_model.rigid import RigidTransform
from lisa_model.target_shape import describe_shape
from lisa_ros.answer import Answer, Instance
from lisa_ros.transforms import TransformError

AXES = rotation((1, 0, 0), 40)
SIZE = np.array([0.28, 0.16, 0.10])
INTENT = "bring me the box"


def located(number: int, centre: tuple[float, float, float], score: float = 0.9) -> Instance:
    """A box seen at this place."""
    depth = box_depth(np.array(centre), AXES, SIZE)
    mask = depth > 0
    position = estimate_target(mask, depth, CAMERA)
    assert isinstance(position, Target3D)
    return Instance(
        id=number,
        mask=mask,
        score=score,
        area_px=int(mask.sum()),
        box_xywh=mask_box(mask),
        is_target=True,
        position=position,
        shape=describe_shape(position),
        distance_m=float(np.linalg.norm(position.point)),
    )


def nowhere(number: int, score: float = 0.95) -> Instance:
    """A target without 3D."""
    mask = np.zeros((CAMERA.height, CAMERA.width), bool)
    mask[10:20, 30:50] = True
    return Instance(
        id=number,
        mask=mask,
        score=score,
        area_px=200,
        box_xywh=mask_box(mask),
        is_target=True,
        position=NoTarget3D("no_depth", "no depth has arrived"),
    )


def answer_of(make: Any, *instances: Instance, **fields: Any) -> Answer:
    """An answer about a picture of which each pixel has its own colour."""
    rows, columns = np.indices((CAMERA.height, CAMERA.width))
    rgb = np.stack((rows, columns % 256, (rows + columns) % 251), axis=-1).astype(np.uint8)
    return Answer(
        intent=INTENT,
        text="It is [SEG].",
        model="fake",
        header=make.header(7.5),
        rgb=rgb,
        instances=instances,
        **fields,
    )


class FakeTransforms:
    """Looks up one transform, or raises."""

    def __init__(self, found: RigidTransform | TransformError) -> None:
        self.found = found
        self.asked: list[tuple[str, str, float, float]] = []

    def lookup(
        self, target_frame: str, source_frame: str, stamp: Any, timeout_s: float
    ) -> RigidTransform:
        """The transform."""
        time = stamp.sec + stamp.nanosec * 1e-9
        self.asked.append((target_frame, source_frame, time, timeout_s))
        if isinstance(self.found, TransformError):
            raise self.found
        return self.found

    def forget(self) -> None:
        """Nothing was heard."""
