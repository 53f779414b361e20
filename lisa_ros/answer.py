"""The result of one intent: what was found, where it is, and on which frame."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from std_msgs.msg import Header

from lisa_model.geometry import NoTarget3D, Target3D
from lisa_model.target_shape import TargetShape
from lisa_ros.errors import RequestError


@dataclass(frozen=True)
class Instance:
    """One object that the model segmented.

    Attributes:
        id: 1, 2, ... in the model's order.
        mask: (H, W) bool.
        score: 0..1.
        area_px: mask pixels.
        box_xywh: left, top, width, height [pixels]; all 0 for an empty mask.
        is_target: the score reaches the threshold and the mask is not empty.
        position: where it is, in the answer's target frame; None when it is no target.
        shape: oriented box and normal, in the same frame; None without a position.
        distance_m: from the camera to the position [m]; None without a position.
    """

    id: int
    mask: NDArray[np.bool_]
    score: float
    area_px: int
    box_xywh: tuple[int, int, int, int]
    is_target: bool
    position: Target3D | NoTarget3D | None = None
    shape: TargetShape | None = None
    distance_m: float | None = None


@dataclass(frozen=True)
class Answer:
    """The whole result of one intent.

    Attributes:
        intent, text: asked and answered.
        model: the model's name.
        header: stamp and frame_id of the colour image.
        rgb: (H, W, 3) uint8, the colour image.
        instances: in the model's order.
        timings: seconds per stage.
        received: when the colour image arrived [monotonic s].
        target_frame: frame of the targets' positions; "" for that of ``header``.
    """

    intent: str
    text: str
    model: str
    header: Header
    rgb: NDArray[np.uint8]
    instances: tuple[Instance, ...]
    timings: dict[str, float] = field(default_factory=dict)
    received: float = 0.0
    target_frame: str = ""

    @property
    def target_header(self) -> Header:
        """The stamp of the colour image, and the frame of the targets' positions."""
        if not self.target_frame:
            return self.header
        return Header(stamp=self.header.stamp, frame_id=self.target_frame)

    @property
    def best_target(self) -> Instance | None:
        """The best target that has a position."""
        return self.targets[self.best] if self.best >= 0 else None

    @property
    def targets(self) -> tuple[Instance, ...]:
        """The instances that are targets, by falling score."""
        found = (one for one in self.instances if one.is_target)
        return tuple(sorted(found, key=lambda one: -one.score))

    @property
    def best(self) -> int:
        """Index into ``targets`` of the best one that has a position, -1 when none has."""
        for index, target in enumerate(self.targets):
            if isinstance(target.position, Target3D):
                return index
        return -1

    def target_mask(self) -> NDArray[np.bool_]:
        """Return the (H, W) bool mask of all targets joined."""
        joined = np.zeros(self.rgb.shape[:2], dtype=np.bool_)
        for target in self.targets:
            joined |= target.mask
        return joined


# How a request ends: with an answer, or with the reason why there is none.
Outcome = Answer | RequestError
