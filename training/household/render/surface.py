"""The usable top of a piece of furniture, found in a height map of what it really looks like.

A bounding box is no use here: a TV cabinet's box includes its shelf tower.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.household.render.layout import Footprint


class NoSurfaceError(ValueError):
    """A model has no level area to put things on."""


@dataclass(frozen=True, kw_only=True)
class Surface:
    """A level area: ``mask[row, column]`` covers x = x0 + column * cell, y = y0 + row * cell.

    Positions are metres in the furniture's frame (centred in plan), ``height`` above its base.
    """

    mask: NDArray[np.bool_]
    x0: float
    y0: float
    cell: float
    height: float

    @property
    def area(self) -> float:
        """Of all its cells, square metres."""
        return float(self.mask.sum() * self.cell**2)

    def carries(self, footprint: Footprint, *, share: float = 0.93) -> bool:
        """Whether at least ``share`` of the footprint, and its middle, lies on the surface."""
        points = footprint.grid(self.cell)
        columns = np.rint((points[:, 0] - self.x0) / self.cell).astype(int)
        rows = np.rint((points[:, 1] - self.y0) / self.cell).astype(int)
        height, width = self.mask.shape
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        hit = np.zeros(len(points), dtype=bool)
        hit[inside] = self.mask[rows[inside], columns[inside]]
        return bool(hit.mean() >= share and hit[len(points) // 2])

    def points(self) -> NDArray[np.float64]:
        """(n, 2) centres of the cells that belong to the surface, metres."""
        rows, columns = np.nonzero(self.mask)
        return np.stack([self.x0 + columns * self.cell, self.y0 + rows * self.cell], axis=1)


def surface_from_heights(
    heights: NDArray[np.float64],
    *,
    x0: float,
    y0: float,
    cell: float,
    tolerance: float = 0.004,
    minimum_height: float = 0.2,
    minimum_area: float = 0.04,
) -> Surface:
    """Largest level area of a height map (rows, columns), metres, NaN where there is nothing.

    The level is the 4 mm bin with the most cells above ``minimum_height``.

    Raises:
        NoSurfaceError: no level area of ``minimum_area`` square metres.
    """
    usable = np.isfinite(heights) & (np.nan_to_num(heights) >= minimum_height)
    if usable.any():
        bins = np.rint(heights[usable] / tolerance).astype(int)
        level = float(np.bincount(bins).argmax()) * tolerance
        near = usable & (np.abs(np.nan_to_num(heights) - level) <= 1.5 * tolerance)
        if near.sum() * cell * cell >= minimum_area:
            # The median of the level's own cells, not the bin's middle, is the true height.
            return Surface(
                mask=near, x0=x0, y0=y0, cell=cell, height=float(np.median(heights[near]))
            )
    raise NoSurfaceError(f"no level area of {minimum_area} square metres")


def box_surface(width: float, depth: float, height: float, *, cell: float = 0.015) -> Surface:
    """The top of a plain box centred in plan."""
    columns, rows = int(width / cell), int(depth / cell)
    return Surface(
        mask=np.ones((rows, columns), dtype=bool),
        x0=-(columns - 1) / 2 * cell,
        y0=-(rows - 1) / 2 * cell,
        cell=cell,
        height=height,
    )
