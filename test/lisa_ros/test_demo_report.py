"""Scores, report and picture of the demo."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from lisa_model.geometry import Intrinsics
from lisa_ros.demo_report import (
    Report,
    clear_output,
    draw_overlay,
    format_report,
    machine_name,
    mask_iou,
    point_error,
    write_output,
)

REPORT = Report(
    intent="change the TV channel",
    answer="Use the remote control.",
    iou=0.75,
    point_error_m=0.0123,
    intent_to_mask_s=1.5,
    frames_seen=20,
    model="lisa-tiny",
    device="cpu",
    commit="abc1234",
    scene="living_room",
    machine="a machine",
    target_point_m=(0.1, -0.2, 0.9),
    true_points_m=[[0.1, -0.2, 0.912]],
    mask_area_px=120,
    instances=1,
    no_3d_reason=None,
)


def square(x0: int, x1: int) -> np.ndarray:
    mask = np.zeros((20, 40), dtype=bool)
    mask[5:15, x0:x1] = True
    return mask


def test_iou_by_hand() -> None:
    assert mask_iou(square(0, 10), square(5, 15)) == pytest.approx(50 / 150)
    assert mask_iou(square(0, 10), square(0, 10)) == 1.0
    assert mask_iou(square(0, 10), square(20, 30)) == 0.0
    empty = np.zeros((20, 40), dtype=bool)
    assert mask_iou(empty, square(0, 10)) == 0.0
    assert mask_iou(empty, empty) == 1.0


def test_iou_refuses_other_sizes() -> None:
    with pytest.raises(ValueError, match=r"\(20, 40\)"):
        mask_iou(square(0, 10), np.zeros((10, 40), dtype=bool))


def test_point_error_is_to_the_nearest() -> None:
    true = np.array([[0.0, 0.0, 1.0], [0.3, 0.4, 1.0]])
    assert point_error((0.3, 0.4, 1.1), true) == pytest.approx(0.1)
    assert point_error((0.0, 0.0, 1.0), np.zeros((0, 3))) is None


def test_report_for_a_person() -> None:
    text = format_report(REPORT, ("TV remote control",))
    assert "0.750  (true object: TV remote control)" in text
    assert "12.3 mm" in text
    assert "1.50 s" in text
    assert "lisa-tiny on cpu" in text


def test_report_says_what_was_not_scored() -> None:
    unknown = dataclasses.replace(REPORT, iou=None, point_error_m=None, true_points_m=None)
    text = format_report(unknown, None)
    assert "not scored: the scene does not say what this intent means" in text
    assert "point error     not scored" in text


def test_report_says_why_there_is_no_3d() -> None:
    without = dataclasses.replace(
        REPORT, target_point_m=None, point_error_m=None, no_3d_reason="too few depth points"
    )
    assert "none: too few depth points" in format_report(without, ("remote",))


def test_files_hold_every_field_and_replace_old_ones(tmp_path: Path) -> None:
    picture = np.zeros((8, 6, 3), dtype=np.uint8)
    picture[..., 0] = 200
    write_output(tmp_path, REPORT, picture)
    found = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert set(found) >= {
        *("intent", "answer", "iou", "point_error_m", "intent_to_mask_s", "frames_seen"),
        *("model", "commit", "scene", "device", "machine"),
    }
    assert found["iou"] == 0.75
    read = cv2.imread(str(tmp_path / "overlay.png"))
    assert read is not None
    assert read[0, 0].tolist() == [0, 0, 200]  # BGR: red stayed red
    clear_output(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_value_that_json_cannot_say_is_refused(tmp_path: Path) -> None:
    bad = dataclasses.replace(REPORT, iou=float("nan"))
    with pytest.raises(ValueError, match="JSON"):
        write_output(tmp_path, bad, np.zeros((2, 2, 3), dtype=np.uint8))


def test_overlay_tints_the_mask_and_marks_the_point() -> None:
    color = np.full((40, 60, 3), 100, dtype=np.uint8)
    found = np.zeros((40, 60), dtype=bool)
    found[2:12, 2:12] = True
    intrinsics = Intrinsics(fx=50.0, fy=50.0, cx=29.5, cy=19.5, width=60, height=40)
    point = ((45 - 29.5) / 50.0, (30 - 19.5) / 50.0, 1.0)  # projects to column 45, row 30
    picture = draw_overlay(
        color, found, true=None, point_m=point, intrinsics=intrinsics, caption="ünder"
    )
    assert picture.shape == (68, 60, 3)
    assert picture[7, 7, 0] > 150 > picture[7, 7, 1]
    assert picture[30, 45, 0] > 200
    assert picture[30, 45, 2] < 80
    assert picture[20, 20].tolist() == [100, 100, 100]
    assert (color == 100).all()


def test_machine_is_named() -> None:
    assert "core" in machine_name()
