"""From a mask and a registered depth image to a position in metres.  Pure numpy, no ROS.

Conventions as in ``lisa_model.pinhole``: camera optical frame, pixel centres at integer
coordinates, planar depth, no lens distortion.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lisa_model.pinhole import Intrinsics, back_project, check_size, pixel_axes
from lisa_model.robust import MAD_TO_SIGMA, axis_statistics, median, spread_sample

__all__ = [
    "Intrinsics",
    "NoTarget3D",
    "Surface",
    "Target3D",
    "TargetConfig",
    "back_project",
    "dominant_mode",
    "erode",
    "estimate_target",
    "valid_depth",
]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

# Codes of NoTarget3D.reason, repeated by lisa_ros/msg/Target3D.
REASON_EMPTY_MASK = "empty_mask"
REASON_TOO_FEW_POINTS = "too_few_depth_points"
REASON_LOW_FRACTION = "low_valid_depth_fraction"

# Limits are set by a sample of at most so many pixels; results are computed from all.
_SAMPLE = 4096


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
        for name in ("erosion_px", "min_kept_fraction", "mode_floor", "min_valid_depth_fraction"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; must be >= 0")
        for name in ("depth_bin_m", "outlier_sigma", "outlier_floor_m", "min_depth_points"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; must be > 0")


@dataclass(frozen=True)
class Surface:
    """The visible surface of a target: what its mask shows, without what bleeds into it.

    Attributes:
        points: (n, 3) float64 [m], in the frame of the target that it belongs to.
        rows, columns: (n,) int64, their pixels, row by row.
        pixel_m: side of a pixel at the surface's median depth [m].
    """

    points: FloatArray
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    pixel_m: float


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
        point_sigma_m: standard error of ``point`` [m]; see ``robust.median_error``.
        surface: the points of the whole mask that pass the same tests as those that the estimate
            rests on: erosion takes their rim away, which a position can spare and a size cannot.
    """

    point: FloatArray
    covariance: FloatArray
    extent: FloatArray
    valid_depth_fraction: float
    depth_points: int
    mask_area_px: int
    eroded_area_px: int
    point_sigma_m: float = math.nan
    surface: Surface | None = field(default=None, compare=False, repr=False)


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
    check_size("mask", mask.shape, intrinsics)
    check_size("depth", depth_m.shape, intrinsics)

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

    within = mask[window] & valid_depth(cropped_depth, config.min_depth_m, config.max_depth_m)
    rows, columns = np.nonzero(within)
    depths = cropped_depth[within].astype(np.float64)
    trusted = eroded[within]
    # take() by index: several times faster than [] by a mask.
    keep = np.flatnonzero(_in_mode(depths, trusted, config))
    rows = rows.take(keep) + window[0].start
    columns = columns.take(keep) + window[1].start
    trusted = trusted.take(keep)
    axes = pixel_axes(columns, rows, depths.take(keep), intrinsics)
    inside = _within_mad(axes, trusted, config.outlier_sigma, config.outlier_floor_m)
    if not inside.all():
        keep = np.flatnonzero(inside)
        rows, columns, trusted = rows.take(keep), columns.take(keep), trusted.take(keep)
        axes = axes.take(keep, axis=1)
    core = axes.take(np.flatnonzero(trusted), axis=1)
    number = core.shape[1]
    if number < config.min_depth_points:
        return refuse(
            REASON_TOO_FEW_POINTS,
            f"{number} of {count} depth points agree on one surface; at least "
            f"{config.min_depth_points} are needed",
        )
    statistics = [axis_statistics(axis) for axis in core]
    middle, extent, errors = (np.array(values) for values in zip(*statistics, strict=True))
    centred = core - core.mean(axis=1, keepdims=True)
    return Target3D(
        point=middle,
        covariance=centred @ centred.T / max(number - 1, 1),
        extent=extent,
        valid_depth_fraction=fraction,
        depth_points=number,
        mask_area_px=area,
        eroded_area_px=eroded_area,
        point_sigma_m=float(np.linalg.norm(errors)),
        surface=Surface(
            points=axes.T,
            rows=rows,
            columns=columns,
            pixel_m=float(middle[2]) / math.sqrt(intrinsics.fx * intrinsics.fy),
        ),
    )


def dominant_mode(depths: FloatArray, config: TargetConfig) -> BoolArray:
    """Return which of the (n,) depths [m] belong to the surface that holds most of them.

    The histogram is cut into runs of bins wherever it falls below ``mode_floor`` of its highest
    bin; the run with most depths wins.  A long object that recedes from the camera is one run,
    the wall behind a mask's bleeding edge another, also with a few flying pixels in between.
    """
    width = _bin_width(depths, config)
    bins = np.floor((depths - depths.min()) / width).astype(np.int64)
    counts = np.bincount(bins)
    filled = counts >= max(1.0, config.mode_floor * counts.max())
    run_of_bin = np.cumsum(~filled)  # constant along a run, rises at each gap
    run_of_depth = np.where(filled[bins], run_of_bin[bins], -1)
    best = np.bincount(run_of_depth[run_of_depth >= 0]).argmax()
    return np.asarray(run_of_depth == best, dtype=np.bool_)


def _bin_width(depths: FloatArray, config: TargetConfig) -> float:
    middle = median(depths[spread_sample(len(depths), _SAMPLE)])
    return max(config.depth_bin_m, config.depth_bin_relative * middle)


def _in_mode(depths: FloatArray, trusted: BoolArray, config: TargetConfig) -> BoolArray:
    """Return which of the (n,) depths [m] lie in the dominant mode of the trusted ones.

    A bin wider on both sides for the others: at the rim a surface that recedes goes on.
    """
    sure = depths[trusted]
    mode = sure[dominant_mode(sure, config)]
    nearest, furthest, margin = mode.min(), mode.max(), _bin_width(sure, config)
    inside = (depths >= nearest - margin) & (depths <= furthest + margin)
    inside &= ~trusted | ((depths >= nearest) & (depths <= furthest))
    return np.asarray(inside, dtype=np.bool_)


def _within_mad(axes: FloatArray, trusted: BoolArray, sigmas: float, floor_m: float) -> BoolArray:
    """Return which of the (3, n) points lie within ``sigmas`` robust deviations on every axis.

    The deviations are those of the trusted points; a sample of them does, as they only set a limit.
    """
    chosen = np.flatnonzero(trusted)
    chosen = chosen[spread_sample(len(chosen), _SAMPLE)]
    inside = np.ones(axes.shape[1], dtype=np.bool_)
    for axis in axes:
        sample = axis[chosen]
        middle = median(sample)
        deviation = MAD_TO_SIGMA * median(np.abs(sample - middle))
        inside &= np.abs(axis - middle) <= max(sigmas * deviation, floor_m)
    return inside


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
