"""The package builds from a copy of its files, with colcon and pip, and holds what it should."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from source_tree import ROOT, build_environment, source_files

pytestmark = pytest.mark.slow

PROGRAMS = ("perception_node", "scene_player", "demo_client", "demo", "play", "record", "lisa")


def copy_sources(target: Path) -> None:
    """Copy the repository's files; a link to large files will do, nothing writes to them."""
    for path in source_files():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, target / path)


def run(command: list[str], cwd: Path) -> str:
    """Run a command of the environment; its output is the assertion's text when it fails."""
    command = [str(Path(sys.prefix) / "bin" / command[0]), *command[1:]]
    done = subprocess.run(
        command,
        cwd=cwd,
        env=build_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout


def data_files() -> list[str]:
    """Return files that are no Python and yet have to be installed, relative to site-packages."""
    return [
        str(path)
        for path in source_files()
        if path.parts[0] in ("lisa_model", "training") and path.suffix != ".py"
    ]


def share_files() -> list[str]:
    """Return files to install below share/lisa_ros."""
    return [str(p) for p in source_files() if p.parts[0] in ("launch", "config", "scenes")]


@pytest.fixture(scope="module")
def colcon_prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (Path(sys.prefix) / "bin" / "colcon").exists():
        pytest.skip("colcon is not installed in this environment")
    folder = tmp_path_factory.mktemp("workspace")
    copy_sources(folder / "src" / "lisa_ros")
    run(["colcon", "build"], folder)
    return folder / "install" / "lisa_ros"


def test_colcon_build_installs_everything(colcon_prefix: Path) -> None:
    (site,) = colcon_prefix.glob("lib/python*/site-packages")
    for program in PROGRAMS:
        path = colcon_prefix / "lib" / "lisa_ros" / program
        assert path.stat().st_mode & 0o111, program
    for name in data_files():
        assert (site / name).is_file(), name
    for name in share_files():
        assert (colcon_prefix / "share" / "lisa_ros" / name).is_file(), name
    assert not list(site.rglob("*.msg"))


def test_what_colcon_built_can_be_used(colcon_prefix: Path) -> None:
    # From another folder, so that nothing comes from the source tree.
    setup = colcon_prefix.parent / "setup.bash"
    script = f"""
source {setup}
cd /
python - <<'PYTHON'
import lisa_model, lisa_ros, lisa_ros.conversion
from lisa_ros.msg import InstanceMasks, Targets
from lisa_ros.srv import Segment
from ament_index_python.packages import get_package_share_directory
for module in (lisa_model, lisa_ros.conversion):
    assert module.__file__.startswith({str(colcon_prefix)!r}), module.__file__
assert Targets(intent="x").intent == "x"
assert get_package_share_directory("lisa_ros").startswith({str(colcon_prefix)!r})
PYTHON
command -v lisa
"""
    done = subprocess.run(
        ["bash", "-e", "-c", script],
        env=build_environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip() == str(colcon_prefix / "bin" / "lisa")


def test_pip_wheel_holds_everything(tmp_path: Path) -> None:
    sources = tmp_path / "src"
    copy_sources(sources)
    wheels = tmp_path / "wheels"
    command = ["-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "--no-index"]
    run(["python", *command, "-w", str(wheels), str(sources)], tmp_path)
    (wheel,) = wheels.glob("lisa_ros-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    data = wheel.name.split("-cp")[0] + ".data/data/"
    for name in ("lisa_ros/msg/__init__.py", "lisa_ros/srv/__init__.py", *data_files()):
        assert name in names, name
    for program in PROGRAMS:
        assert f"{data}lib/lisa_ros/{program}" in names
    for name in (*share_files(), "package.xml"):
        assert f"{data}share/lisa_ros/{name}" in names, name
    assert f"{data}share/ament_index/resource_index/packages/lisa_ros" in names
    assert f"{data}lib/liblisa_ros__rosidl_typesupport_c.so" in names
