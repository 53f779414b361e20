"""package.xml, CMakeLists.txt, pyproject.toml and the requirements say the same, and say all."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from catkin_pkg.package import Package, parse_package
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from source_tree import ROOT, build_environment, source_files

CMAKE = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
REQUIREMENTS = ("requirements.txt", "requirements-dev.txt", "requirements-ros.txt")


def pins(name: str) -> dict[str, Requirement]:
    """Return the requirements of one file by normal name."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    wanted = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
    return {canonicalize_name(one.name): one for one in wanted}


@pytest.fixture(scope="module")
def package() -> Package:
    warnings: list[str] = []
    parsed = parse_package(str(ROOT / "package.xml"), warnings=warnings)
    parsed.validate(warnings=warnings)
    assert warnings == []
    return parsed


def programs() -> dict[str, str]:
    """Return the programs of CMakeLists.txt: name and module."""
    return dict(re.findall(r'^  "(\w+)=([\w.]+)"$', CMAKE, re.MULTILINE))


def test_package_xml_is_a_format_3_package(package: Package) -> None:
    assert (package.name, package.package_format) == ("lisa_ros", 3)
    assert package.licenses == ["Apache-2.0"]
    assert package.get_build_type() == "ament_cmake"
    assert [group.name for group in package.member_of_groups] == ["rosidl_interface_packages"]


def test_colcon_takes_it_for_a_ros_package() -> None:
    # An invalid package.xml makes colcon list it as (cmake) or (python), without any error.
    colcon = Path(sys.prefix) / "bin" / "colcon"
    if not colcon.exists():
        pytest.skip("colcon is not installed in this environment")
    listed = subprocess.run(
        [str(colcon), "--log-base", "/dev/null", "list", "--base-paths", str(ROOT)],
        capture_output=True,
        text=True,
        check=True,
        env=build_environment(),
    ).stdout.split()
    assert listed[0] == "lisa_ros"
    assert listed[-1] == "(ros.ament_cmake)"


def test_every_interface_is_built() -> None:
    found = {
        str(path)
        for path in source_files()
        if path.parts[0] in ("msg", "srv", "action") and path.suffix in (".msg", ".srv", ".action")
    }
    assert found
    assert found == set(re.findall(r'"((?:msg|srv|action)/[^"]+)"', CMAKE))


def test_the_interfaces_dependencies_are_declared(package: Package) -> None:
    used: set[str] = set()
    for path in source_files():
        if path.parts[0] in ("action", "msg", "srv"):
            for line in (ROOT / path).read_text(encoding="utf-8").splitlines():
                used.update(re.findall(r"^\s*(\w+)/\w+", line.split("#")[0]))
    used.discard("lisa_ros")
    call = re.search(r"rosidl_generate_interfaces\((.*?)\)", CMAKE, re.DOTALL)
    assert call
    assert used == set(call.group(1).split("DEPENDENCIES")[1].split())
    assert used <= {dependency.name for dependency in package.build_depends}
    assert used <= {dependency.name for dependency in package.exec_depends}


def test_programs_have_a_main() -> None:
    assert {"perception_node", "scene_player", "demo_client", "lisa"} <= set(programs())
    for name, module in programs().items():
        path = ROOT / (module.replace(".", "/") + ".py")
        assert path.is_file(), f"{name}: there is no {path.name}"
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert any(isinstance(n, ast.FunctionDef) and n.name == "main" for n in tree.body), name


def test_pip_and_colcon_offer_the_same_command() -> None:
    assert PYPROJECT["project"]["scripts"] == {"lisa": programs()["lisa"] + ":main"}


def test_one_version(package: Package) -> None:
    assert "version" in PYPROJECT["project"]["dynamic"]
    printed = subprocess.run(
        [sys.executable, "setup.py", "--version"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert printed[-1] == package.version
    init = (ROOT / "lisa_model" / "__init__.py").read_text(encoding="utf-8")
    stated = re.search(r'^__version__\s*=\s*"([^"]+)"', init, re.MULTILINE)
    assert stated is None or stated.group(1) == package.version


def test_pins_lie_in_the_declared_ranges() -> None:
    exact = pins("requirements.txt")
    declared = [Requirement(text) for text in PYPROJECT["project"]["dependencies"]]
    assert {canonicalize_name(one.name) for one in declared} == set(exact)
    for one in declared:
        (pin,) = exact[canonicalize_name(one.name)].specifier
        assert pin.operator == "=="
        assert one.specifier.contains(pin.version), one.name


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_this_environment_is_the_pinned_one(name: str) -> None:
    if Path(sys.prefix).resolve() != (ROOT / ".venv").resolve():
        pytest.skip("holds for .venv only; other environments have their own releases")
    found = {}
    for normal, pin in pins(name).items():
        try:
            found[normal] = metadata.version(pin.name)
        except metadata.PackageNotFoundError:
            found[normal] = "none"
    wrong = [
        f"{normal}: {found[normal]} instead of {pin.specifier}"
        for normal, pin in pins(name).items()
        if not pin.specifier.contains(found[normal].split("+")[0])
    ]
    assert wrong == []


def test_ros_wheels_are_all_of_jazzy() -> None:
    names = [name for name in pins("requirements-ros.txt") if name.startswith("ros-")]
    assert names
    for name in names:
        assert name.startswith("ros-jazzy-") or name == "ros-wheels-bootstrapper"


# import name -> requirement, where they differ
DISTRIBUTION = {
    "cv2": "opencv-python",
    "PIL": "pillow",
    "segment_anything": "segment-anything",
}
# Installed only where they are used, or part of a larger requirement.
# tqdm and huggingface_hub, tokenizers come with transformers; PIL is torchvision's.
COMES_WITH = {"tqdm", "tokenizers", "huggingface_hub", "PIL"}
OWN = {"lisa_model", "lisa_ros", "training"}


def imported(folder: str) -> set[str]:
    """Return the top-level modules that a package imports, without the standard library's."""
    names: set[str] = set()
    for path in source_files():
        if path.parts[0] == folder and path.suffix == ".py":
            for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    names.update(alias.name.split(".")[0] for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                    names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names) - OWN


def test_imports_of_lisa_model_are_declared() -> None:
    declared = set(pins("requirements.txt"))
    names = {DISTRIBUTION.get(name, name) for name in imported("lisa_model") - COMES_WITH}
    assert {canonicalize_name(name) for name in names} <= declared


def test_lisa_model_is_free_of_ros(package: Package) -> None:
    ros = {dependency.name for dependency in package.exec_depends} | {"rclpy", "lisa_ros"}
    assert imported("lisa_model").isdisjoint(ros)


def test_imports_of_lisa_ros_are_declared(package: Package) -> None:
    declared = {dependency.name for dependency in package.exec_depends}
    python = set(pins("requirements.txt"))
    undeclared = {
        name
        for name in imported("lisa_ros") - declared
        if canonicalize_name(DISTRIBUTION.get(name, name)) not in python
    }
    assert undeclared == set()


def test_converters_are_compared_where_ros_has_them(package: Package) -> None:
    assert {"cv_bridge", "sensor_msgs_py"} <= {one.name for one in package.test_depends}
