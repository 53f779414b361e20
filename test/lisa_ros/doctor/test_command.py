"""The whole command: without ROS, and over DDS with a camera and a node."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from live_node import Domain, domain, live_node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import String

from lisa_model.cli import build_parser
from lisa_ros.doctor import command
from lisa_ros.doctor.camera import check_camera
from lisa_ros.doctor.command import examine, guarded, run
from lisa_ros.doctor.observe import Where, observe
from lisa_ros.doctor.perception import check_node
from lisa_ros.doctor.report import Finding, Status, failed, ok

ROOT = Path(__file__).resolve().parents[3]


def arguments(*words: str) -> argparse.Namespace:
    return build_parser().parse_args(["doctor", *words])


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


@contextmanager
def camera(made: Domain, make: Any, *, rate_hz: float = 20.0, **changes: Any) -> Iterator[None]:
    """Publish frames with this moment's stamp; changes are fields of the depth image."""
    publishers = [
        made.probe.create_publisher(kind, topic, qos_profile_sensor_data)
        for kind, topic in (
            (Image, "/camera/color/image_raw"),
            (Image, "/camera/depth/image_raw"),
            (CameraInfo, "/camera/color/camera_info"),
        )
    ]
    ended = threading.Event()

    def film() -> None:
        while not ended.wait(1.0 / rate_hz):
            stamp = time.time()
            messages = (make.image(stamp), make.depth(stamp, **changes), make.info(stamp))
            for publisher, message in zip(publishers, messages, strict=True):
                publisher.publish(message)

    filming = threading.Thread(target=film)
    filming.start()
    try:
        yield
    finally:
        ended.set()
        filming.join()


@pytest.mark.ros
def test_camera_and_node_over_dds(make: Any, fake: Any, monkeypatch: pytest.MonkeyPatch):
    with domain() as made, live_node(made, fake, monkeypatch), camera(made, make):
        intents = made.probe.create_publisher(String, "/intent", 10)
        made.until(lambda: intents.get_subscription_count() == 1)
        intents.publish(String(data="   "))
        observed = observe(Where(), context=made.context)
        findings = by_name(check_camera(observed) + check_node(observed.node))
    assert findings["color"].status is Status.OK
    assert "64x48 rgb8" in findings["color"].what
    assert 5.0 < observed.color.rate_hz <= 30.0
    assert findings["stamps of depth"].status is Status.OK
    assert findings["stamps of camera info"].status is Status.OK
    assert findings["clock"].status is Status.OK
    assert findings["node"].status is Status.OK
    assert findings["QoS"].status is Status.OK
    assert "intent_empty 1" in findings["refused"].what


@pytest.mark.ros
def test_a_bad_camera_and_no_node_over_dds(make: Any):
    with domain() as made, camera(made, make, encoding="mono8", step=64, data=make.bytes(64 * 48)):
        subscription = made.probe.create_subscription(String, "/unrelated", lambda _: None, 10)
        observed = observe(Where(info="/elsewhere"), listen_s=0.5, context=made.context)
        made.probe.destroy_subscription(subscription)
    findings = by_name(check_camera(observed) + check_node(observed.node))
    assert findings["depth"].status is Status.FAILED
    assert "depth.encoding is 'mono8'" in findings["depth"].what
    assert "/elsewhere" in findings["camera info"].what
    assert "/camera/depth/image_raw" in findings["camera info"].what
    assert findings["node"].status is Status.WARNING


@pytest.mark.ros
def test_topics_move_with_the_namespace():
    with domain() as made:
        observed = observe(
            Where(namespace="robot1", depth="/other/depth"), listen_s=0.1, context=made.context
        )
    assert observed.color.topic == "/robot1/camera/color/image_raw"
    assert observed.depth.topic == "/other/depth"
    assert observed.node.name == "/robot1/perception_node"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No check takes time: each group has one good finding."""
    monkeypatch.setattr(command, "installation", lambda: [ok("python", "3.12")])
    monkeypatch.setattr(command, "weights", lambda model: ([ok(model, "whole")], 1000))
    monkeypatch.setattr(command, "transport", lambda *args: [ok("domain", "0")])
    monkeypatch.setattr(command, "_self_test", lambda: [ok("images", "30 of 30")])
    monkeypatch.setattr(command, "_topics", lambda args: [ok("color", "there")])
    return monkeypatch


def test_the_report_is_printed_and_written(
    quick: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "new" / "report.json"
    assert run(arguments("--json", str(path))) == 0
    printed = capsys.readouterr()
    assert "ok      images: 30 of 30" in printed.out
    assert "checking the installation" in printed.err
    values = json.loads(path.read_text())
    assert list(values["groups"]) == ["installation", "weights", "device", "transport", "topics"]
    quick.setattr(command, "_topics", lambda args: [failed("color", "silent", "look")])
    assert run(arguments()) == 1
    assert run(arguments("--no-topics")) == 0


def test_without_ros_the_rest_is_examined(quick: pytest.MonkeyPatch):
    quick.setattr(command, "rclpy_error", lambda: "no rclpy")
    report = examine(arguments(), say=lambda text: None)
    assert list(report.groups) == ["installation", "weights", "device", "transport"]
    assert [one.name for one in report.groups["transport"]] == ["domain"]


def test_without_pytorch_the_rest_is_examined(quick: pytest.MonkeyPatch):
    quick.setattr(
        command, "import_error", lambda name: "no torch" if "lisa_model" in name else None
    )
    report = examine(arguments(), say=lambda text: None)
    assert report.exit_status == 1
    assert report.groups["weights"][0].what == "no torch"
    assert report.groups["topics"][0].status is Status.OK


def test_a_check_that_falls_over_is_a_finding():
    def fall() -> list[Finding]:
        raise RuntimeError("rcl is broken")

    (finding,) = guarded("images", fall)
    assert finding.status is Status.FAILED
    assert "rcl is broken" in finding.what


def test_nothing_of_ros_or_pytorch_is_imported_with_the_command():
    code = (
        "import sys, lisa_ros.doctor.command; "
        "print(sorted({'rclpy', 'torch', 'sensor_msgs', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_the_command_line(tmp_path: Path):
    path = tmp_path / "report.json"
    done = subprocess.run(
        [sys.executable, "-m", "lisa_model.cli", "doctor", "--no-topics", "--json", str(path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=300,
    )
    values = json.loads(path.read_text())
    assert done.returncode == values["exit_status"]
    assert set(values["groups"]) == {"installation", "weights", "device", "transport"}
    statuses = {one["name"]: one["status"] for part in values["groups"].values() for one in part}
    assert statuses["lisa-tiny"] == "ok"
    assert "images" in statuses
