"""What a writer wrote, the reader reads: frame by frame, in every format."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recording_support import COLOR_K, DEPTH_K, PERIOD_NS, lost_frame, make_frame, transform

from lisa_model.geometry import Intrinsics
from lisa_model.recordings import (
    RecordedFrame,
    SensWriterConfig,
    open_recording,
    write_household,
    write_scannet_export,
    write_scannet_frames,
    write_sens,
)

Write = Callable[[Path, Any], int]
MOVED = transform(0.05, (0.03, 0.01, -0.02))
RATE_HZ = 1e9 / PERIOD_NS


def sens(path: Path, frames: Any) -> int:
    return write_sens(path, frames, SensWriterConfig(color="png"))


def export(path: Path, frames: Any) -> int:
    return write_scannet_export(path, frames, color="png", rate_hz=RATE_HZ)


def frames_25k(path: Path, frames: Any) -> int:
    return write_scannet_frames(path, frames, color="png", rate_hz=RATE_HZ)


SCANNET = {"scan.sens": sens, "scan": export, "scene0000_00": frames_25k}


def assert_same(found: RecordedFrame, written: RecordedFrame) -> None:
    np.testing.assert_array_equal(found.color, written.color)
    np.testing.assert_array_equal(found.depth_mm(), written.depth_mm())
    assert_near(found.color_intrinsics, written.color_intrinsics)
    assert_near(found.depth_intrinsics, written.depth_intrinsics)
    np.testing.assert_allclose(found.color_from_depth, written.color_from_depth, atol=1e-6)
    np.testing.assert_allclose(found.world_from_camera, written.world_from_camera, atol=1e-6)
    assert found.stamp_ns == written.stamp_ns


def assert_near(found: Intrinsics, written: Intrinsics) -> None:
    assert (found.width, found.height) == (written.width, written.height)
    for field in ("fx", "fy", "cx", "cy"):
        assert getattr(found, field) == pytest.approx(getattr(written, field), abs=1e-4)


@pytest.mark.parametrize(
    ("name", "moved"),
    # scannet_frames_25k has no extrinsics.
    [(name, False) for name in SCANNET] + [("scan.sens", True), ("scan", True)],
)
def test_scannet(tmp_path: Path, name: str, moved: bool):
    change = {"color_from_depth": MOVED} if moved else {}
    written = [make_frame(number, **change) for number in range(3)]
    path = tmp_path / name
    assert SCANNET[name](path, written) == 3
    recording = open_recording(path, rate_hz=RATE_HZ)
    assert len(recording) == 3
    for _ in range(2):  # as often as wanted
        found = list(recording.frames())
        assert len(found) == 3
        for one, other in zip(found, written, strict=True):
            assert_same(one, other)
            if name.endswith(".sens"):
                assert one.instance_ids is None
            else:
                np.testing.assert_array_equal(one.instance_ids, other.instance_ids)
    assert recording.skipped == 0


@pytest.mark.parametrize("name", SCANNET)
def test_frames_that_lost_tracking_are_left_out_and_counted(tmp_path: Path, name: str):
    frames = [lost_frame(0), make_frame(1), lost_frame(2), make_frame(3)]
    path = tmp_path / name
    SCANNET[name](path, frames)
    recording = open_recording(path, rate_hz=RATE_HZ)
    assert len(recording) == 4
    found = list(recording.frames())
    assert recording.skipped == 2
    np.testing.assert_array_equal(found[0].color, frames[1].color)
    np.testing.assert_array_equal(found[1].color, frames[3].color)
    assert found[1].stamp_ns - found[0].stamp_ns == 2 * PERIOD_NS
    list(recording.frames())
    assert recording.skipped == 2  # of each pass, not of all


def test_household(tmp_path: Path):
    written = [make_frame(number, registered=True) for number in range(3)]
    path = tmp_path / "frames"
    assert write_household(path, written) == 3
    recording = open_recording(path)
    found = list(recording.frames())
    assert len(recording) == len(found) == 3
    for one, other in zip(found, written, strict=True):
        assert np.abs(one.color.astype(int) - other.color).max() <= 8  # a JPEG
        np.testing.assert_array_equal(one.depth, other.depth)
        np.testing.assert_array_equal(one.instance_ids, other.instance_ids)
        np.testing.assert_allclose(one.world_from_camera, other.world_from_camera)
        assert one.color_intrinsics == one.depth_intrinsics == COLOR_K
        assert one.registered
    assert [one.stamp_ns - found[0].stamp_ns for one in found] == [0, 10**8, 2 * 10**8]
    (alone,) = open_recording(path / "000001.json", rate_hz=2).frames()
    np.testing.assert_array_equal(alone.color, found[1].color)


def test_household_writes_depth_registered(tmp_path: Path):
    frame = make_frame(0, color_from_depth=MOVED)
    write_household(tmp_path / "frames", [frame])
    (found,) = open_recording(tmp_path / "frames").frames()
    np.testing.assert_array_equal(found.depth, frame.registered_depth_mm())
    assert found.depth.shape == (COLOR_K.height, COLOR_K.width)
    assert not np.array_equal(found.depth[:30, :40], frame.depth)


@pytest.mark.parametrize(
    "config",
    [
        SensWriterConfig(),
        SensWriterConfig(color="raw", depth="raw", imu_block=False),
        SensWriterConfig(color="png", imu_block=False, sensor_name=""),
    ],
)
def test_each_compression_of_a_sens_file(tmp_path: Path, config: SensWriterConfig):
    path = tmp_path / "scan.sens"
    written = [make_frame(number) for number in range(2)]
    write_sens(path, written, config)
    for one, other in zip(open_recording(path).frames(), written, strict=True):
        worst = np.abs(one.color.astype(int) - other.color).max()
        assert worst <= (8 if config.color == "jpeg" else 0)
        np.testing.assert_array_equal(one.depth, other.depth)


def test_a_sens_file_of_another_depth_unit_is_read_in_metres(tmp_path: Path):
    path = tmp_path / "scan.sens"
    write_sens(path, [make_frame(0)])
    data = bytearray(path.read_bytes())
    shift = np.float32(1000.0).tobytes()
    assert data.count(shift) == 1
    path.write_bytes(data.replace(shift, np.float32(5000.0).tobytes()))
    (frame,) = open_recording(path).frames()
    assert frame.depth.dtype == np.float32
    np.testing.assert_allclose(frame.depth, make_frame(0).depth / 5000.0, rtol=1e-6)


def test_stamps_that_do_not_rise_are_replaced_and_it_is_said(tmp_path: Path):
    path = tmp_path / "scan.sens"
    same = [make_frame(0), make_frame(0), make_frame(0)]
    write_sens(path, same)
    recording = open_recording(path)
    assert "assumed 30 Hz" in recording.timing
    stamps = [frame.stamp_ns for frame in recording.frames()]
    assert np.diff(stamps).tolist() == pytest.approx([1e9 / 30] * 2, abs=1)
    assert "assumed 5 Hz" in open_recording(path, rate_hz=5).timing


def test_stamps_that_ros_cannot_hold_are_replaced_and_it_is_said(tmp_path: Path):
    path = tmp_path / "scan.sens"
    frames = [replace(make_frame(number), stamp_ns=2**62 + number * 1000) for number in range(2)]
    write_sens(path, frames)
    recording = open_recording(path)
    assert "beyond the year 2038" in recording.timing
    assert max(frame.stamp_ns for frame in recording.frames()) < 2 * 10**9


def test_all_scans_of_a_folder_are_played_one_after_the_other(tmp_path: Path):
    root = tmp_path / "scannet_frames_25k"
    for scan, first in (("scene0000_00", 0), ("scene0001_00", 4)):
        frames_25k(root / scan, [make_frame(first), make_frame(first + 2)])
    recording = open_recording(root, rate_hz=RATE_HZ)
    found = list(recording.frames())
    assert len(recording) == len(found) == 4
    assert [frame.name for frame in found] == [
        "scene0000_00/000000",
        "scene0000_00/000002",
        "scene0001_00/000004",
        "scene0001_00/000006",
    ]
    assert all(a.stamp_ns < b.stamp_ns for a, b in itertools.pairwise(found))


def test_instances_of_frames_25k_keep_their_16_bits(tmp_path: Path):
    frame = make_frame(0)
    assert frame.instance_ids is not None
    frame.instance_ids[:] *= 12_005  # NYU40 class 12, object 5
    frames_25k(tmp_path / "scan", [frame])
    (found,) = open_recording(tmp_path / "scan").frames()
    assert set(np.unique(found.instance_ids).tolist()) == {0, 12_005}


def test_a_resized_export_gets_scaled_intrinsics(tmp_path: Path):
    """Exports are often made at 640 x 480 with the intrinsics of 1296 x 968."""
    frame = make_frame(0)
    export(tmp_path / "scan", [frame])
    calibrated = np.eye(4)
    calibrated[0, 0], calibrated[1, 1] = 1170.0, 1171.0
    calibrated[0, 2], calibrated[1, 2] = 647.75, 483.75
    np.savetxt(tmp_path / "scan" / "intrinsic" / "intrinsic_color.txt", calibrated)
    (found,) = open_recording(tmp_path / "scan").frames()
    assert found.color_intrinsics.fx == pytest.approx(1170 * 80 / 1296)
    assert found.color_intrinsics.cx == pytest.approx((647.75 + 0.5) * 80 / 1296 - 0.5)
    assert_near(found.depth_intrinsics, DEPTH_K)


def test_annotations_of_another_size_are_fitted(tmp_path: Path):
    from lisa_model.encoded_images import encode

    frame = make_frame(0)
    export(tmp_path / "scan", [frame])
    large = np.repeat(np.repeat(frame.instance_ids, 3, axis=0), 3, axis=1).astype(np.uint8)
    (tmp_path / "scan" / "instance-filt" / "0.png").write_bytes(encode(large, "png"))
    (found,) = open_recording(tmp_path / "scan").frames()
    np.testing.assert_array_equal(found.instance_ids, frame.instance_ids)


def test_depth_becomes_millimetres_or_nothing():
    depth = np.array([[0.0, np.nan, np.inf, -1.0], [1.2344, 65.535, 65.6, 0.0004]], np.float32)
    frame = make_frame(0)
    frame = RecordedFrame(**{**vars(frame), "depth": depth})
    assert frame.depth_mm().tolist() == [[0, 0, 0, 0], [1234, 65535, 0, 0]]
    assert frame.depth_m() is not depth
