"""The result drawn on the image, for people."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lisa_model.geometry import Target3D
from lisa_ros.pipeline import Answer, Instance

# Colours (RGB) that stay apart for colour-blind eyes (Okabe and Ito).
_COLOURS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (204, 121, 167))
_GREY = (160, 160, 160)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_OPACITY = 0.45


def draw_overlay(answer: Answer) -> NDArray[np.uint8]:
    """Return (H, W, 3) uint8 RGB: targets in colour with outline and position, others in grey."""
    picture = answer.rgb.copy()
    scale = max(0.4, picture.shape[1] / 1280.0)
    for number, instance in enumerate(answer.instances):
        colour = _COLOURS[number % len(_COLOURS)] if instance.is_target else _GREY
        mask = instance.mask
        blended = picture[mask] * (1.0 - _OPACITY) + np.array(colour) * _OPACITY
        picture[mask] = blended.astype(np.uint8)
        outlines, _ = cv2.findContours(
            mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
        )
        cv2.drawContours(picture, outlines, -1, colour, max(1, round(2 * scale)))
    for number, instance in enumerate(answer.instances):
        if instance.area_px:
            left, top = instance.box_xywh[:2]
            colour = _COLOURS[number % len(_COLOURS)] if instance.is_target else _GREY
            _write(picture, _label(instance), (left, max(top - 6, 14)), scale, colour)
    height = picture.shape[0]
    _write(picture, answer.intent, (6, height - round(34 * scale) - 4), scale, (255, 255, 255))
    _write(picture, answer.text, (6, height - 8), scale, (255, 255, 255))
    return picture


def _label(instance: Instance) -> str:
    label = f"#{instance.id} {instance.score:.2f}"
    if isinstance(instance.position, Target3D):
        x, y, z = instance.position.point
        return f"{label} ({x:.2f}, {y:.2f}, {z:.2f}) m"
    return f"{label} no 3D" if instance.is_target else f"{label} no target"


def _write(
    picture: NDArray[np.uint8],
    text: str,
    at: tuple[int, int],
    scale: float,
    colour: tuple[int, int, int],
) -> None:
    """Write one line with a dark rim; the font has ASCII only."""
    line = text.encode("ascii", "replace").decode()[:120]
    thickness = max(1, round(1.5 * scale))
    cv2.putText(picture, line, at, _FONT, scale, (0, 0, 0), thickness + 2, cv2.LINE_AA)
    cv2.putText(picture, line, at, _FONT, scale, colour, thickness, cv2.LINE_AA)
