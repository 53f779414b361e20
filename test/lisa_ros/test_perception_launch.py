"""perception.launch.py fits the package.

``launch`` is not on PyPI.  Without it the file is run against stand-ins that only record what they
are given; with it (a ROS installation) the real one builds and resolves the description.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lisa_ros.camera_inputs import (
    COLOUR_INFO_TOPIC,
    COLOUR_TOPIC,
    DEPTH_INFO_TOPIC,
    DEPTH_TOPIC,
)
from lisa_ros.intent_topic import INTENT_TOPIC
from lisa_ros.parameters import PARAMETERS
from lisa_ros.perception_node import NODE_NAME
from lisa_ros.transport import FASTDDS_TRANSPORT_DEFAULT, FASTDDS_TRANSPORT_VARIABLE

ROOT = Path(__file__).resolve().parents[2]
LAUNCH_FILE = ROOT / "launch" / "perception.launch.py"

STAND_INS = {
    "launch": ("LaunchContext", "LaunchDescription"),
    "launch.action": ("Action",),
    "launch.actions": (
        "DeclareLaunchArgument",
        "EmitEvent",
        "OpaqueFunction",
        "RegisterEventHandler",
        "SetEnvironmentVariable",
    ),
    "launch.events": ("matches_action",),
    "launch.substitutions": ("EnvironmentVariable", "LaunchConfiguration", "PathJoinSubstitution"),
    "launch_ros": (),
    "launch_ros.actions": ("LifecycleNode",),
    "launch_ros.event_handlers": ("OnStateTransition",),
    "launch_ros.events": (),
    "launch_ros.events.lifecycle": ("ChangeState",),
    "launch_ros.substitutions": ("FindPackageShare",),
}


class Recorded:
    """Remembers how it was made."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args, self.kwargs = args, kwargs

    @property
    def kind(self) -> str:
        return type(self).__name__

    def perform(self, context: dict[str, str]) -> str:
        return context[self.args[0]]


def load_launch_file() -> ModuleType:
    spec = importlib.util.spec_from_file_location("perception_launch", LAUNCH_FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    for name, members in STAND_INS.items():
        stand_in = ModuleType(name)
        for member in members:
            setattr(stand_in, member, type(member, (Recorded,), {}))
        monkeypatch.setitem(sys.modules, name, stand_in)
    return load_launch_file()


def arguments(module: ModuleType) -> dict[str, Any]:
    (entities,) = module.generate_launch_description().args
    return {
        entity.args[0]: entity.kwargs["default_value"]
        for entity in entities
        if entity.kind == "DeclareLaunchArgument"
    }


def run_node_function(module: ModuleType, **given: str) -> list[Any]:
    context = dict.fromkeys((*module.PARAMETER_ARGUMENTS, "enclave"), "") | given
    return module.make_node(context)


def test_arguments_and_their_defaults(module: ModuleType):
    found = arguments(module)
    params_file = found.pop("params_file")
    assert params_file.args[0][1:] == ["config", "perception.yaml"]
    assert (ROOT / "config" / "perception.yaml").is_file()
    assert found == {
        "namespace": "",
        "model": "",
        "device": "",
        "dtype": "",
        "quantization": "",
        "vision_tower": "",
        "colour_transport": "",
        "depth_transport": "",
        "camera_qos": "",
        "rectify": "",
        "depth_to_colour": "",
        "target_frame": "",
        "follow": "",
        "enclave": "",
        "color_topic": "camera/color/image_raw",
        "camera_info_topic": "camera/color/camera_info",
        "depth_topic": "camera/depth/image_raw",
        "depth_camera_info_topic": "camera/depth/camera_info",
        "intent_topic": "intent",
    }


def test_every_argument_is_used_and_described(module: ModuleType):
    (entities,) = module.generate_launch_description().args
    described = [e for e in entities if e.kind == "DeclareLaunchArgument"]
    assert all(entity.kwargs["description"] for entity in described)
    source = LAUNCH_FILE.read_text()
    used = set(re.findall(r'LaunchConfiguration\("(\w+)"\)', source))
    used |= set(module.PARAMETER_ARGUMENTS)
    used |= {argument for argument, _, _ in module.TOPIC_ARGUMENTS}
    assert used == set(arguments(module))


def test_the_node_is_the_packages_program(module: ModuleType):
    _, node, _ = run_node_function(module)
    assert node.kind == "LifecycleNode"
    assert node.kwargs["package"] == "lisa_ros"
    assert node.kwargs["name"] == NODE_NAME
    programs = re.findall(r'"(\w+)=([\w.]+)"', (ROOT / "CMakeLists.txt").read_text())
    assert (node.kwargs["executable"], "lisa_ros.perception_node") in programs


def test_empty_arguments_leave_the_params_file_alone(module: ModuleType):
    assert {spec.name for spec in PARAMETERS} >= set(module.PARAMETER_ARGUMENTS)
    _, node, _ = run_node_function(module)
    assert [one.args[0] for one in node.kwargs["parameters"]] == ["params_file"]
    _, node, _ = run_node_function(module, device="cuda", dtype="bfloat16")
    assert node.kwargs["parameters"][1] == {"device": "cuda", "dtype": "bfloat16"}


def test_the_enclave_is_passed_only_when_given(module: ModuleType):
    _, node, _ = run_node_function(module)
    assert node.kwargs["ros_arguments"] is None
    _, node, _ = run_node_function(module, enclave="/lisa/perception_node")
    assert node.kwargs["ros_arguments"] == ["--enclave", "/lisa/perception_node"]


def test_the_remapped_topics_are_the_nodes(module: ModuleType):
    _, node, _ = run_node_function(module)
    topics = {COLOUR_TOPIC, COLOUR_INFO_TOPIC, DEPTH_TOPIC, DEPTH_INFO_TOPIC, INTENT_TOPIC}
    assert {topic for topic, _ in node.kwargs["remappings"]} == topics
    assert all(value.kind == "LaunchConfiguration" for _, value in node.kwargs["remappings"])


def test_it_configures_and_then_activates_the_node(module: ModuleType):
    from lifecycle_msgs.msg import Transition

    handler, node, configure = run_node_function(module)
    assert configure.kwargs["event"].kwargs["transition_id"] == Transition.TRANSITION_CONFIGURE
    (on_transition,) = handler.args
    assert on_transition.kwargs["target_lifecycle_node"] is node
    assert on_transition.kwargs["goal_state"] == "inactive"
    assert on_transition.kwargs["start_state"] == "configuring"
    (activate,) = on_transition.kwargs["entities"]
    assert activate.kwargs["event"].kwargs["transition_id"] == Transition.TRANSITION_ACTIVATE


def test_the_transport_setting_comes_before_the_node_and_yields_to_the_users(module: ModuleType):
    (entities,) = module.generate_launch_description().args
    kinds = [entity.kind for entity in entities]
    assert kinds.index("SetEnvironmentVariable") < kinds.index("OpaqueFunction")
    name, value = entities[kinds.index("SetEnvironmentVariable")].args
    assert name == FASTDDS_TRANSPORT_VARIABLE
    assert value.kind == "EnvironmentVariable"
    assert value.args == (FASTDDS_TRANSPORT_VARIABLE,)
    assert value.kwargs == {"default_value": FASTDDS_TRANSPORT_DEFAULT}


def test_with_the_real_launch(monkeypatch: pytest.MonkeyPatch):
    # Not importorskip("launch"): the repository's folder launch/ would pass as a package.
    launch_actions = pytest.importorskip("launch.actions", reason="needs a ROS installation")
    from launch import LaunchContext

    description = load_launch_file().generate_launch_description()
    context = LaunchContext()
    names = set()
    for entity in description.entities:
        if isinstance(entity, launch_actions.DeclareLaunchArgument):
            names.add(entity.name)
        entity.visit(context)
    assert {"model", "device", "params_file", "namespace", "depth_topic"} <= names
    assert context.environment[FASTDDS_TRANSPORT_VARIABLE]


def test_stand_ins_cover_exactly_what_is_imported():
    """They must not hide a wrong import."""
    source = LAUNCH_FILE.read_text()
    imported = set()
    for module_name, names in re.findall(
        r"^from (launch[\w.]*) import (?:\(([^)]*)\)|.*)$", source, re.MULTILINE
    ):
        imported.add(module_name)
        for name in re.findall(r"\w+", names):
            assert name in STAND_INS[module_name]
    assert imported == {name for name, members in STAND_INS.items() if members}
