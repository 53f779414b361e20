"""How much of a thing a picture shows, of what it would show of it alone. Pure, approximate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.household.render.cameras import Array, Pinhole, project

POINTS = 3000
# Cells across the larger side of the thing's outline: some ten points fall into each.
CELLS = 16
NEAREST_M = 0.05


def surface_points(
    vertices: NDArray[np.float64], triangles: NDArray[np.int64], *, count: int = POINTS
) -> NDArray[np.float64]:
    """(count, 3) points spread evenly over a mesh; the same on every call.

    Args:
        vertices: (v, 3).
        triangles: (t, 3) indices of vertices.

    Raises:
        ValueError: the mesh has no area.
    """
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    areas = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    if not areas.sum() > 0:
        raise ValueError("the mesh has no area")
    rng = np.random.default_rng(0)
    chosen = rng.choice(len(triangles), size=count, p=areas / areas.sum())
    u, v = rng.random((2, count))
    outside = u + v > 1
    u[outside], v[outside] = 1 - u[outside], 1 - v[outside]
    a, b, c = a[chosen], b[chosen], c[chosen]
    return np.asarray(a + u[:, None] * (b - a) + v[:, None] * (c - a))


def visible_share(
    points: NDArray[np.float64],
    number: int,
    ids: NDArray[np.uint8],
    pose: Array,
    camera: Pinhole,
) -> float:
    """Share of a thing's outline that is in the picture and not hidden, 0 to 1.

    The outline is cut into cells of a grid in the image plane, which goes on outside the picture;
    a cell counts by the share of the thing's surface points in it that fall on (or within a pixel
    of) its id. Points behind the camera, or a picture's size and more beside the picture, count as
    not visible.

    Args:
        points: (n, 3) on the thing's surface, world, metres.
        number: the thing's id.
        ids: (H, W) the picture's ids.
        pose: world_from_optical (4, 4).
        camera: intrinsics.
    """
    uvz = project(points, pose, camera)
    # Beside the lens a projection grows without limit: what lies farther out than a picture's
    # size counts by its points only, as what lies behind the camera.
    canvas = (
        (uvz[:, 2] > NEAREST_M)
        & (np.abs(uvz[:, 0] - camera.cx) < 1.5 * camera.width)
        & (np.abs(uvz[:, 1] - camera.cy) < 1.5 * camera.height)
    )
    if not canvas.any():
        return 0.0
    u, v = uvz[canvas, 0], uvz[canvas, 1]
    side = max(np.ptp(u), np.ptp(v), 1e-6) / CELLS
    cells = np.floor((u - u.min()) / side).astype(int) * (CELLS + 1)
    cells += np.floor((v - v.min()) / side).astype(int)
    height, width = ids.shape
    padded = np.pad(ids == number, 1)
    near = np.zeros((height, width), dtype=bool)
    for dy in range(3):
        for dx in range(3):
            near |= padded[dy : dy + height, dx : dx + width]
    column, row = np.rint(u).astype(int), np.rint(v).astype(int)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    hit = np.zeros(len(u), dtype=bool)
    hit[inside] = near[row[inside], column[inside]]
    _, index = np.unique(cells, return_inverse=True)
    each = np.bincount(index, weights=hit) / np.bincount(index)
    return float(each.mean() * canvas.mean())
