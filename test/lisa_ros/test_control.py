from __future__ import annotations

from typing import Any

import pytest

from lisa_model.progress import Progress, Stage
from lisa_ros.control import LOCATING, WAITING, Control
from lisa_ros.errors import RequestError


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_stages_are_told_with_the_time_since_the_request_came():
    clock = Clock()
    told: list[Any] = []
    control = Control(clock=clock, on_stage=told.append)
    assert control.stage == WAITING
    clock.now += 0.5
    control.on_progress(Progress(Stage.READING))
    clock.now += 0.5
    control.on_progress(Progress(Stage.ANSWERING, 2, lambda: "It is"))
    control.enter(LOCATING)
    assert [(one.stage, one.partial_answer(), one.elapsed_s) for one in told] == [
        ("reading", "", 0.5),
        ("answering", "It is", 1.0),
        ("locating", "", 1.0),
    ]
    clock.now += 3.0
    assert control.silent_for() == 3.0


def test_the_deadline_ends_it_once_it_has_passed():
    clock = Clock()
    control = Control(deadline_s=2.0, clock=clock)
    assert control.seconds_left() == 2.0
    clock.now += 1.9
    control.enter(LOCATING)
    clock.now += 0.2
    with pytest.raises(RequestError, match="within 2 s") as caught:
        control.enter(LOCATING)
    assert caught.value.code == "deadline_exceeded"
    assert Control(clock=clock).seconds_left() == float("inf")


def test_the_first_reason_to_give_up_counts():
    clock = Clock()
    control = Control(deadline_s=1.0, clock=clock)
    control.give_up(RequestError(code="cancelled", message="a"))
    clock.now += 5.0
    control.give_up(RequestError(code="later", message="b"))
    with pytest.raises(RequestError) as caught:
        control.check()
    assert caught.value.code == "cancelled"


def test_it_ends_once():
    control = Control()
    assert not control.finished
    assert control.finish()
    assert control.finished
    assert not control.finish()
