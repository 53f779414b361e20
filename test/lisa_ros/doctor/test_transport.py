from __future__ import annotations

import fcntl
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ros_domain import free_domain

from lisa_ros.doctor.report import Finding, Status
from lisa_ros.doctor.transport import (
    check_domain,
    check_loopback,
    check_rmw,
    check_security,
    check_settings,
    check_shared_memory,
    free_shared_memory,
    interface_flags,
    multicast_error,
    stale_segments,
    transport,
)
from lisa_ros.transport import FASTDDS_TRANSPORT_DEFAULT, FASTDDS_TRANSPORT_VARIABLE

GOOD = {FASTDDS_TRANSPORT_VARIABLE: FASTDDS_TRANSPORT_DEFAULT}
MIB = 2**20


def test_settings_that_cost_images_are_a_warning_with_the_remedy():
    assert check_settings(GOOD).status is Status.OK
    for environment, said in (
        ({}, FASTDDS_TRANSPORT_DEFAULT),
        (GOOD | {"ROS_LOCALHOST_ONLY": "1"}, "ROS_DOMAIN_ID"),
    ):
        finding = check_settings(environment)
        assert finding.status is Status.WARNING
        assert said in finding.remedy


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", Status.OK),
        ("0", Status.OK),
        ("101", Status.OK),
        ("150", Status.WARNING),
        ("232", Status.OK),
        ("233", Status.FAILED),
        ("-1", Status.FAILED),
        ("robot1", Status.FAILED),
        ("²", Status.FAILED),
    ],
)
def test_domain(text: str, status: Status):
    assert check_domain({"ROS_DOMAIN_ID": text}).status is status


def test_middleware():
    def installed(name: str) -> bool:
        return name == "rmw_fastrtps_cpp"

    assert check_rmw({}, installed).status is Status.OK
    assert check_rmw({"RMW_IMPLEMENTATION": "rmw_fastrtps_cpp"}, installed).status is Status.OK
    finding = check_rmw({"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"}, installed)
    assert finding.status is Status.FAILED
    assert "ros-$ROS_DISTRO-rmw-cyclonedds-cpp" in finding.remedy


@pytest.mark.parametrize(
    ("environment", "status"),
    [
        ({}, Status.OK),
        ({"ROS_SECURITY_ENABLE": "false"}, Status.OK),
        ({"ROS_SECURITY_ENABLE": "true"}, Status.FAILED),
        ({"ROS_SECURITY_ENABLE": "true", "ROS_SECURITY_KEYSTORE": "/nothing"}, Status.FAILED),
        ({"ROS_SECURITY_ENABLE": "true", "ROS_SECURITY_KEYSTORE": "/keys"}, Status.WARNING),
        (
            {
                "ROS_SECURITY_ENABLE": "true",
                "ROS_SECURITY_KEYSTORE": "/keys",
                "ROS_SECURITY_STRATEGY": "Enforce",
            },
            Status.OK,
        ),
    ],
)
def test_security(environment: dict[str, str], status: Status):
    assert check_security(environment, lambda path: path == "/keys/enclaves").status is status


def statuses(findings: list[Finding]) -> list[Status]:
    return [one.status for one in findings]


def test_shared_memory():
    assert statuses(check_shared_memory(500 * MIB, {})) == [Status.OK]
    assert statuses(check_shared_memory(10 * MIB, {})) == [Status.WARNING]
    assert statuses(check_shared_memory(None, {})) == [Status.WARNING]
    full, stale = check_shared_memory(500 * MIB, {"fastrtps_a": 16 * MIB})
    assert (full.status, stale.status) == (Status.OK, Status.WARNING)
    assert "16 MiB" in stale.what
    assert "rm /dev/shm/*fastrtps_*" in stale.remedy


def test_a_segment_is_stale_when_nobody_holds_its_lock(tmp_path: Path):
    for name in ("fastrtps_dead", "fastrtps_alive", "fastrtps_port7400", "other"):
        (tmp_path / name).write_bytes(b"12345")
        (tmp_path / f"{name}_el").touch()
    (tmp_path / "fastrtps_gone_el").touch()
    with (tmp_path / "fastrtps_alive_el").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert stale_segments(tmp_path) == {"fastrtps_dead": 5}
    assert set(stale_segments(tmp_path)) == {"fastrtps_dead", "fastrtps_alive"}
    assert stale_segments(tmp_path / "nothing") == {}


ALIVE = """
import sys, rclpy
rclpy.init()
node = rclpy.create_node("alive")
print("alive", flush=True)
sys.stdin.read()
"""


@pytest.mark.ros
def test_the_segment_of_a_living_node_is_not_stale(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(FASTDDS_TRANSPORT_VARIABLE, FASTDDS_TRANSPORT_DEFAULT)
    monkeypatch.setenv("ROS_DOMAIN_ID", str(free_domain()))
    monkeypatch.delenv("ROS_AUTOMATIC_DISCOVERY_RANGE", raising=False)
    with subprocess.Popen(
        [sys.executable, "-c", ALIVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "alive"
        own = segments_of(process.pid)
        if not own:
            process.communicate("")
            pytest.skip("this middleware makes no segments in /dev/shm")
        assert own.isdisjoint(stale_segments())
        process.kill()
    assert own <= set(stale_segments())
    for name in own:
        for path in Path("/dev/shm").glob(f"{name}*"):
            path.unlink()


def segments_of(pid: int) -> set[str]:
    """Return the data segments of Fast DDS that a process has mapped."""
    maps = Path(f"/proc/{pid}/maps").read_text()
    return set(re.findall(r"/dev/shm/(fastrtps_[0-9a-f]{16})$", maps, re.MULTILINE))


def test_loopback_and_multicast():
    assert statuses(check_loopback(0x49, None)) == [Status.OK, Status.OK]
    assert statuses(check_loopback(0x8, None)) == [Status.FAILED]
    assert statuses(check_loopback(None, None)) == [Status.FAILED]
    _, multicast = check_loopback(0x49, "timed out")
    assert multicast.status is Status.WARNING
    assert "ROS_STATIC_PEERS" in multicast.remedy


def test_multicast_that_does_not_come_back_is_seen(monkeypatch: pytest.MonkeyPatch):
    class Deaf(socket.socket):
        def sendto(self, *args: Any) -> int:
            return 0

    monkeypatch.setattr(socket, "socket", Deaf)
    assert "timed out" in str(multicast_error(timeout_s=0.05))


def test_this_machine():
    flags = interface_flags()
    assert flags is not None
    assert flags & 1
    assert interface_flags("no_such_interface") is None
    assert free_shared_memory(Path("/no/such/folder")) is None
    findings = transport(GOOD, lambda name: True)
    assert Status.FAILED not in statuses(findings)
    assert [one.name for one in findings][:4] == ["settings", "middleware", "domain", "security"]
