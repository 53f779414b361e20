from __future__ import annotations

import array
from typing import Any

import numpy as np
import pytest

from lisa_ros.camera_view import CameraView, parse_depth_to_colour
from lisa_ros.compressed import compressed_to_rgb, rgb_to_compressed
from lisa_ros.compressed_depth import depth_to_compressed
from lisa_ros.conversion import image_to_rgb
from lisa_ros.errors import InputError
from lisa_ros.frame import Frame
from lisa_ros.matching import stamp_ns
from lisa_ros.sync import HISTORY, FrameBuffer

SLOP = 0.05


def test_nothing_yet(make: Any):
    buffer = FrameBuffer()
    assert buffer.newest(SLOP) is None
    buffer.add("depth", make.depth(), 0.0)
    assert buffer.newest(SLOP) is None


def test_a_complete_frame(make: Any):
    buffer = FrameBuffer()
    image, depth, info = make.image(5.0), make.depth(5.02), make.info(5.0)
    buffer.add("depth", depth, 0.0)
    buffer.add("image", image, 0.1)
    buffer.add("camera_info", info, 0.2)
    frame = buffer.newest(SLOP)
    assert frame is not None
    assert frame.complete
    assert (frame.colour, frame.depth, frame.info) == (image, depth, info)
    assert frame.received == 0.1
    assert frame.missing == ""


def test_the_nearest_depth_is_taken(make: Any):
    buffer = FrameBuffer()
    buffer.add("camera_info", make.info(0.0), 0.0)
    buffer.add("image", make.image(2.0), 0.0)
    for stamp in (1.97, 2.01, 2.04):
        buffer.add("depth", make.depth(stamp), 0.0)
    frame = buffer.newest(SLOP)
    assert frame is not None
    assert stamp_ns(frame.depth) == 2_010_000_000


@pytest.mark.parametrize(("gap", "fits"), [(0.049, True), (0.05, True), (0.051, False)])
def test_slop_is_inclusive(make: Any, gap: float, fits: bool):
    buffer = FrameBuffer()
    buffer.add("camera_info", make.info(3.0), 0.0)
    buffer.add("image", make.image(3.0), 0.0)
    buffer.add("depth", make.depth(3.0 + gap), 0.0)
    frame = buffer.newest(SLOP)
    assert frame is not None
    assert frame.complete is fits
    if not fits:
        assert frame.missing == "no_depth"
        assert "0.051 s" in frame.missing_text


def test_late_depth_goes_to_its_own_image(make: Any):
    """Depth that is 40 ms late makes the image before the newest the newest complete frame."""
    buffer = FrameBuffer()
    buffer.add("camera_info", make.info(0.0), 0.0)
    buffer.add("image", make.image(1.00), 10.00)
    buffer.add("image", make.image(1.10), 10.10)
    buffer.add("depth", make.depth(1.00), 10.14)
    frame = buffer.newest(SLOP)
    assert frame is not None
    assert frame.complete
    assert stamp_ns(frame.colour) == 1_000_000_000


def test_dead_depth_does_not_hold_back_colour(make: Any):
    buffer = FrameBuffer()
    buffer.add("camera_info", make.info(0.0), 0.0)
    buffer.add("depth", make.depth(1.0), 10.0)
    buffer.add("image", make.image(1.0), 10.0)
    buffer.add("image", make.image(1.5), 10.5)  # of a slow camera, still in the history
    frame = buffer.newest(SLOP)
    assert frame is not None
    assert stamp_ns(frame.colour) == 1_500_000_000
    assert frame.missing == "no_depth"


def test_what_is_missing_is_said(make: Any):
    buffer = FrameBuffer()
    buffer.add("image", make.image(), 0.0)
    assert buffer.newest(SLOP).missing == "no_depth"  # type: ignore[union-attr]
    buffer.add("depth", make.depth(), 0.0)
    assert buffer.newest(SLOP).missing == "no_camera_info"  # type: ignore[union-attr]


def test_a_refused_depth_is_the_reason(make: Any):
    buffer = FrameBuffer()
    buffer.add("camera_info", make.info(), 0.0)
    buffer.add("image", make.image(), 0.0)
    error = InputError(code="depth_step", field="depth.step", problem="is 3", remedy="Fix it")
    buffer.note_refused("depth", error, 1.0)
    frame = buffer.newest(SLOP)
    assert frame is not None
    assert frame.missing == "invalid_depth"
    assert "depth.step is 3" in frame.missing_text
    buffer.add("depth", make.depth(), 2.0)
    assert buffer.newest(SLOP).complete  # type: ignore[union-attr]


def test_a_depth_that_does_not_fit_is_the_reason(make: Any):
    buffer = FrameBuffer()
    buffer.add("camera_info", make.info(), 0.0)
    buffer.add("depth", make.depth(size=(24, 32)), 0.0)
    buffer.add("image", make.image(), 0.0)
    frame = buffer.newest(SLOP)
    assert frame is not None
    assert frame.missing == "invalid_depth"
    assert "32 x 24" in frame.missing_text


def test_only_the_last_few_are_remembered(make: Any):
    buffer = FrameBuffer()
    for number in range(100):
        buffer.add("image", make.image(float(number)), float(number))
    assert len(buffer._streams["image"]) == HISTORY
    assert stamp_ns(buffer.newest(SLOP).colour) == 99_000_000_000  # type: ignore[union-attr]
    buffer.clear()
    assert buffer.newest(SLOP) is None
    assert buffer.newest_received() is None


def fill(buffer: FrameBuffer, make: Any, stamp: float, now: float) -> list[bool]:
    return [
        buffer.add("image", make.image(stamp), now),
        buffer.add("depth", make.depth(stamp), now),
        buffer.add("camera_info", make.info(stamp), now),
    ]


def test_a_recording_that_starts_over_is_not_mixed_with_its_last_round(make: Any):
    buffer = FrameBuffer()
    for number in range(3):
        assert not any(fill(buffer, make, 0.5 + number, float(number)))
    assert buffer.add("image", make.image(0.5), 3.0)
    frame = buffer.newest(SLOP)
    assert frame is not None
    assert stamp_ns(frame.colour) == 500_000_000
    assert frame.missing == "no_depth", "the depth of stamp 0.5 is the last round's"
    assert buffer.first_received() == 3.0
    # The other streams jump with it, without forgetting what just came.
    assert not buffer.add("depth", make.depth(0.5), 3.01)
    assert not buffer.add("camera_info", make.info(0.5), 3.02)
    assert buffer.newest(SLOP).complete  # type: ignore[union-attr]


@pytest.mark.parametrize(("back", "jumped"), [(0.1, False), (1.0, False), (1.01, True)])
def test_messages_that_overtake_each_other_are_no_jump(make: Any, back: float, jumped: bool):
    buffer = FrameBuffer()
    buffer.add("image", make.image(10.0), 0.0)
    assert buffer.add("image", make.image(10.0 - back), 0.1) is jumped


def test_a_static_calibration_outlives_a_jump(make: Any):
    buffer = FrameBuffer()
    buffer.add("camera_info", make.info(0.0), 0.0)
    buffer.add("image", make.image(500.0), 0.0)
    assert buffer.add("image", make.image(1.0), 1.0)
    assert not buffer.add("camera_info", make.info(0.0), 1.0)
    buffer.add("depth", make.depth(1.0), 1.0)
    assert buffer.newest(SLOP).complete  # type: ignore[union-attr]
    buffer.clear()
    buffer.add("image", make.image(1.0), 2.0)
    assert buffer.newest(SLOP).info is None  # type: ignore[union-attr]


def test_stamps_far_ahead_are_as_good_as_others(make: Any):
    buffer = FrameBuffer()
    fill(buffer, make, 1.0, 0.0)
    assert not any(fill(buffer, make, 2_000_000_000.0, 1.0))
    frame = buffer.newest(SLOP)
    assert frame is not None
    assert frame.complete
    assert stamp_ns(frame.colour) == 2_000_000_000 * 10**9
    assert frame.received == 1.0, "ages are those of arrival"
    assert any(fill(buffer, make, 2.0, 2.0)), "and the way back is a jump"
    assert buffer.newest(SLOP).complete  # type: ignore[union-attr]


def test_of_equal_stamps_the_last_counts(make: Any):
    buffer = FrameBuffer()
    fill(buffer, make, 1.0, 0.0)
    image, depth, info = make.image(1.0), make.depth(1.0, metres=2.0), make.info(1.0)
    for stream, msg in (("image", image), ("depth", depth), ("camera_info", info)):
        assert not buffer.add(stream, msg, 0.5)  # type: ignore[arg-type]
    frame = buffer.newest(SLOP)
    assert frame is not None
    assert (frame.colour is image, frame.depth is depth, frame.info is info) == (True,) * 3


def jpeg(make: Any, stamp: float) -> Any:
    return rgb_to_compressed(image_to_rgb(make.image()), make.header(stamp))


def png_depth(make: Any, stamp: float, damaged: bool = False) -> Any:
    noise = np.random.default_rng(0).integers(900, 1500, make.size).astype(np.uint16)
    msg = depth_to_compressed(noise, make.header(stamp))
    return damage(msg) if damaged else msg


def damage(msg: Any) -> Any:
    """Overwrite the middle of the data; the headers, which are checked on arrival, stay good."""
    middle = len(msg.data) // 2
    msg.data[middle : middle + 40] = array.array("B", b"\xff\xc0" * 20)
    return msg


def decode(buffer: FrameBuffer, frame: Frame, oldest: float = 0.0) -> tuple[Frame, list[str]]:
    refused: list[InputError] = []
    decoded = buffer.decode(frame, slop_s=SLOP, oldest=oldest, on_refused=refused.append, now=5.0)
    return decoded, [error.code for error in refused]


def newest(buffer: FrameBuffer) -> Frame:
    frame = buffer.newest(SLOP)
    assert frame is not None
    return frame


def test_nothing_is_decoded_before_it_is_used(make: Any, monkeypatch: pytest.MonkeyPatch):
    calls = []

    def decode_once(msg: Any) -> Any:
        calls.append(msg)
        return compressed_to_rgb(msg)

    monkeypatch.setattr("lisa_ros.frame.compressed_to_rgb", decode_once)
    buffer = FrameBuffer()
    buffer.add("camera_info", make.info(0.0), 0.0)
    for number in range(10):
        buffer.add("image", jpeg(make, float(number)), float(number))
    assert calls == []
    frame, _ = decode(buffer, newest(buffer))
    decode(buffer, newest(buffer))
    assert frame.rgb() is newest(buffer).rgb()
    assert len(calls) == 1


def test_a_damaged_image_leaves_the_one_before_usable(make: Any):
    buffer = FrameBuffer()
    buffer.add("camera_info", make.info(0.0), 1.0)
    for stamp, image in ((1.0, make.image(1.0)), (1.1, cut_png(make, 1.1))):
        buffer.add("depth", make.depth(stamp), stamp)
        buffer.add("image", image, stamp)
    assert stamp_ns(newest(buffer).colour) == 1_100_000_000
    frame, refused = decode(buffer, newest(buffer))
    assert stamp_ns(frame.colour) == 10**9
    assert refused == ["image_data"]
    assert frame.complete
    _, refused = decode(buffer, newest(buffer))
    assert refused == [], "it is refused once"


def cut_png(make: Any, stamp: float) -> Any:
    msg = rgb_to_compressed(image_to_rgb(make.image()), make.header(stamp), codec="png")
    msg.data[45:90] = array.array("B", bytes(45))
    return msg


def test_a_damaged_image_alone_is_the_reason(make: Any):
    buffer = FrameBuffer()
    buffer.add("image", cut_png(make, 1.0), 1.0)
    with pytest.raises(InputError, match=r"image\.data.*damaged.*whole messages") as caught:
        decode(buffer, newest(buffer))
    assert caught.value.code == "image_data"
    assert buffer.newest(SLOP) is None


def test_a_frame_too_old_does_not_replace_a_damaged_one(make: Any):
    buffer = FrameBuffer()
    fill(buffer, make, 1.0, 1.0)
    buffer.add("image", cut_png(make, 4.0), 4.0)
    with pytest.raises(InputError):
        decode(buffer, newest(buffer), oldest=3.0)


def test_damaged_depth_is_the_reason_for_no_3d(make: Any):
    buffer = FrameBuffer()
    buffer.add("camera_info", make.info(0.0), 1.0)
    buffer.add("image", make.image(1.0), 1.0)
    buffer.add("depth", png_depth(make, 1.0, damaged=True), 1.0)
    frame, refused = decode(buffer, newest(buffer))
    assert refused == ["depth_data"]
    assert (frame.depth, frame.missing) == (None, "invalid_depth")
    assert "depth.data" in frame.missing_text
    np.testing.assert_array_equal(frame.rgb(), image_to_rgb(make.image()))


def test_the_complete_frame_before_damaged_depth_is_preferred(make: Any):
    buffer = FrameBuffer()
    buffer.add("camera_info", make.info(0.0), 1.0)
    for number, damaged in enumerate((False, True)):
        stamp = 1.0 + 0.1 * number
        buffer.add("image", jpeg(make, stamp), stamp)
        buffer.add("depth", png_depth(make, stamp, damaged), stamp)
    frame, refused = decode(buffer, newest(buffer))
    assert refused == ["depth_data"]
    assert (stamp_ns(frame.colour), frame.complete) == (10**9, True)


VIEW = CameraView(colour_from_depth=parse_depth_to_colour("0.1 0 0 0 0 0 1"))


def test_unregistered_depth_needs_its_own_camera_info(make: Any):
    buffer = FrameBuffer(VIEW)
    buffer.add("camera_info", make.info(1.0), 0.0)
    buffer.add("image", make.image(1.0), 0.0)
    buffer.add("depth", make.depth(1.02, size=(24, 32)), 0.0)
    assert newest(buffer).missing == "no_camera_info"
    assert newest(buffer).missing_text == "no depth_camera_info message has arrived"
    buffer.add("depth_camera_info", make.info(1.9, size=(24, 32)), 0.0)
    assert "s from the depth image" in newest(buffer).missing_text
    buffer.add("depth_camera_info", make.info(1.02, size=(48, 64)), 0.0)
    assert newest(buffer).missing == "invalid_depth"
    assert "the depth image is 32 x 24" in newest(buffer).missing_text
    buffer.add("depth_camera_info", make.info(1.02, size=(24, 32)), 0.0)
    frame = newest(buffer)
    assert frame.complete
    assert frame.depth_info is not None
    assert frame.depth_m().shape == make.size
    assert FrameBuffer().newest(SLOP) is None
