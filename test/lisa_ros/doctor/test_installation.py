from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest

from lisa_ros.doctor import installation as module
from lisa_ros.doctor.installation import (
    check_imports,
    check_opencv,
    check_optional,
    check_packages,
    check_python,
    import_error,
    ros_installation,
)
from lisa_ros.doctor.report import Status
from lisa_ros.doctor.requirements import OPTIONAL, PYTHON_LOW, REQUIRED, in_range, release

ROOT = Path(__file__).resolve().parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
GOOD = {name: low for name, (low, _) in REQUIRED.items()}


def test_the_ranges_are_those_of_pyproject():
    declared = {}
    for text in PROJECT["dependencies"]:
        found = re.fullmatch(r"([\w-]+)>=([\w.]+),<([\w.]+)", text)
        assert found, text
        declared[found[1]] = (found[2], found[3])
    assert declared == REQUIRED
    assert PROJECT["requires-python"] == ">=" + ".".join(map(str, PYTHON_LOW))


def test_the_extras_that_are_named_exist():
    named = {extra for one in OPTIONAL for extra in re.findall(r"lisa_ros\[([\w-]+)\]", one.how)}
    assert named
    assert named <= set(PROJECT["optional-dependencies"])


@pytest.mark.parametrize(
    ("version", "numbers"),
    [("2.14.1+cu130", (2, 14, 1)), ("2.10.0rc1", (2, 10, 0)), ("5", (5,)), ("dev", ())],
)
def test_versions_are_read_by_their_numbers(version: str, numbers: tuple[int, ...]):
    assert release(version) == numbers


def test_a_range_holds_its_lower_end_only():
    assert in_range("2.10", "2.10", "3")
    assert in_range("2.10.0", "2.10", "3")
    assert in_range("2.99.9", "2.10", "3")
    assert not in_range("3.0.0", "2.10", "3")
    assert not in_range("2.9.1", "2.10", "3")


def test_good_packages_are_one_line():
    (finding,) = check_packages(GOOD)
    assert finding.status is Status.OK
    assert "torch 2.10" in finding.what


def test_missing_and_wrong_packages_are_named_with_the_command():
    missing, old = check_packages(GOOD | {"peft": None, "torch": "2.9.1"})
    assert (missing.name, missing.status) == ("peft", Status.FAILED)
    assert missing.remedy == "pip install 'peft>=0.17,<1'"
    assert (old.name, old.status) == ("torch", Status.FAILED)
    assert "2.9.1" in old.what
    assert [one.name for one in check_packages({})] == list(REQUIRED)


def test_python():
    assert check_python((3, 12, 1)).status is Status.OK
    assert check_python((3, 10, 9)).status is Status.FAILED


def test_what_does_not_import_is_named_with_its_reason():
    good = check_imports("a", {"json": None}, good="fine", remedy="mend it")
    assert (good.status, good.what) == (Status.OK, "fine")
    bad = check_imports("a", {"json": None, "x": "ImportError: no"}, good="fine", remedy="mend it")
    assert (bad.status, bad.remedy) == (Status.FAILED, "mend it")
    assert "x does not import (ImportError: no)" in bad.what
    assert import_error("json") is None
    assert str(import_error("no_such_module_at_all")).startswith("ModuleNotFoundError")


def test_a_package_that_breaks_while_it_is_imported_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "breaks_at_once.py").write_text("raise RuntimeError('built for NumPy 1')")
    monkeypatch.syspath_prepend(tmp_path)
    assert import_error("breaks_at_once") == "RuntimeError: built for NumPy 1"


def test_ros_that_is_not_there_is_three_findings(monkeypatch: pytest.MonkeyPatch):
    assert [one.status for one in ros_installation()] == [Status.OK] * 3
    monkeypatch.setattr(module, "import_error", lambda name: f"no {name}")
    monkeypatch.setattr(module, "rclpy_error", lambda: "no rclpy")
    findings = ros_installation()
    assert [one.status for one in findings] == [Status.FAILED] * 3
    assert "setup.bash" in findings[0].remedy
    assert "colcon build" in findings[2].remedy


@pytest.mark.ros
def test_a_middleware_that_ends_the_process_does_not_end_the_doctor(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("RMW_IMPLEMENTATION", "rmw_no_such_cpp")
    error = module.rclpy_error.__wrapped__()
    assert error is not None
    assert "rmw_no_such_cpp" in error
    monkeypatch.delenv("RMW_IMPLEMENTATION")
    assert module.rclpy_error.__wrapped__() is None


def test_all_interfaces_that_the_package_uses_are_tried():
    used = set()
    for path in (ROOT / "lisa_ros").glob("*.py"):
        used |= set(
            re.findall(r"^\s*from (\w+)\.(?:msg|srv|action) import", path.read_text(), re.M)
        )
    used.discard("rclpy")
    assert used - {"lisa_ros"} == {name.split(".")[0] for name in module.MESSAGE_MODULES}
    folders = [one for one in ("action", "msg", "srv") if any((ROOT / one).glob(f"*.{one}"))]
    assert sorted(module.OWN_MODULES) == [f"lisa_ros.{one}" for one in folders]


def test_what_a_parameter_needs_is_among_the_optional_modules():
    """Of the modules that lisa_ros imports only when a parameter or a topic asks for them."""
    named = {one.module for one in OPTIONAL}
    for path in (ROOT / "lisa_ros").glob("*.py"):
        for name in re.findall(r"import_module\(\"(\w+)", path.read_text()):
            assert name in named, path.name


def test_optional_modules_are_never_a_fault():
    for present in ((), ("tf2_ros",), tuple(one.module for one in OPTIONAL)):
        findings = check_optional(present)
        assert {one.status for one in findings} == {Status.OK}
        text = " ".join(one.what for one in findings)
        assert all(one.module in text for one in OPTIONAL)


def test_two_opencv_packages_are_found():
    assert check_opencv({"opencv-python", "numpy"}) is None
    finding = check_opencv({"opencv-python-headless", "opencv-python"})
    assert finding is not None
    assert finding.status is Status.FAILED
    assert "pip uninstall opencv-python opencv-python-headless" in finding.remedy


def test_this_environment_is_in_order():
    findings = module.installation()
    assert {one.status for one in findings} == {Status.OK}, findings
    assert findings[0].what.startswith(f"{sys.version_info[0]}.{sys.version_info[1]}")
