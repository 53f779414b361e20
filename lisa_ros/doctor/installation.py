"""Python, its packages, ROS and the built interfaces."""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Collection, Mapping
from functools import cache
from importlib import metadata

from lisa_ros.doctor.report import Finding, failed, ok
from lisa_ros.doctor.requirements import OPTIONAL, PYTHON_LOW, REQUIRED, in_range

# Message packages that the node imports, and the generated ones of this package.
MESSAGE_MODULES = (
    "builtin_interfaces.msg",
    "diagnostic_msgs.msg",
    "geometry_msgs.msg",
    "lifecycle_msgs.msg",
    "rcl_interfaces.msg",
    "rosgraph_msgs.msg",
    "sensor_msgs.msg",
    "std_msgs.msg",
    "std_srvs.srv",
    "visualization_msgs.msg",
)
OWN_MODULES = ("lisa_ros.action", "lisa_ros.msg", "lisa_ros.srv")


def check_python(version: tuple[int, ...]) -> Finding:
    """Check the interpreter's version, such as ``sys.version_info[:3]``."""
    text = ".".join(map(str, version))
    low = ".".join(map(str, PYTHON_LOW))
    if version[:2] < PYTHON_LOW:
        return failed("python", f"{text}; {low} or newer is needed", f"Use Python {low} or newer")
    return ok("python", text)


def check_packages(found: Mapping[str, str | None]) -> list[Finding]:
    """Check the Python packages.

    Args:
        found: version by distribution, None when it is not installed.
    """
    findings = []
    for name, (low, high) in REQUIRED.items():
        version = found.get(name)
        wanted = f"'{name}>={low},<{high}'"
        if version is None:
            findings.append(failed(name, "is not installed", f"pip install {wanted}"))
        elif not in_range(version, low, high):
            findings.append(
                failed(name, f"is {version}, not >={low},<{high}", f"pip install {wanted}")
            )
    if not findings:
        shown = ", ".join(f"{name} {found[name]}" for name in ("torch", "transformers", "numpy"))
        findings.append(ok("packages", f"all {len(REQUIRED)} in their ranges ({shown}, ...)"))
    return findings


def check_imports(
    name: str, errors: Mapping[str, str | None], *, good: str, remedy: str
) -> Finding:
    """Check that modules import.

    Args:
        name: of the check.
        errors: by module; None when it imports.
        good: what to say when all do.
        remedy: what to do when one does not.
    """
    broken = {module: error for module, error in errors.items() if error is not None}
    if not broken:
        return ok(name, good)
    what = "; ".join(f"{module} does not import ({error})" for module, error in broken.items())
    return failed(name, what, remedy)


def check_optional(present: Collection[str]) -> list[Finding]:
    """Say which optional modules are there and what the others are for; none is a fault."""
    there = [one.module for one in OPTIONAL if one.module in present]
    missing = [one for one in OPTIONAL if one.module not in present]
    findings = [ok("optional, there", ", ".join(there) or "none")]
    if missing:
        text = "; ".join(f"{one.module} ({one.purpose}: {one.how})" for one in missing)
        findings.append(ok("optional, not there", text))
    return findings


def check_opencv(distributions: Collection[str]) -> Finding | None:
    """Find two opencv packages that overwrite each other's files; None when there is one."""
    both = sorted(one for one in distributions if one.startswith("opencv-"))
    if len(both) < 2:
        return None
    return failed(
        "opencv",
        f"{' and '.join(both)} are installed and overwrite each other's module cv2",
        f"pip uninstall {' '.join(both)}; pip install opencv-python",
    )


def installation() -> list[Finding]:
    """Check this interpreter's installation."""
    found = {name: _version(name) for name in REQUIRED}
    findings = [check_python(sys.version_info[:3]), *check_packages(found)]
    names = {(one.metadata["Name"] or "").lower() for one in metadata.distributions()}
    if opencv := check_opencv(names):
        findings.append(opencv)
    findings.append(
        check_imports(
            "torch",
            {name: import_error(name) for name in ("torch", "cv2")},
            good="torch and cv2 import",
            remedy="Reinstall it: pip install --force-reinstall --no-deps NAME; cv2 also needs the "
            "system packages libgl1 and libglib2.0-0",
        )
    )
    findings += ros_installation()
    findings += check_optional({one.module for one in OPTIONAL if _found(one.module)})
    return findings


def ros_installation() -> list[Finding]:
    """Check rclpy, the message packages and the interfaces of this package."""
    return [
        check_imports(
            "rclpy",
            {"rclpy": rclpy_error()},
            good=f"imports, from {_where('rclpy')}",
            remedy="On a robot: source /opt/ros/$ROS_DISTRO/setup.bash. In this repository: make "
            "setup, then source scripts/env.sh. If it names an RMW implementation: see middleware",
        ),
        check_imports(
            "messages",
            {name: import_error(name) for name in MESSAGE_MODULES},
            good=f"all {len(MESSAGE_MODULES)} packages import",
            remedy="rosdep install --from-paths src --ignore-src -y (without a ROS installation: "
            "pip install -r requirements-ros.txt)",
        ),
        check_imports(
            "interfaces",
            {name: import_error(name) for name in OWN_MODULES},
            good=f"{', '.join(OWN_MODULES)} are built",
            remedy="Build them (colcon build, or make build), then source install/setup.bash",
        ),
    ]


def import_error(module: str) -> str | None:
    """Import a module; return why it does not, None when it does."""
    try:
        importlib.import_module(module)
    except Exception as error:  # a broken package raises anything while it is imported
        return f"{type(error).__name__}: {error}"
    return None


@cache
def rclpy_error() -> str | None:
    """Return why rclpy does not import, None when it does.

    Tried in a process of its own: with a middleware that does not fit, its C code ends the process.
    """
    tried = subprocess.run(
        [sys.executable, "-c", "import rclpy.node"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=120,
    )
    if tried.returncode == 0:
        return None
    lines = tried.stderr.strip().splitlines()
    return lines[-1] if lines else f"status {tried.returncode}"


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _found(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _where(module: str) -> str:
    spec = importlib.util.find_spec(module)
    return str(spec.origin) if spec and spec.origin else "nowhere"
