"""The zoomed second pass: where to look closer, and how its answer goes back into the frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class CropWindow:
    """A pixel rectangle of a frame; x1 and y1 are exclusive."""

    x0: int
    y0: int
    x1: int
    y1: int

    def __post_init__(self) -> None:
        if not (0 <= self.x0 < self.x1 and 0 <= self.y0 < self.y1):
            raise ValueError(f"empty or negative crop window {self.xyxy}")

    @property
    def xyxy(self) -> tuple[int, int, int, int]:
        """Corners."""
        return self.x0, self.y0, self.x1, self.y1

    @property
    def height(self) -> int:
        """Rows."""
        return self.y1 - self.y0

    @property
    def width(self) -> int:
        """Columns."""
        return self.x1 - self.x0

    def cut(self, plane: NDArray[Any]) -> NDArray[Any]:
        """The part of an image (H, W, …) inside the window."""
        return np.ascontiguousarray(plane[self.y0 : self.y1, self.x0 : self.x1])


def zoom_window(
    box: tuple[float, float, float, float],
    *,
    height: int,
    width: int,
    context: float = 2.2,
    min_share: float = 0.2,
) -> CropWindow:
    """Window around a box, in the frame's own aspect ratio, kept inside the frame.

    Args:
        box: x0, y0, x1, y1 of the first guess, pixels.
        height, width: the frame.
        context: window side over box side; surroundings help to tell things apart.
        min_share: smallest window side over frame side (a closer look only blurs).
    """
    x0, y0, x1, y1 = box
    share = max(abs(x1 - x0) / width, abs(y1 - y0) / height) * context
    share = min(1.0, max(min_share, share))
    wide, tall = max(16, round(share * width)), max(16, round(share * height))
    wide, tall = min(wide, width), min(tall, height)
    left = min(max(0, round((x0 + x1) / 2 - wide / 2)), width - wide)
    top = min(max(0, round((y0 + y1) / 2 - tall / 2)), height - tall)
    return CropWindow(left, top, left + wide, top + tall)
