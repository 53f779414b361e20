"""The result drawn on the image, for people."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lisa_model.geometry import Target3D
from lisa_model.overlay import PALETTE, Colour, tint_mask, write_line
from lisa_ros.answer import Answer, Instance

_GREY = (160, 160, 160)


def draw_overlay(answer: Answer) -> NDArray[np.uint8]:
    """Return (H, W, 3) uint8 RGB: targets in colour with score and distance, others in grey."""
    picture = answer.rgb.copy()
    scale = max(0.4, picture.shape[1] / 1280.0)
    for number, instance in enumerate(answer.instances):
        thickness = max(1, round(2 * scale))
        tint_mask(picture, instance.mask, _colour(number, instance), thickness=thickness)
    for number, instance in enumerate(answer.instances):
        if instance.area_px:
            left, top = instance.box_xywh[:2]
            at = (left, max(top - 6, 14))
            write_line(picture, _label(instance), at, scale=scale, colour=_colour(number, instance))
    height = picture.shape[0]
    write_line(picture, answer.intent, (6, height - round(34 * scale) - 4), scale=scale)
    write_line(picture, answer.text, (6, height - 8), scale=scale)
    return picture


def _colour(number: int, instance: Instance) -> Colour:
    return PALETTE[number % len(PALETTE)] if instance.is_target else _GREY


def _label(instance: Instance) -> str:
    label = f"#{instance.id} {instance.score:.2f}"
    if instance.distance_m is not None and isinstance(instance.position, Target3D):
        x, y, z = instance.position.point
        return f"{label} {instance.distance_m:.2f} m at ({x:.2f}, {y:.2f}, {z:.2f})"
    return f"{label} no 3D" if instance.is_target else f"{label} no target"
