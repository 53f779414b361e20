"""demo.launch.py fits the package; where `launch` is installed, it is loaded too."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "launch" / "demo.launch.py"
PERCEPTION = ROOT / "launch" / "perception.launch.py"


def strings(node: ast.AST) -> list[str]:
    return [
        n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)
    ]


def calls(path: Path, name: str) -> list[ast.Call]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    ]


def test_the_player_is_a_program_with_these_parameters() -> None:
    (node,) = calls(DEMO, "Node")
    values = {keyword.arg: keyword.value for keyword in node.keywords}
    programs = re.findall(r'"(\w+)=[\w.]+"', (ROOT / "CMakeLists.txt").read_text(encoding="utf-8"))
    executable = ast.literal_eval(values["executable"])
    assert executable in programs
    (parameters,) = [n for n in ast.walk(values["parameters"]) if isinstance(n, ast.Dict)]
    given = {key.value for key in parameters.keys if isinstance(key, ast.Constant)}
    source = (ROOT / "lisa_ros" / f"{executable}.py").read_text(encoding="utf-8")
    declared = set(re.findall(r'_declare\(\s*"(\w+)"', source))
    assert {"scene", "rate"} <= given <= declared


def test_what_is_handed_on_exists_there() -> None:
    tree = ast.parse(DEMO.read_text(encoding="utf-8"))
    (handed_on,) = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PERCEPTION_ARGUMENTS"
    ]
    assert isinstance(handed_on, ast.Dict)
    names = {key.value for key in handed_on.keys if isinstance(key, ast.Constant)} | {"params_file"}
    known = set(strings(ast.parse(PERCEPTION.read_text(encoding="utf-8"))))
    assert names <= known


def test_it_loads_with_the_real_launch() -> None:
    # Not importorskip("launch"): the folder launch/ of this repository would do for that.
    pytest.importorskip("launch.actions")
    pytest.importorskip("launch_ros.actions")
    from launch import LaunchContext
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    description = PythonLaunchDescriptionSource(str(DEMO)).get_launch_description(LaunchContext())
    arguments = {argument.name for argument in description.get_launch_arguments()}
    assert arguments >= {"scene", "rate", "params_file", "model", "device", "dtype"}
