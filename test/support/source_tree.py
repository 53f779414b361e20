"""The files of the repository, as git knows them, for the tests on packaging."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def source_files() -> list[Path]:
    """Return all files that are tracked, or new and not ignored, relative to ROOT."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs a git checkout, to tell the repository's files from others")
    paths = sorted({Path(os.fsdecode(name)) for name in listed.split(b"\0") if name})
    return [path for path in paths if (ROOT / path).is_file()]


def build_environment() -> dict[str, str]:
    """Return the environment for a build of its own, without this repository's own build."""
    env = {
        name: value
        for name, value in os.environ.items()
        if name
        not in (
            "PYTHONPATH",
            "LD_LIBRARY_PATH",
            "_ROS_WHEELS_BOOTSTRAP_COMPLETE",
            "CMAKE_PREFIX_PATH",
            "COLCON_PREFIX_PATH",
        )
    }
    env["AMENT_PREFIX_PATH"] = sys.prefix
    env["PATH"] = os.pathsep.join([str(Path(sys.prefix) / "bin"), env["PATH"]])
    env.pop("MAKEFLAGS", None)
    return env
