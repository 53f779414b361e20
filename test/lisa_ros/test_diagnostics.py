from __future__ import annotations

from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus

from lisa_ros.diagnostics import Diagnostics, NodeState, percentile

ACTIVE = NodeState(lifecycle="active", model="lisa-tiny", device="cpu", frame_age_s=0.01)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def values(status: DiagnosticStatus) -> dict[str, str]:
    return {entry.key: entry.value for entry in status.values}


def test_counters_last_error_and_timings():
    clock = Clock()
    diagnostics = Diagnostics(clock)
    diagnostics.count("intents_received")
    assert diagnostics.count_refused("image_step", "image.step is 3") == 1
    assert diagnostics.count_refused("image_step", "image.step is 4") == 2
    for number in range(1, 101):
        diagnostics.add_timings({"segment": number / 100})
    status = diagnostics.status("/perception_node: perception", ACTIVE)
    found = values(status)
    assert found["intents_received"] == "1"
    assert found["refused.image_step"] == "2"
    assert found["last_error"] == "image_step: image.step is 4"
    assert found["model"] == "lisa-tiny"
    assert found["device"] == "cpu"
    assert found["segment_p50_s"] == "0.5100"
    assert found["segment_p95_s"] == "0.9600"
    assert status.level == DiagnosticStatus.WARN
    clock.now += 11
    assert diagnostics.status("x", ACTIVE).level == DiagnosticStatus.OK
    assert values(diagnostics.status("x", ACTIVE))["last_error_age_s"] == "11.0"


def test_levels():
    diagnostics = Diagnostics()

    def level(**state: Any) -> bytes:
        return diagnostics.status("x", NodeState(**state)).level

    assert level(lifecycle="active", frame_age_s=0.1) == DiagnosticStatus.OK
    assert level(lifecycle="active") == DiagnosticStatus.WARN
    assert level(lifecycle="active", frame_age_s=60.0) == DiagnosticStatus.WARN
    assert level(lifecycle="inactive") == DiagnosticStatus.STALE


def test_repeated_messages_are_logged_now_and_then():
    clock = Clock()
    diagnostics = Diagnostics(clock)
    assert diagnostics.should_log("a")
    assert not diagnostics.should_log("a")
    assert diagnostics.should_log("b")
    clock.now += 5.1
    assert diagnostics.should_log("a")


def test_timings_do_not_grow():
    diagnostics = Diagnostics()
    for _ in range(1000):
        diagnostics.add_timings({"segment": 1.0})
    assert len(diagnostics._timings["segment"]) == 100


def test_percentile_is_one_of_the_values():
    assert percentile([3.0], 95) == 3.0
    assert percentile([1.0, 2.0], 100) == 2.0
