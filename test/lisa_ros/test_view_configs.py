"""The RViz and Foxglove configurations name topics that the node really has, with their types."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_perception import FakeSegmenter
from live_node import domain, live_node
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    QoSProfile,
    ReliabilityPolicy,
)

from lisa_ros.doctor.camera import incompatibility
from lisa_ros.view_layout import GLOBAL_TOPICS, layout_file, layout_text, topics_in

pytestmark = pytest.mark.ros

CONFIG = Path(__file__).resolve().parents[2] / "config"
RVIZ = yaml.safe_load((CONFIG / "lisa.rviz").read_text(encoding="utf-8"))
LAYOUT = json.loads((CONFIG / "foxglove_layout.json").read_text(encoding="utf-8"))
# Displays and panels with a topic, and the message they show.
RVIZ_TYPES = {
    "rviz_default_plugins/Image": "sensor_msgs/msg/Image",
    "rviz_default_plugins/MarkerArray": "visualization_msgs/msg/MarkerArray",
    "rviz_default_plugins/PointCloud2": "sensor_msgs/msg/PointCloud2",
    "rviz_default_plugins/PointStamped": "geometry_msgs/msg/PointStamped",
}
SCENE_TYPES = {
    "geometry_msgs/msg/PointStamped",
    "sensor_msgs/msg/PointCloud2",
    "visualization_msgs/msg/MarkerArray",
}


@pytest.fixture(scope="module")
def graph() -> Any:
    """Types by topic of the live node, what it publishes and what it listens to, and QoS."""
    with pytest.MonkeyPatch.context() as patch, domain() as made:
        with live_node(made, FakeSegmenter("nothing"), patch):
            made.until(lambda: "/overlay" in made.topics("publisher", "perception_node"))
            probe = made.probe
            published = dict(probe.get_publisher_names_and_types_by_node("perception_node", "/"))
            heard = dict(probe.get_subscriber_names_and_types_by_node("perception_node", "/"))
            offers = {
                topic: [one.qos_profile for one in probe.get_publishers_info_by_topic(topic)]
                for topic in published
            }
        yield {
            "published": {topic: kinds[0] for topic, kinds in published.items()},
            "heard": {topic: kinds[0] for topic, kinds in heard.items()},
            "offers": offers,
        }


def displays() -> list[dict[str, Any]]:
    return [one for one in RVIZ["Visualization Manager"]["Displays"] if "Topic" in one]


def test_rviz_shows_topics_of_the_node_with_their_types(graph: Any):
    shown = {one["Topic"]["Value"]: RVIZ_TYPES[one["Class"]] for one in displays()}
    assert set(shown) >= {"/overlay", "/target_mask", "/target_cloud", "/markers"}
    known = graph["published"] | graph["heard"]
    assert shown == {topic: known.get(topic) for topic in shown}


def test_rviz_asks_for_no_more_than_the_node_offers(graph: Any):
    for one in displays():
        topic = one["Topic"]
        asked = QoSProfile(
            depth=topic["Depth"],
            history=HistoryPolicy[topic["History Policy"].replace(" ", "_").upper()],
            reliability=ReliabilityPolicy[topic["Reliability Policy"].replace(" ", "_").upper()],
            durability=DurabilityPolicy[topic["Durability Policy"].replace(" ", "_").upper()],
        )
        if topic["Value"] not in graph["published"]:
            # A camera: best effort receives from each.
            assert asked.reliability == ReliabilityPolicy.BEST_EFFORT
        for offered in graph["offers"].get(topic["Value"], ()):
            assert incompatibility(offered, asked) == "", topic["Value"]


def test_the_layout_names_topics_of_the_node(graph: Any):
    named = topics_in(LAYOUT)
    assert named >= {"/overlay", "/target_mask", "/target_cloud", "/markers", "/answer", "/intent"}
    assert named <= set(graph["published"]) | set(graph["heard"])


def test_the_layouts_panels_fit_their_topics(graph: Any):
    known = graph["published"] | graph["heard"]
    kinds = set()
    for name, panel in LAYOUT["configById"].items():
        kind = name.split("!")[0]
        kinds.add(kind)
        if kind == "Image":
            mode = panel["imageMode"]
            assert known[mode["imageTopic"]] == "sensor_msgs/msg/Image"
            if "calibrationTopic" in mode:
                assert known[mode["calibrationTopic"]] == "sensor_msgs/msg/CameraInfo"
        elif kind == "3D":
            assert {known[topic] for topic in panel["topics"]} <= SCENE_TYPES
        elif kind == "Publish":
            assert panel["topicName"] in graph["heard"]
            assert panel["datatype"] == known[panel["topicName"]] == "std_msgs/msg/String"
            assert isinstance(json.loads(panel["value"])["data"], str)
        elif kind == "DiagnosticSummary":
            assert known[panel["topicToRender"]] == "diagnostic_msgs/msg/DiagnosticArray"
    assert kinds == {"Image", "3D", "Publish", "RawMessages", "DiagnosticSummary"}


def test_every_panel_of_the_layout_has_its_place():
    def leaves(tree: Any) -> list[str]:
        if isinstance(tree, str):
            return [tree]
        assert tree["direction"] in ("row", "column")
        assert 0 < tree["splitPercentage"] < 100
        return leaves(tree["first"]) + leaves(tree["second"])

    assert sorted(leaves(LAYOUT["layout"])) == sorted(LAYOUT["configById"])


def test_a_namespace_moves_the_layouts_topics():
    moved = json.loads(layout_text("robot1/"))
    expected = {
        topic if topic in GLOBAL_TOPICS else f"/robot1{topic}" for topic in topics_in(LAYOUT)
    }
    assert topics_in(moved) == expected
    assert "/diagnostics" in expected
    assert moved["configById"]["RawMessages!answer"]["topicPath"] == "/robot1/answer.data"
    assert json.loads(layout_text("")) == json.loads(layout_file().read_text())
