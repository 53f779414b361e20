"""Sorts the perception node's messages by the intent that they belong to."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from geometry_msgs.msg import PointStamped
from sensor_msgs.msg import Image
from std_msgs.msg import String

from lisa_ros.msg import InstanceMasks, Targets


@dataclass(frozen=True)
class Results:
    """Everything that the node published for one intent.

    Attributes:
        masks, targets, answer: of that intent.
        target_mask: with the stamp of ``masks``.
        target_point: with the stamp of ``masks``; None when no target has a 3D position.
        mask_time_s: ``time.monotonic()`` at which the target mask arrived.
    """

    masks: InstanceMasks
    targets: Targets
    answer: str
    target_mask: Image
    target_point: PointStamped | None
    mask_time_s: float


class ResultCollector:
    """Holds what arrived since ``start`` until it is complete for the intent.

    ``InstanceMasks`` and ``Targets`` name their intent.  The standard messages cannot: the mask and
    the point are matched by the stamp of the frame they were computed on, the answer by its words.
    """

    def __init__(self) -> None:
        self._intent: str | None = None
        self._masks: InstanceMasks | None = None
        self._targets: Targets | None = None
        self._answers: list[str] = []
        self._mask_images: dict[tuple[int, int], tuple[Image, float]] = {}
        self._points: dict[tuple[int, int], PointStamped] = {}

    def start(self, intent: str) -> None:
        """Forget everything and collect for this intent (in the node's normal form)."""
        self.__init__()  # type: ignore[misc]
        self._intent = intent

    def on_masks(self, message: InstanceMasks) -> None:
        """Callback of /instance_masks."""
        if message.intent == self._intent:
            self._masks = message

    def on_targets(self, message: Targets) -> None:
        """Callback of /targets."""
        if message.intent == self._intent:
            self._targets = message

    def on_answer(self, message: String) -> None:
        """Callback of /answer."""
        self._answers.append(message.data)

    def on_target_mask(self, message: Image) -> None:
        """Callback of /target_mask."""
        self._mask_images[_stamp(message)] = (message, time.monotonic())

    def on_target_point(self, message: PointStamped) -> None:
        """Callback of /target_point."""
        self._points[_stamp(message)] = message

    @property
    def answered(self) -> bool:
        """Whether any result of the intent came."""
        return self._masks is not None or self._targets is not None

    def missing(self) -> list[str]:
        """Return the topics whose message for this intent has not come."""
        stamp = None if self._masks is None else _stamp(self._masks)
        missing = []
        if self._masks is None:
            missing.append("/instance_masks")
        if self._targets is None:
            missing.append("/targets")
        if stamp is None or stamp not in self._mask_images:
            missing.append("/target_mask")
        if self._masks is None or self._masks.answer not in self._answers:
            missing.append("/answer")
        if self._targets is not None and self._targets.best >= 0 and stamp not in self._points:
            missing.append("/target_point")
        return missing

    def results(self) -> Results | None:
        """Return the results once nothing is missing."""
        if self._masks is None or self._targets is None or self.missing():
            return None
        stamp = _stamp(self._masks)
        image, arrived = self._mask_images[stamp]
        return Results(
            masks=self._masks,
            targets=self._targets,
            answer=self._masks.answer,
            target_mask=image,
            target_point=self._points.get(stamp),
            mask_time_s=arrived,
        )


def _stamp(message: Any) -> tuple[int, int]:
    return (message.header.stamp.sec, message.header.stamp.nanosec)
