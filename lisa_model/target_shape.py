"""What a manipulator wants to know of a target besides its position: box, surface normal, frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lisa_model.geometry import Surface, Target3D
from lisa_model.oriented_box import OrientedBox, fit_box
from lisa_model.planes import fit_plane
from lisa_model.rigid import RigidTransform
from lisa_model.robust import spread_sample

FloatArray = NDArray[np.float64]

# The patch around the target's point whose normal is wanted: a fingertip's size, or so many pixels
# where these are larger than that.
PATCH_RADIUS_M = 0.015
PATCH_RADIUS_PX = 8.0
# Fewer points on the patch's plane than this have no normal.
MIN_NORMAL_POINTS = 12
# The patch's middle is sought among at most so many points of the surface.
_SEARCHED = 16384


@dataclass(frozen=True, eq=False, kw_only=True)
class SurfaceNormal:
    """The direction that a patch of the surface faces.

    Attributes:
        direction: (3,) float64, length 1, towards the camera's side of the surface.
        anchor: (3,) float64, the surface point that the patch is around [m].
        points: number of points on the fitted plane.
        radius_m: the patch's radius [m].
        rms_m: flatness: root mean square distance of *all* the patch's points from the plane [m].
            Sensor noise on a flat patch; more on a curved one or across an edge.
    """

    direction: FloatArray
    anchor: FloatArray
    points: int
    radius_m: float
    rms_m: float

    def moved(self, transform: RigidTransform) -> SurfaceNormal:
        """Return the normal in the target frame of a transform."""
        return replace(
            self,
            direction=transform.directions(self.direction),
            anchor=transform.points(self.anchor),
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class TargetShape:
    """Shape of a target's visible surface; None for what could not be told."""

    box: OrientedBox | None = None
    normal: SurfaceNormal | None = None

    def moved(self, transform: RigidTransform) -> TargetShape:
        """Return the shape in the target frame of a transform."""
        return TargetShape(
            box=self.box.moved(transform) if self.box else None,
            normal=self.normal.moved(transform) if self.normal else None,
        )


def describe_shape(target: Target3D) -> TargetShape:
    """Return box and normal of a target in the camera optical frame."""
    if target.surface is None:
        return TargetShape()
    return TargetShape(
        box=fit_box(target.surface.points), normal=surface_normal(target.surface, target.point)
    )


def surface_normal(surface: Surface, point: FloatArray) -> SurfaceNormal | None:
    """Return the normal of the surface nearest to a point, facing the camera.

    Args:
        surface: in the camera optical frame.
        point: (3,) [m]; need not lie on the surface.

    Returns:
        None when fewer than ``MIN_NORMAL_POINTS`` points, or only a line of them, lie in the patch.
    """
    radius = max(PATCH_RADIUS_M, PATCH_RADIUS_PX * surface.pixel_m)
    points = surface.points[spread_sample(len(surface.points), _SEARCHED)]
    anchor = points[int(_squared_distances(points, point).argmin())]
    near = surface.points[np.abs(surface.points[:, 0] - anchor[0]) <= radius]
    patch = near[_squared_distances(near, anchor) <= radius * radius]
    plane = fit_plane(patch)
    if plane is None or plane.inliers.sum() < MIN_NORMAL_POINTS:
        return None
    # The camera is at the origin.
    direction = -plane.normal if plane.normal @ anchor > 0 else plane.normal
    distances = (patch - plane.centre) @ plane.normal
    return SurfaceNormal(
        direction=direction,
        anchor=anchor,
        points=int(plane.inliers.sum()),
        radius_m=radius,
        rms_m=float(np.sqrt(np.mean(distances**2))),
    )


def _squared_distances(points: FloatArray, place: FloatArray) -> FloatArray:
    offsets = points - place
    return np.einsum("ij,ij->i", offsets, offsets)


def move_target(target: Target3D, transform: RigidTransform) -> Target3D:
    """Return a target in the target frame of a transform.

    ``extent`` lies along the axes of the frame, so it is measured anew from the surface's points;
    without a surface it is that of the box's shadow, sum over |R| extent, an upper limit.
    """
    surface = target.surface
    if surface is not None:
        surface = replace(surface, points=transform.points(surface.points))
        low, high = np.percentile(surface.points, (5.0, 95.0), axis=0)
        extent = high - low
    else:
        extent = np.abs(transform.rotation) @ target.extent
    return replace(
        target,
        point=transform.points(target.point),
        covariance=transform.covariance(target.covariance),
        extent=extent,
        surface=surface,
    )
