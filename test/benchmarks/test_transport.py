"""The transport setting between processes, as `python -m benchmarks.transport` measures it."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from benchmarks import transport
from benchmarks.transport import UNSET, TransportConfig, measure

pytestmark = pytest.mark.ros


@pytest.mark.slow
@pytest.mark.parametrize("qos", ["best_effort", "reliable"])
def test_images_come_through(qos: str) -> None:
    report = measure(TransportConfig(qos=qos, streams=2, frames=30))
    assert report.matched
    # The default of Fast DDS loses nearly all of them; a busy machine may cost single ones.
    assert 0.9 * report.sent <= report.received <= report.sent == 60
    assert report.age_ms is not None
    assert 0 < report.age_ms.p50 < 200


@pytest.mark.slow
@pytest.mark.parametrize("sides", [{"publisher": UNSET}, {"subscriber": UNSET}])
def test_a_side_without_the_setting_is_heard(sides: dict[str, Any]) -> None:
    report = measure(TransportConfig(qos="reliable", frames=20, **sides))
    assert report.matched
    assert report.received >= 18


@pytest.mark.parametrize("field", ["streams", "width", "height", "frames", "rate"])
def test_a_wrong_value_is_named(field: str) -> None:
    with pytest.raises(ValueError, match=f"{field} is 0; must be > 0"):
        TransportConfig(**{field: 0})


def test_an_unknown_quality_of_service_is_named() -> None:
    with pytest.raises(ValueError, match="qos is 'perfect'; choose one of best_effort, reliable"):
        TransportConfig(qos="perfect")


def test_a_mistake_on_the_command_line_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert transport.main(["--streams", "0"]) == 1
    assert capsys.readouterr().err == "transport: streams is 0; must be > 0\n"


def test_a_process_that_fails_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport.sys, "executable", "/bin/false")
    with pytest.raises(transport.TransportError, match="ended with status 1"):
        measure(TransportConfig(frames=1))
