"""Which message belongs to which intent."""

from __future__ import annotations

import time

from builtin_interfaces.msg import Time
from geometry_msgs.msg import PointStamped
from sensor_msgs.msg import Image
from std_msgs.msg import Header, String

from lisa_ros.demo_results import ResultCollector
from lisa_ros.msg import InstanceMasks, Targets


def header(sec: int) -> Header:
    return Header(stamp=Time(sec=sec), frame_id="camera_optical_frame")


def feed(collector: ResultCollector, intent: str, sec: int, *, best: int, answer: str) -> None:
    """Hand over a whole result, without its point."""
    collector.on_target_mask(Image(header=header(sec), width=sec))
    collector.on_masks(InstanceMasks(header=header(sec), intent=intent, answer=answer))
    collector.on_targets(Targets(header=header(sec), intent=intent, best=best))
    collector.on_answer(String(data=answer))


def test_only_the_intents_own_messages_count() -> None:
    collector = ResultCollector()
    collector.start("mine")
    feed(collector, "other", 1, best=-1, answer="not this")
    assert not collector.answered
    assert collector.results() is None
    before = time.monotonic()
    feed(collector, "mine", 2, best=-1, answer="this")
    results = collector.results()
    assert results is not None
    assert results.answer == "this"
    assert results.target_mask.width == 2
    assert results.target_point is None
    assert before <= results.mask_time_s <= time.monotonic()


def test_a_promised_point_is_waited_for() -> None:
    collector = ResultCollector()
    collector.start("mine")
    feed(collector, "mine", 2, best=0, answer="this")
    collector.on_target_point(PointStamped(header=header(1)))  # of an older frame
    assert collector.missing() == ["/target_point"]
    assert collector.results() is None
    collector.on_target_point(PointStamped(header=header(2)))
    results = collector.results()
    assert results is not None
    assert results.target_point is not None
    assert results.target_point.header.stamp.sec == 2


def test_what_is_missing_is_named() -> None:
    collector = ResultCollector()
    collector.start("mine")
    everything = ["/instance_masks", "/targets", "/target_mask", "/answer"]
    assert collector.missing() == everything
    collector.on_answer(String(data="this"))
    collector.on_masks(InstanceMasks(header=header(2), intent="mine", answer="this"))
    assert collector.answered
    assert collector.missing() == ["/targets", "/target_mask"]


def test_start_forgets() -> None:
    collector = ResultCollector()
    collector.start("mine")
    feed(collector, "mine", 2, best=-1, answer="this")
    collector.start("mine")
    assert not collector.answered
