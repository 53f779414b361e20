from __future__ import annotations

from typing import Any

import pytest

from lisa_ros.errors import RequestError
from lisa_ros.frame import Frame
from lisa_ros.gate import START_UP_S, choose_frame
from lisa_ros.parameters import Settings
from lisa_ros.worker import Ready, Wait

SETTINGS = Settings.defaults()  # frame_timeout_s 2, max_frame_age_s 1


def decide(
    frame: Frame | None, waited: float, now: float = 100.0, camera_for_s: float = 60.0
) -> Any:
    return choose_frame(
        frame, waited_s=waited, camera_for_s=camera_for_s, now=now, settings=SETTINGS
    )


@pytest.fixture
def complete(make: Any) -> Frame:
    return Frame(colour=make.image(), received=99.9, depth=make.depth(), info=make.info())


def test_a_fresh_complete_frame_starts_at_once(complete: Frame):
    assert decide(complete, 0.0) == Ready(complete)


def test_without_a_frame_the_intent_waits_and_is_then_refused():
    assert decide(None, 0.0) == Wait(2.0)
    assert decide(None, 1.5) == Wait(0.5)
    refused = decide(None, 2.0)
    assert isinstance(refused, RequestError)
    assert refused.code == "intent_without_frame"
    assert "camera/color/image_raw" in str(refused)


def test_a_stale_frame_is_refused_likewise(complete: Frame):
    assert decide(complete, 0.0, now=100.9) == Ready(complete)
    assert decide(complete, 0.5, now=101.0) == Wait(1.5)
    refused = decide(complete, 2.0, now=107.9)
    assert isinstance(refused, RequestError)
    assert refused.code == "stale_frame"
    assert "8.0 s ago" in str(refused)


def test_depth_that_may_still_come_is_waited_for_when_the_camera_starts(make: Any):
    frame = Frame(colour=make.image(), received=99.9, missing="no_depth")
    assert decide(frame, 1.5, camera_for_s=0.0) == Wait(START_UP_S)
    assert decide(frame, 0.0, camera_for_s=START_UP_S) == Ready(frame)
    assert decide(frame, 0.0) == Ready(frame), "a camera without depth costs no time"


def test_refused_depth_is_not_waited_for(make: Any):
    frame = Frame(colour=make.image(), received=99.9, missing="invalid_depth")
    assert decide(frame, 0.0, camera_for_s=0.0) == Ready(frame)
