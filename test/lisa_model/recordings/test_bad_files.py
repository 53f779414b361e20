"""Damaged recordings are refused with the file, the place and the remedy; good ones are not."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recording_support import make_frame

from lisa_model.recordings import (
    RecordingError,
    SensWriterConfig,
    open_recording,
    write_household,
    write_scannet_export,
    write_scannet_frames,
    write_sens,
)
from lisa_model.recordings.sens_layout import COLOR_JPEG

# Offsets in a file whose sensor name is empty.
NAME_LENGTH, INTRINSIC_COLOR, EXTRINSIC_DEPTH = 4, 12, 12 + 3 * 64
COLOR_COMPRESSION = 12 + 4 * 64
DEPTH_COMPRESSION, COLOR_SIZE = COLOR_COMPRESSION + 4, COLOR_COMPRESSION + 8
DEPTH_SIZE, DEPTH_SHIFT = COLOR_SIZE + 8, COLOR_SIZE + 16
FRAME_COUNT, FIRST_FRAME = DEPTH_SHIFT + 4, DEPTH_SHIFT + 12
FIRST_COLOR_BYTES = FIRST_FRAME + 64 + 16
FIRST_DEPTH_BYTES, FIRST_IMAGE = FIRST_COLOR_BYTES + 8, FIRST_COLOR_BYTES + 16


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("good") / "scan.sens"
    frames = [make_frame(number) for number in range(2)]
    write_sens(path, frames, SensWriterConfig(sensor_name=""))
    return path.read_bytes()


def read_all(path: Path) -> int:
    return len(list(open_recording(path).frames()))


def test_the_good_file_is_good(good: bytes, tmp_path: Path):
    path = tmp_path / "scan.sens"
    path.write_bytes(good)
    assert read_all(path) == 2
    path.write_bytes(good[:-8])  # version 3 had no IMU block
    assert read_all(path) == 2
    path.write_bytes(good[:-8] + struct.pack("<Q", 2) + bytes(256))
    assert read_all(path) == 2


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (0, struct.pack("<I", 3), r"version at byte 0 is 3\..*version 4"),
        (NAME_LENGTH, struct.pack("<Q", 2**40), "length of the sensor name at byte 4"),
        (INTRINSIC_COLOR, struct.pack("<f", 0.0), "intrinsic_color: intrinsics: fx is 0"),
        (INTRINSIC_COLOR, struct.pack("<f", np.nan), "intrinsic_color"),
        (EXTRINSIC_DEPTH, struct.pack("<f", 9.0), "extrinsic_depth: is no rigid transform"),
        (EXTRINSIC_DEPTH, struct.pack("<f", np.inf), "extrinsic_depth: is no rigid transform"),
        (COLOR_COMPRESSION, struct.pack("<i", -1), "color_compression at byte 268 is -1.*2 jpeg"),
        (COLOR_COMPRESSION, struct.pack("<i", 3), "color_compression"),
        (DEPTH_COMPRESSION, struct.pack("<i", 2), "depth_compression at byte 272 is 2.*occi"),
        (COLOR_SIZE, struct.pack("<I", 0), "color_width, color_height at byte 276 is 0 x 60"),
        (COLOR_SIZE, struct.pack("<I", 2**31), "color_width"),
        (DEPTH_SIZE, struct.pack("<2I", 16384, 16384), "depth_width"),
        (DEPTH_SHIFT, struct.pack("<f", np.nan), "depth_shift at byte 292 is nan"),
        (DEPTH_SHIFT, struct.pack("<f", 0), "depth_shift"),
        (FRAME_COUNT, struct.pack("<Q", 0), "num_frames at byte 296 is 0"),
        (FRAME_COUNT, struct.pack("<Q", 2**62), "num_frames at byte 296.*cut off"),
        (FRAME_COUNT, struct.pack("<Q", 3), "header of frame 2.*cut off"),
        (FIRST_COLOR_BYTES, struct.pack("<Q", 0), "color_bytes of frame 0 at byte 384 is 0"),
        (FIRST_COLOR_BYTES, struct.pack("<Q", 2**63), "color_bytes of frame 0 at byte 384"),
        (FIRST_DEPTH_BYTES, struct.pack("<Q", 2**50), "depth_bytes of frame 0 at byte 392"),
        (FIRST_DEPTH_BYTES, struct.pack("<Q", 10**7), "frame 0 of 2.*only .* follow.*cut off"),
    ],
)
def test_a_wrong_field_is_named_before_anything_is_played(
    good: bytes, tmp_path: Path, offset: int, value: bytes, message: str
):
    path = tmp_path / "scan.sens"
    path.write_bytes(good[:offset] + value + good[offset + len(value) :])
    with pytest.raises(RecordingError, match=message) as caught:
        open_recording(path)
    assert "scan.sens" in str(caught.value)


@pytest.mark.parametrize("share", [0.0, 0.005, 0.02, 0.3, 0.5, 0.9])
def test_a_cut_file_is_refused_at_once(good: bytes, tmp_path: Path, share: float):
    path = tmp_path / "scan.sens"
    path.write_bytes(good[: int(len(good) * share)])
    with pytest.raises(RecordingError, match=r"scan\.sens.*cut off"):
        open_recording(path)


def test_damaged_images_are_named(good: bytes, tmp_path: Path):
    path = tmp_path / "scan.sens"
    (color_bytes,) = struct.unpack_from("<Q", good, FIRST_COLOR_BYTES)
    for place, what in ((FIRST_IMAGE, "colour"), (FIRST_IMAGE + color_bytes, "depth")):
        path.write_bytes(good[:place] + b"\xaa" * 16 + good[place + 16 :])
        with pytest.raises(RecordingError, match=f"frame 0: {what} image at byte {place}"):
            read_all(path)


def test_a_depth_image_that_blows_up_is_cut_short(tmp_path: Path):
    """Depth that decompresses to much more than the header says."""
    path = tmp_path / "scan.sens"
    write_sens(path, [make_frame(0)], SensWriterConfig(sensor_name=""))
    data = bytearray(path.read_bytes())
    struct.pack_into("<2I", data, DEPTH_SIZE, 4, 4)
    path.write_bytes(data)
    with pytest.raises(RecordingError, match=r"has 33 bytes.* = 32"):
        read_all(path)


def test_raw_colour_of_another_size_is_named(good: bytes, tmp_path: Path):
    path = tmp_path / "scan.sens"
    write_sens(path, [make_frame(0)], SensWriterConfig(sensor_name="", color="raw"))
    data = bytearray(path.read_bytes())
    struct.pack_into("<2I", data, COLOR_SIZE, 80, 59)
    path.write_bytes(data)
    with pytest.raises(RecordingError, match=r"color_width x color_height x 3 = 14160"):
        read_all(path)
    assert struct.unpack_from("<i", good, COLOR_COMPRESSION) == (COLOR_JPEG,)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    changes=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4
    ),
    in_header=st.booleans(),
)
def test_any_damage_is_refused_or_read(
    good: bytes, tmp_path: Path, changes: list[tuple[float, int]], in_header: bool
):
    data = bytearray(good)
    for place, value in changes:
        data[int(place * (FIRST_IMAGE if in_header else len(data)))] = value
    path = tmp_path / "scan.sens"
    path.write_bytes(data)
    try:
        read_all(path)
    except RecordingError:
        return


@pytest.mark.parametrize("write", [write_scannet_export, write_scannet_frames])
@pytest.mark.parametrize(
    ("folder", "suffix", "content", "message"),
    [
        ("depth", ".png", None, r"depth.*is missing"),
        ("depth", ".png", b"no image", r"depth.*neither JPEG"),
        ("pose", ".txt", None, r"pose.*is missing"),
        ("pose", ".txt", b"1 2 3", r"pose.*has 3 numbers, not 16"),
        ("pose", ".txt", b"one", r"pose.*holds no numbers|pose.*no matrix"),
        ("pose", ".txt", b"\xff\xfe", r"pose"),
        ("pose", ".txt", b"2 " * 16, r"pose.*no rigid transform"),
        ("color", ".jpg", b"\xff\xd8", r"color.*cut off"),
        ("instance", ".png", b"", r"instance.*nothing"),
    ],
)
def test_a_bad_file_of_a_scan_is_named(tmp_path: Path, write, folder, suffix, content, message):
    path = tmp_path / "scan"
    write(path, [make_frame(0)])
    if folder == "instance" and write is write_scannet_export:
        folder = "instance-filt"
    (file,) = (path / folder).glob(f"*{suffix}")
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(RecordingError, match=message):
        read_all(path)


def test_intrinsics_that_fit_no_size_are_named(tmp_path: Path):
    path = tmp_path / "scan"
    write_scannet_export(path, [make_frame(0)])
    matrix = np.eye(4)
    matrix[0, 2] = 5000
    np.savetxt(path / "intrinsic" / "intrinsic_color.txt", matrix)
    with pytest.raises(RecordingError, match=r"color/0\.jpg: is 80 x 60.*\(5000, 0\)"):
        read_all(path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: p.write_text("{"), "is not JSON"),
        (lambda p: p.write_text("{}"), "lacks the entry 'camera'"),
        (lambda p: p.write_text("[]"), "000000.json"),
        (lambda p: p.with_name("000000.depth.png").unlink(), r"depth\.png"),
        (lambda p: p.with_name("000000.ids.png").write_bytes(b""), r"ids\.png"),
    ],
)
def test_a_bad_household_frame_is_named(tmp_path: Path, spoil, message: str):
    write_household(tmp_path / "frames", [make_frame(0, registered=True)])
    spoil(tmp_path / "frames" / "000000.json")
    with pytest.raises(RecordingError, match=message):
        read_all(tmp_path / "frames")


def test_a_household_pose_that_is_none_is_named(tmp_path: Path):
    write_household(tmp_path / "frames", [make_frame(0, registered=True)])
    file = tmp_path / "frames" / "000000.json"
    meta = json.loads(file.read_text())
    for pose, message in (([[1.0]], "000000.json"), (np.ones((4, 4)).tolist(), "rigid")):
        meta["camera"]["world_from_optical"] = pose
        file.write_text(json.dumps(meta))
        with pytest.raises(RecordingError, match=message):
            read_all(tmp_path / "frames")


def test_what_is_no_recording_is_called_so(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        open_recording(tmp_path / "nowhere")
    (tmp_path / "film.mp4").write_bytes(b"film")
    for path in (tmp_path, tmp_path / "film.mp4"):
        with pytest.raises(RecordingError, match="no known recording"):
            open_recording(path)
    with pytest.raises(ValueError, match="rate is -1"):
        open_recording(tmp_path, rate_hz=-1)


def test_writers_refuse_what_they_cannot_write_and_leave_nothing(tmp_path: Path):
    from dataclasses import replace

    one = make_frame(0)
    without_pose = replace(one, world_from_camera=None)
    path = tmp_path / "scan.sens"
    for frames, message in (
        ([], "no frame"),
        ([without_pose], "has no pose"),
        ([one, make_frame(1, registered=True)], "another size"),
    ):
        with pytest.raises(ValueError, match=message):
            write_sens(path, frames)
        assert not path.exists()
    moved = make_frame(0, color_from_depth=np.diag([-1.0, -1.0, 1.0, 1.0]))
    with pytest.raises(ValueError, match="no extrinsics"):
        write_scannet_frames(tmp_path / "a", [moved])
    many = replace(one, instance_ids=np.full((60, 80), 300, np.uint16))
    for number, write in enumerate((write_scannet_export, write_household)):
        with pytest.raises(ValueError, match="instance id"):
            write(tmp_path / f"many{number}", [many])
    path.write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        write_sens(path, [one])
    assert path.read_bytes() == b"mine"
