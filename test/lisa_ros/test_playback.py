"""Recorded time, looping and reading ahead, without ROS and with clocks that are told."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from itertools import islice

import pytest

from lisa_ros.playback import Event, Outgoing, ReadAhead, Timeline, looped

S = 1_000_000_000


class Clocks:
    """A monotonic and a wall clock that stand until they are moved."""

    def __init__(self) -> None:
        self.monotonic = 50 * S
        self.epoch = 1_700_000_000 * S

    def advance(self, seconds: float) -> None:
        self.monotonic += round(seconds * S)
        self.epoch += round(seconds * S)

    def timeline(self, rate: float = 1.0, paused: bool = False) -> Timeline:
        return Timeline(
            rate,
            paused=paused,
            monotonic_ns=lambda: self.monotonic,
            epoch_ns=lambda: self.epoch,
        )


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def test_time_passes_at_the_rate(clocks: Clocks):
    timeline = clocks.timeline(rate=2.0)
    timeline.start(100 * S)
    assert timeline.wait_s(103 * S) == 1.5
    clocks.advance(1)
    assert timeline.now_ns() == 102 * S
    assert timeline.wait_s(103 * S) == 0.5
    clocks.advance(1)
    assert timeline.wait_s(103 * S) == -0.5


def test_a_pause_takes_no_recorded_time(clocks: Clocks):
    timeline = clocks.timeline()
    timeline.start(100 * S)
    clocks.advance(1)
    timeline.pause(True)
    assert timeline.paused
    clocks.advance(60)
    assert timeline.now_ns() == 101 * S
    assert timeline.wait_s(101 * S) == math.inf
    timeline.pause(False)
    assert timeline.wait_s(103 * S) == 2.0
    timeline.pause(False)  # again: nothing
    assert timeline.wait_s(103 * S) == 2.0


def test_it_can_start_paused(clocks: Clocks):
    timeline = clocks.timeline(paused=True)
    timeline.start(100 * S)
    clocks.advance(5)
    assert timeline.wait_s(100 * S) == math.inf
    timeline.pause(False)
    assert timeline.wait_s(101 * S) == 1.0


def test_stamps_of_playing_keep_their_distance(clocks: Clocks):
    timeline = clocks.timeline(rate=0.5)
    timeline.start(100 * S)
    start = clocks.epoch
    assert timeline.to_epoch_ns(100 * S) == start
    assert timeline.to_epoch_ns(101 * S) == start + 2 * S
    clocks.advance(3)
    assert timeline.to_epoch_ns(101 * S) == start + 2 * S  # whenever it is asked
    assert timeline.to_epoch_ns(-(10**12) * S) == 0
    timeline.pause(True)
    clocks.advance(10)
    timeline.pause(False)
    assert timeline.to_epoch_ns(101.5 * S) == start + 13 * S


def test_what_was_late_moves_what_follows(clocks: Clocks):
    timeline = clocks.timeline()
    timeline.start(100 * S)
    clocks.advance(4)
    timeline.delay_to(101 * S)
    assert timeline.wait_s(102 * S) == 1.0


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan, math.inf])
def test_impossible_rates_are_refused(rate: float):
    with pytest.raises(ValueError, match="rate is"):
        Timeline(rate)


class Listed:
    """A source of given moments."""

    description = "listed"

    def __init__(self, *times: float, stamp: float | None = None) -> None:
        self.topics = {"t": object}
        self.times = times
        self.stamp = stamp

    def summary(self) -> str:
        return ""

    def events(self) -> Iterator[Event]:
        for moment in self.times:
            stamp = moment if self.stamp is None else self.stamp
            yield Event(round(moment * S), (Outgoing("t", round(stamp * S), None),))


def test_once():
    assert [event.time_ns for event in looped(Listed(5, 6), False)] == [5 * S, 6 * S]
    assert list(looped(Listed(), True)) == []


def test_a_loop_goes_on_with_rising_times():
    events = list(islice(looped(Listed(5.0, 5.5, 6.0), True), 7))
    assert [event.time_ns / S for event in events] == [5, 5.5, 6, 6.5, 7, 7.5, 8]
    assert [event.messages[0].stamp_ns / S for event in events] == [5, 5.5, 6, 6.5, 7, 7.5, 8]
    alone = islice(looped(Listed(5.0), True), 3)
    assert [event.time_ns / S for event in alone] == [5, 5.1, 5.2]
    # A static calibration stays one.
    static = islice(looped(Listed(5.0, 6.0, stamp=0), True), 4)
    assert {event.messages[0].stamp_ns for event in static} == {0}


def take(ahead: ReadAhead) -> Event | None:
    end = time.monotonic() + 10
    while True:
        try:
            return ahead.take()
        except TimeoutError:
            assert time.monotonic() < end
            time.sleep(0.001)


def test_reading_ahead_gives_all_in_order_and_the_end():
    with ReadAhead(Listed(*range(20)).events()) as ahead:
        found = [take(ahead) for _ in range(20)]
        assert [event.time_ns // S for event in found if event] == list(range(20))
        assert take(ahead) is None


def test_reading_ahead_is_limited_and_can_be_given_up():
    read: list[int] = []

    def endless() -> Iterator[Event]:
        while True:
            read.append(1)
            yield Event(0, ())

    with ReadAhead(endless()) as ahead:
        take(ahead)
        time.sleep(0.2)
    assert len(read) < 10


def test_errors_come_after_what_was_read():
    def failing() -> Iterator[Event]:
        yield Event(7, ())
        raise ValueError("damaged")

    with ReadAhead(failing()) as ahead:
        assert take(ahead) == Event(7, ())
        with pytest.raises(ValueError, match="damaged"):
            take(ahead)
