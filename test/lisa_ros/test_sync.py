from __future__ import annotations

from typing import Any

import pytest

from lisa_ros.errors import InputError
from lisa_ros.sync import HISTORY, FrameBuffer, stamp_ns

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


def test_time_that_jumps_back_does_not_matter(make: Any):
    """A bag that starts over: the newest is what arrived last, not what is stamped last."""
    buffer = FrameBuffer()
    buffer.add("image", make.image(500.0), 0.0)
    buffer.add("image", make.image(1.0), 1.0)
    assert stamp_ns(buffer.newest(SLOP).colour) == 1_000_000_000  # type: ignore[union-attr]
