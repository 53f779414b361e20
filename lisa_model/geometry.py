"""From a mask and a registered depth image to a position in metres.  Pure numpy, no ROS.

Convention (REP-103, camera optical frame): x right, y down, z forward.  A pixel's centre has
integer coordinates, ``u`` is the column and ``v`` the row, so that for a depth ``z`` (planar, along
the optical axis)::

    x = (u - cx) / fx * z        y = (v - cy) / fy * z

Lens distortion is not modelled: the images have to be rectified, or nearly so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

# Codes of NoTarget3D.reason, repeated by lisa_ros/msg/Target3D.
REASON_EMPTY_MASK = "empty_mask"
REASON_TOO_FEW_POINTS = "too_few_depth_points"
REASON_LOW_FRACTION = "low_valid_depth_fraction"

_MAD_TO_SIGMA = 1.4826  # 1.4826 * MAD estimates a normal distribution's standard deviation


@dataclass(frozen=True)
class Intrinsics:
    """Pinhole intrinsics of an image, in pixels; ValueError names a field that cannot be."""

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int

    def __post_init__(self) -> None:
        for field in ("fx", "fy", "cx", "cy"):
            if not math.isfinite(getattr(self, field)):
                raise ValueError(f"intrinsics: {field} is {getattr(self, field)}; must be finite")
        for field in ("fx", "fy", "width", "height"):
            if getattr(self, field) <= 0:
                raise ValueError(f"intrinsics: {field} is {getattr(self, field)}; must be > 0")


@dataclass(frozen=True)
class TargetConfig:
    """How ``estimate_target`` treats a mask.

    Attributes:
        min_depth_m, max_depth_m: range of depths that count as valid [m].
        erosion_px: how many pixels to take off the mask's edge, where depth bleeds.
        min_kept_fraction: erosion stops early rather than leave less than this share of the mask.
        min_depth_points: fewer valid depth pixels than this give no 3D position.
        min_valid_depth_fraction: a smaller valid share of the eroded mask gives no 3D position.
        depth_bin_m, depth_bin_relative: width of the depth histogram's bins, the larger of the
            metric one and the one relative to the median depth (sensor noise grows with depth).
        mode_floor: histogram bins below this share of the highest bin separate depth modes.
        outlier_sigma: points further than this many robust standard deviations are dropped.
        outlier_floor_m: but never those nearer than this [m]: a flat object has a MAD of zero.
    """

    min_depth_m: float = 0.1
    max_depth_m: float = 10.0
    erosion_px: int = 2
    min_kept_fraction: float = 0.35
    min_depth_points: int = 20
    min_valid_depth_fraction: float = 0.1
    depth_bin_m: float = 0.02
    depth_bin_relative: float = 0.015
    mode_floor: float = 0.04
    outlier_sigma: float = 3.5
    outlier_floor_m: float = 0.005

    def __post_init__(self) -> None:
        if not 0.0 <= self.min_depth_m < self.max_depth_m < math.inf:
            raise ValueError(
                f"min_depth_m {self.min_depth_m} and max_depth_m {self.max_depth_m}: "
                "needed 0 <= min_depth_m < max_depth_m, both finite"
            )
        for field in ("erosion_px", "min_kept_fraction", "mode_floor", "min_valid_depth_fraction"):
            if getattr(self, field) < 0:
                raise ValueError(f"{field} is {getattr(self, field)}; must be >= 0")
        for field in ("depth_bin_m", "outlier_sigma", "outlier_floor_m", "min_depth_points"):
            if getattr(self, field) <= 0:
                raise ValueError(f"{field} is {getattr(self, field)}; must be > 0")


@dataclass(frozen=True)
class Target3D:
    """A position in the camera optical frame.

    Attributes:
        point: (3,) float64, robust centre of the visible surface [m].
        covariance: (3, 3) float64, spread of the points about their mean [m^2].
        extent: (3,) float64, 5th to 95th percentile along each axis [m].
        valid_depth_fraction: valid share of the eroded mask, 0..1.
        depth_points: number of points the estimate rests on.
        mask_area_px, eroded_area_px: before and after erosion.
    """

    point: FloatArray
    covariance: FloatArray
    extent: FloatArray
    valid_depth_fraction: float
    depth_points: int
    mask_area_px: int
    eroded_area_px: int


@dataclass(frozen=True)
class NoTarget3D:
    """Why there is no position.

    Attributes:
        reason: stable code, one of the REASON constants.
        text: the same as a sentence with the figures.
        valid_depth_fraction, mask_area_px, eroded_area_px: as in Target3D.
    """

    reason: str
    text: str
    valid_depth_fraction: float = 0.0
    mask_area_px: int = 0
    eroded_area_px: int = 0


def back_project(depth_m: NDArray[np.floating], intrinsics: Intrinsics) -> FloatArray:
    """Return the (H, W, 3) float64 points [m] of a planar depth image (H, W) [m].

    Invalid depths (0, NaN, inf) are carried through: the caller decides what is valid.

    Raises:
        ValueError: the depth image's size is not that of the intrinsics.
    """
    _check_size("depth", depth_m.shape, intrinsics)
    pixels = np.indices(depth_m.shape, dtype=np.int64)
    return _points(pixels[1], pixels[0], depth_m.astype(np.float64), intrinsics)


def valid_depth(depth_m: NDArray[np.floating], min_depth_m: float, max_depth_m: float) -> BoolArray:
    """Return where a depth [m] is a measurement: finite, > 0 and within the range (inclusive)."""
    with np.errstate(invalid="ignore"):  # comparing NaN is meant
        inside = (depth_m >= min_depth_m) & (depth_m <= max_depth_m) & (depth_m > 0)
    return np.asarray(inside & np.isfinite(depth_m), dtype=np.bool_)


def erode(mask: BoolArray, radius_px: int, min_kept_fraction: float) -> BoolArray:
    """Take up to ``radius_px`` pixels off the mask's edge, but never so much that it vanishes.

    Each step removes the pixels with a 4-neighbour outside the mask.  A step that would leave less
    than ``min_kept_fraction`` of the mask is not made, so thin and small masks stay as they are.
    The image's border does not erode: a mask that ends there is cut off by the view, not by
    background.
    """
    kept = mask
    floor = max(1, math.ceil(min_kept_fraction * int(mask.sum())))
    for _ in range(radius_px):
        padded = np.pad(kept, 1, constant_values=True)
        smaller = kept & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
        if int(smaller.sum()) < floor:
            break
        kept = smaller
    return kept


def estimate_target(
    mask: BoolArray,
    depth_m: NDArray[np.floating],
    intrinsics: Intrinsics,
    config: TargetConfig | None = None,
) -> Target3D | NoTarget3D:
    """Estimate where the object under a mask is, or say why that cannot be told.

    Masks bleed onto the background and depth sensors invent points at edges, so: erode the mask,
    keep valid depths, keep the depth mode that holds most pixels, drop outliers by the median
    absolute deviation, and take the component-wise median of the points.

    Args:
        mask: (H, W) bool.
        depth_m: (H, W) float, planar depth [m] registered to the mask's image.
        intrinsics: of that image.
        config: thresholds; defaults when None.

    Raises:
        ValueError: mask, depth and intrinsics differ in size, or the mask is not bool.
    """
    config = config or TargetConfig()
    if mask.dtype != np.bool_:
        raise ValueError(f"mask: dtype is {mask.dtype}; must be bool")
    _check_size("mask", mask.shape, intrinsics)
    _check_size("depth", depth_m.shape, intrinsics)

    area = int(mask.sum())
    if area == 0:
        return NoTarget3D(REASON_EMPTY_MASK, "the mask has no pixel")
    window = _window(mask)
    eroded = erode(mask[window], config.erosion_px, config.min_kept_fraction)
    eroded_area = int(eroded.sum())
    cropped_depth = depth_m[window]
    usable = eroded & valid_depth(cropped_depth, config.min_depth_m, config.max_depth_m)
    count = int(usable.sum())
    fraction = count / eroded_area

    def refuse(reason: str, text: str) -> NoTarget3D:
        return NoTarget3D(reason, text, fraction, area, eroded_area)

    if count < config.min_depth_points:
        return refuse(
            REASON_TOO_FEW_POINTS,
            f"{count} of {eroded_area} mask pixels have a depth within {config.min_depth_m:g}.."
            f"{config.max_depth_m:g} m; at least {config.min_depth_points} are needed",
        )
    if fraction < config.min_valid_depth_fraction:
        return refuse(
            REASON_LOW_FRACTION,
            f"only {fraction:.1%} of the mask's {eroded_area} pixels have a depth within "
            f"{config.min_depth_m:g}..{config.max_depth_m:g} m; at least "
            f"{config.min_valid_depth_fraction:.1%} are needed",
        )

    rows, columns = np.nonzero(usable)
    depths = cropped_depth[usable].astype(np.float64)
    keep = dominant_mode(depths, config)
    points = _points(
        columns[keep] + window[1].start, rows[keep] + window[0].start, depths[keep], intrinsics
    )
    points = points[_within_mad(points, config.outlier_sigma, config.outlier_floor_m)]
    if len(points) < config.min_depth_points:
        return refuse(
            REASON_TOO_FEW_POINTS,
            f"{len(points)} of {count} depth points agree on one surface; at least "
            f"{config.min_depth_points} are needed",
        )
    low, high = np.percentile(points, (5.0, 95.0), axis=0)
    return Target3D(
        point=np.median(points, axis=0),
        covariance=np.cov(points, rowvar=False) if len(points) > 1 else np.zeros((3, 3)),
        extent=high - low,
        valid_depth_fraction=fraction,
        depth_points=len(points),
        mask_area_px=area,
        eroded_area_px=eroded_area,
    )


def dominant_mode(depths: FloatArray, config: TargetConfig) -> BoolArray:
    """Return which of the (n,) depths [m] belong to the surface that holds most of them.

    The histogram is cut into runs of bins wherever it falls below ``mode_floor`` of its highest
    bin; the run with most depths wins.  A long object that recedes from the camera is one run,
    the wall behind a mask's bleeding edge another, also with a few flying pixels in between.
    """
    width = max(config.depth_bin_m, config.depth_bin_relative * float(np.median(depths)))
    bins = np.floor((depths - depths.min()) / width).astype(np.int64)
    counts = np.bincount(bins)
    filled = counts >= max(1.0, config.mode_floor * counts.max())
    run_of_bin = np.cumsum(~filled)  # constant along a run, rises at each gap
    run_of_depth = np.where(filled[bins], run_of_bin[bins], -1)
    best = np.bincount(run_of_depth[run_of_depth >= 0]).argmax()
    return np.asarray(run_of_depth == best, dtype=np.bool_)


def _within_mad(points: FloatArray, sigmas: float, floor_m: float) -> BoolArray:
    """Return which of the (n, 3) points lie within ``sigmas`` robust deviations on every axis."""
    distance = np.abs(points - np.median(points, axis=0))
    limit = np.maximum(sigmas * _MAD_TO_SIGMA * np.median(distance, axis=0), floor_m)
    return np.asarray((distance <= limit).all(axis=1), dtype=np.bool_)


def _points(
    columns: NDArray[np.int64], rows: NDArray[np.int64], depth: FloatArray, k: Intrinsics
) -> FloatArray:
    """Back-project pixels: arrays of any one shape to that shape + (3,)."""
    return np.stack(((columns - k.cx) / k.fx * depth, (rows - k.cy) / k.fy * depth, depth), axis=-1)


def _window(mask: BoolArray) -> tuple[slice, slice]:
    """Return the (rows, columns) slices to work in, as masks are small and images are not.

    The bounding box of the (not empty) mask, and one pixel more on each side where the image has
    one, so that erosion sees the background there.
    """
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    return (
        slice(max(0, int(rows[0]) - 1), int(rows[-1]) + 2),
        slice(max(0, int(columns[0]) - 1), int(columns[-1]) + 2),
    )


def _check_size(name: str, shape: tuple[int, ...], intrinsics: Intrinsics) -> None:
    expected = (intrinsics.height, intrinsics.width)
    if shape != expected:
        raise ValueError(f"{name}: shape is {shape}; the intrinsics are of an image {expected}")
