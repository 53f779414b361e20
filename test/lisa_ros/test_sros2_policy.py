"""config/sros2/policy.xml allows what the nodes do, and hardly more.

Compared with the graph of live nodes, so that a new topic, service or action fails here.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from live_node import Domain, domain, live_node

from lisa_ros.view_bridge import NODE_NAME as VIEW_NODE
from lisa_ros.view_bridge import ViewBridge, ViewConfig
from lisa_ros.view_graph import topics_of_node

pytestmark = pytest.mark.ros

POLICY = Path(__file__).resolve().parents[2] / "config" / "sros2" / "policy.xml"
NODE = "perception_node"
# What the live nodes below do not show, and when the node does it.
CONDITIONAL = {
    ("topic", "subscribe"): {
        "/clock": "use_sim_time",
        "/tf": "target_frame, with tf2_ros",
        "/tf_static": "target_frame, with tf2_ros",
        "/bond": "under a lifecycle manager, with bondpy",
    },
    ("topic", "publish"): {
        "/detections": "with vision_msgs",
        "/bond": "under a lifecycle manager, with bondpy",
    },
    ("service", "reply"): {"/tf2_frames": "target_frame, with tf2_ros"},
}
# Each shows some of the node's inputs.
PARAMETERS = (
    (),
    ("-p", "colour_transport:=compressed", "-p", "depth_transport:=compressed"),
    ("-p", "depth_transport:=compressedDepth", "-p", "depth_to_colour:=0 0 0 0 0 0 1"),
)


def allowed(enclave: str) -> dict[tuple[str, str], set[str]]:
    """Return the names by (topic, service or action; what is allowed), as sros2 expands them."""
    found: dict[tuple[str, str], set[str]] = {}
    root = ElementTree.parse(POLICY).getroot()
    for profile in root.iterfind(f"enclaves/enclave[@path='{enclave}']/profiles/profile"):
        namespace = profile.attrib["ns"].rstrip("/")
        for group in profile:
            (rule,) = group.attrib
            assert group.attrib[rule] == "ALLOW"
            for one in group:
                text = (one.text or "").strip()
                if text.startswith("~"):
                    text = f"{namespace}/{profile.attrib['node']}{text[1:]}"
                elif not text.startswith("/"):
                    text = f"{namespace}/{text}"
                names = found.setdefault((one.tag, rule), set())
                assert text not in names, f"{text} is named twice"
                names.add(text)
    assert found, f"no enclave {enclave}"
    return found


def without_actions(names: set[str]) -> set[str]:
    return {name for name in names if "/_action/" not in name}


def used_by(made: Domain, name: str) -> dict[tuple[str, str], set[str]]:
    return {
        ("topic", "publish"): without_actions(made.topics("publisher", name)),
        ("topic", "subscribe"): without_actions(made.topics("subscriber", name)),
        ("service", "reply"): without_actions(made.topics("service", name)),
        ("service", "request"): without_actions(made.topics("client", name)),
        ("action", "execute"): made.actions(name),
    }


@pytest.fixture
def made() -> Iterator[Domain]:
    with domain() as one:
        yield one


@pytest.fixture
def used(
    made: Domain, fake: Any, monkeypatch: pytest.MonkeyPatch
) -> dict[tuple[str, str], set[str]]:
    """What the node uses, in all its forms together."""
    together: dict[tuple[str, str], set[str]] = {}
    for parameters in PARAMETERS:
        with live_node(made, fake, monkeypatch, *parameters):
            made.until(lambda: f"/{NODE}/segment" in used_by(made, NODE)["service", "reply"])
            for key, names in used_by(made, NODE).items():
                together.setdefault(key, set()).update(names)
    return together


def test_the_policy_is_the_nodes_graph(used: dict[tuple[str, str], set[str]]):
    policy = allowed("/lisa/perception_node")
    assert used["topic", "publish"] >= {"/target_mask", "/diagnostics", "/rosout"}
    assert used["topic", "subscribe"] >= {"/intent", "/camera/depth/image_raw/compressedDepth"}
    for key in used.keys() | policy.keys():
        missing = used.get(key, set()) - policy.get(key, set())
        assert missing == set(), f"the policy does not allow {key}: {missing}"
        unused = policy.get(key, set()) - used.get(key, set()) - set(CONDITIONAL.get(key, ()))
        assert unused == set(), f"the policy allows {key}, which the node does not use: {unused}"


def test_the_operator_can_use_all_that_the_node_offers(used: dict[tuple[str, str], set[str]]):
    node, operator = allowed("/lisa/perception_node"), allowed("/lisa/operator")
    assert operator["service", "request"] == node["service", "reply"]
    assert operator["action", "call"] == node["action", "execute"]
    assert operator["topic", "subscribe"] == node["topic", "publish"]
    assert "/intent" in operator["topic", "publish"] & used["topic", "subscribe"]
    # Whoever may publish images decides what is seen.
    cameras = {name for name in node["topic", "subscribe"] if name.startswith("/camera/")}
    assert cameras
    assert operator["topic", "publish"].isdisjoint(cameras)


def test_the_view_may_show_what_it_offers(made: Domain, fake: Any, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("foxglove", reason="needs the extra view")
    policy = allowed("/lisa/view")
    offered: set[str] = set()
    for parameters in PARAMETERS:
        with live_node(made, fake, monkeypatch, *parameters):
            made.until(lambda: topics_of_node(made.probe, NODE, "/"))
            offered |= {one.name for one in topics_of_node(made.probe, NODE, "/")}
    assert "/overlay" in offered
    assert offered <= policy["topic", "subscribe"]
    view = made.add(ViewBridge(ViewConfig(port=0), context=made.context))
    made.until(lambda: "/intent" in used_by(made, VIEW_NODE)["topic", "publish"])
    for key, names in used_by(made, VIEW_NODE).items():
        assert names <= policy.get(key, set()), key
    made.executor.remove_node(view)
    view.close()
