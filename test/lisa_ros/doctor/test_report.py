from __future__ import annotations

import json

import pytest

from lisa_ros.doctor.report import Finding, Report, Status, failed, ok, warning


def test_only_what_failed_makes_the_exit_status():
    groups = {"device": [ok("a", "good"), warning("b", "so so", "do this")]}
    assert Report(groups=groups).exit_status == 0
    groups["transport"] = [failed("c", "bad", "do that")]
    assert Report(groups=groups).exit_status == 1


def test_people_and_programs_read_the_same():
    report = Report(
        groups={
            "device": [ok("a", "good")],
            "topics": [failed("c", "bad\nand worse", "do that"), warning("b", "so so", "do this")],
        }
    )
    text = report.text()
    assert text.splitlines()[0] == "device"
    assert "FAILED  c: bad and worse\n          -> do that" in text
    assert text.endswith("1 ok, 1 warnings, 1 failed")
    values = json.loads(report.json())
    assert values["exit_status"] == 1
    assert values["counts"] == {"ok": 1, "failed": 1, "warning": 1}
    assert values["groups"]["topics"][1] == {
        "name": "b",
        "status": "warning",
        "what": "so so",
        "remedy": "do this",
    }


def test_what_is_not_ok_has_a_remedy():
    for status in (Status.WARNING, Status.FAILED):
        with pytest.raises(ValueError, match="remedy"):
            Finding(name="a", status=status, what="bad")
    with pytest.raises(ValueError, match="remedy"):
        Finding(name="a", status=Status.OK, what="good", remedy="nothing")
