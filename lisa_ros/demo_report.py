"""Scores, report and picture of a demo run.  No ROS, no files except where a function says so."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lisa_model.geometry import Intrinsics

REPORT_NAME = "report.json"
OVERLAY_NAME = "overlay.png"

_FOUND_RGB = (255, 64, 64)
_TRUE_RGB = (255, 255, 255)
_POINT_RGB = (255, 230, 0)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What came out of one intent; the fields of report.json.

    Attributes:
        intent: as it was executed.
        answer: what the model wrote.
        iou: intersection over union of the target mask with the true mask; None where the scene
            does not say what the intent means.
        point_error_m: distance [m] of the target point to the nearest true point; None without a
            true point or without a target point.
        intent_to_mask_s: from publishing the intent to receiving the mask [s].
        frames_seen: colour images that the client received until then.
        model, device: as the perception node states them.
        commit: of the source tree, or "unknown".
        scene: name of the scene.
        machine: processor, cores, system.
        target_point_m: best target (x, y, z) [m] in the camera optical frame, or None.
        true_points_m: what it is compared with.
        mask_area_px: pixels of the target mask.
        instances: number of segmented objects.
        no_3d_reason: why there is no target point, or None.
    """

    intent: str
    answer: str
    iou: float | None
    point_error_m: float | None
    intent_to_mask_s: float
    frames_seen: int
    model: str
    device: str
    commit: str
    scene: str
    machine: str
    target_point_m: tuple[float, float, float] | None
    true_points_m: list[list[float]] | None
    mask_area_px: int
    instances: int
    no_3d_reason: str | None


def mask_iou(found: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    """Return intersection over union of two (H, W) masks; 1 when both are empty.

    Raises:
        ValueError: the masks differ in size.
    """
    if found.shape != true.shape:
        raise ValueError(f"the mask is {found.shape}, the true one {true.shape}")
    union = np.count_nonzero(found | true)
    return 1.0 if union == 0 else float(np.count_nonzero(found & true) / union)


def point_error(point_m: tuple[float, float, float], true_m: NDArray[np.float64]) -> float | None:
    """Return the distance [m] to the nearest of (n, 3) true points, or None when there is none."""
    if len(true_m) == 0:
        return None
    return float(np.linalg.norm(true_m - np.asarray(point_m), axis=1).min())


def machine_name() -> str:
    """Return processor, number of cores and system, in words."""
    processor = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                processor = line.split(":", 1)[1].strip()
                break
    except OSError:
        pass
    cores = len(os.sched_getaffinity(0))
    return f"{processor}, {cores} core{'s' if cores != 1 else ''}, {platform.platform(terse=True)}"


def format_report(report: Report, truth_titles: tuple[str, ...] | None) -> str:
    """Return the report as lines for a person."""
    lines = [
        f"intent          {report.intent}",
        f"answer          {report.answer}",
        f"objects found   {report.instances} ({report.mask_area_px} px in the target mask)",
    ]
    if truth_titles is None:
        lines.append("mask IoU        not scored: the scene does not say what this intent means")
    else:
        meant = ", ".join(truth_titles)
        lines.append(f"mask IoU        {report.iou:.3f}  (true object: {meant})")
    if report.target_point_m is None:
        lines.append(f"target point    none: {report.no_3d_reason}")
    else:
        x, y, z = report.target_point_m
        lines.append(f"target point    x {x:+.3f}  y {y:+.3f}  z {z:+.3f} m, camera optical frame")
        if report.point_error_m is None:
            lines.append("point error     not scored")
        else:
            lines.append(f"point error     {report.point_error_m * 1000:.1f} mm")
    lines += [
        f"intent to mask  {report.intent_to_mask_s:.2f} s",
        f"frames seen     {report.frames_seen}",
        f"model           {report.model} on {report.device}; {report.machine}",
        f"scene, commit   {report.scene}, {report.commit}",
    ]
    return "\n".join(lines)


def draw_overlay(
    color: NDArray[np.uint8],
    found: NDArray[np.bool_],
    *,
    true: NDArray[np.bool_] | None,
    point_m: tuple[float, float, float] | None,
    intrinsics: Intrinsics,
    caption: str,
) -> NDArray[np.uint8]:
    """Return the colour image with mask (red), true outline (white) and target point (yellow).

    Args:
        color: (H, W, 3) uint8 RGB.
        found: (H, W) bool.
        true: (H, W) bool, or None.
        point_m: target point in the camera optical frame [m]; drawn where it projects to.
        caption: one line, written below the picture.

    Returns:
        (H + 28, W, 3) uint8 RGB.
    """
    picture = color.copy()
    tint = np.array(_FOUND_RGB, dtype=np.float32)
    picture[found] = (0.45 * picture[found] + 0.55 * tint).astype(np.uint8)
    for mask, rgb in ((true, _TRUE_RGB), (found, _FOUND_RGB)):
        if mask is not None:
            outlines, _ = cv2.findContours(
                mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
            )
            cv2.drawContours(picture, outlines, -1, rgb, 1, cv2.LINE_AA)
    if point_m is not None and point_m[2] > 0:
        u = round(intrinsics.fx * point_m[0] / point_m[2] + intrinsics.cx)
        v = round(intrinsics.fy * point_m[1] / point_m[2] + intrinsics.cy)
        cv2.drawMarker(picture, (u, v), _POINT_RGB, cv2.MARKER_CROSS, 16, 2, cv2.LINE_AA)
    strip = np.full((28, picture.shape[1], 3), 24, dtype=np.uint8)
    # OpenCV's built-in font has ASCII only.
    text = caption.encode("ascii", "replace").decode()
    cv2.putText(strip, text, (8, 19), cv2.FONT_HERSHEY_SIMPLEX, 0.45, _TRUE_RGB, 1, cv2.LINE_AA)
    return np.vstack([picture, strip])


def clear_output(folder: Path) -> None:
    """Create the output folder and remove an earlier run's files, lest they pass for this one's."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (REPORT_NAME, OVERLAY_NAME):
        (folder / name).unlink(missing_ok=True)


def write_output(folder: Path, report: Report, overlay: NDArray[np.uint8]) -> None:
    """Write report.json and overlay.png.

    Raises:
        OSError: a file cannot be written.
    """
    text = json.dumps(asdict(report), indent=2, ensure_ascii=False, allow_nan=False)
    (folder / REPORT_NAME).write_text(text + "\n", encoding="utf-8")
    path = folder / OVERLAY_NAME
    if not cv2.imwrite(str(path), np.ascontiguousarray(overlay[..., ::-1])):
        raise OSError(f"could not write {path}")
