from __future__ import annotations

import pytest
from ros_domain import free_domain

from lisa_ros.doctor.report import Status
from lisa_ros.doctor.self_test import Exchange, check_exchange, exchange_images
from lisa_ros.transport import FASTDDS_TRANSPORT_DEFAULT, FASTDDS_TRANSPORT_VARIABLE


@pytest.mark.parametrize(
    ("exchange", "status", "said"),
    [
        (Exchange(sent=30, latencies_s=(0.001,) * 30), Status.OK, "30 of 30"),
        (Exchange(sent=30, latencies_s=(0.001,) * 27), Status.OK, "median 1.0 ms"),
        (Exchange(sent=30, latencies_s=(0.001,) * 26), Status.WARNING, "26 of 30"),
        (Exchange(sent=30), Status.FAILED, "0 of 30"),
        (Exchange(sent=0), Status.FAILED, "did not find each other"),
        (Exchange(sent=0, error="no rmw"), Status.FAILED, "no rmw"),
    ],
)
def test_judgement(exchange: Exchange, status: Status, said: str):
    finding = check_exchange(exchange)
    assert finding.status is status
    assert said in finding.what


@pytest.mark.ros
def test_images_really_go_to_another_process(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(FASTDDS_TRANSPORT_VARIABLE, FASTDDS_TRANSPORT_DEFAULT)
    monkeypatch.setenv("ROS_DOMAIN_ID", str(free_domain()))
    monkeypatch.delenv("ROS_AUTOMATIC_DISCOVERY_RANGE", raising=False)
    exchange = exchange_images(15)
    assert exchange.error == ""
    assert exchange.sent == 15
    # How many arrive is this machine's business, and what the check is for.
    assert 1 <= len(exchange.latencies_s) <= 15
    assert all(0.0 < latency < 5.0 for latency in exchange.latencies_s)


@pytest.mark.ros
def test_a_sender_that_ends_says_why(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.executable", "/bin/false")
    finding = check_exchange(exchange_images(1))
    assert finding.status is Status.FAILED
    assert "status 1" in finding.what
