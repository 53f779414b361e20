"""The ordeal itself over DDS, for seconds, with a stand-in for the model."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("lisa_ros.msg", reason="the interfaces are not built (make build)")

from demo_support import write_scene

from benchmarks import ordeal
from lisa_ros.transport import FASTDDS_TRANSPORT_DEFAULT, FASTDDS_TRANSPORT_VARIABLE

pytestmark = [pytest.mark.ros, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
STAND_IN = Path(__file__).with_name("ordeal_perception.py")
ENDS = "each request answered or refused with a code, once"
# Depends on what else the machine does, in so short a run.
OF_THE_MACHINE = ("camera's rate", "memory, median", "p95 of intent", "get_parameters every")


@pytest.fixture
def common(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the arguments of every run."""
    path = [str(ROOT), str(ROOT / "test" / "support"), os.environ.get("PYTHONPATH", "")]
    for name in ("ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE", "PYTHONUNBUFFERED"):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # put back what the rig changes
    transport = os.environ.get(FASTDDS_TRANSPORT_VARIABLE, FASTDDS_TRANSPORT_DEFAULT)
    monkeypatch.setenv(FASTDDS_TRANSPORT_VARIABLE, transport)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path).rstrip(os.pathsep))
    monkeypatch.setattr(ordeal, "end_on_sigterm", lambda: None)  # pytest keeps its own
    return [
        f"--scene={write_scene(tmp_path / 'scenes')}",
        f"--json={tmp_path / 'report.json'}",
        f"--logs={tmp_path / 'log'}",
        f"--domain-id={1 + (os.getpid() * 7 + 33) % 101}",
        "--camera-hz=15",
        "--pace=4",
        "--warm-up=5",
        "--drain=15",
    ]


def run(common: list[str], tmp_path: Path, mistake: str, minutes: float) -> tuple[int, dict]:
    command = [sys.executable, str(STAND_IN), "0.15", mistake]
    status = ordeal.main([f"--minutes={minutes}", "--seed=3", *common], command)
    return status, json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))


def failed(report: dict) -> list[str]:
    names = [one["name"] for one in report["verdicts"] if not one["passed"]]
    return [name for name in names if not name.startswith(OF_THE_MACHINE)]


def test_every_request_of_a_good_node_has_an_end(common: list[str], tmp_path: Path) -> None:
    status, report = run(common, tmp_path, "none", 0.45)
    assert failed(report) == [], report["mistakes"] or report["verdicts"]
    assert status in (0, 1)
    assert report["seed"] == 3
    assert report["stand_in_node"] is True
    assert report["model"] == "followed"
    assert sum(sum(ends.values()) for ends in report["ends"].values()) >= 40
    assert {"topic", "action", "service"} == set(report["ends"])
    assert report["camera"]["starts"] == 3
    assert len(report["events"]) == sum(report["event_counts"].values())


@pytest.mark.parametrize(
    ("mistake", "failing"),
    [
        ("loses", ENDS),
        ("twice", ENDS),
        ("raises", "exceptions in the node's log"),
    ],
)
def test_a_node_with_a_mistake_fails(
    common: list[str], tmp_path: Path, mistake: str, failing: str
) -> None:
    status, report = run(common, tmp_path, mistake, 0.34)
    assert status == 1
    assert failing in failed(report)
