from __future__ import annotations

from typing import Any

import pytest

from lisa_ros.diagnostics import Diagnostics, NodeState
from lisa_ros.doctor.observed import Endpoint, Link, NodeSeen
from lisa_ros.doctor.perception import check_links, check_node
from lisa_ros.doctor.report import Finding, Status

NAME = "/perception_node"


def names(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


def node_with(diagnostics: Diagnostics, lifecycle: str, **values: Any) -> NodeSeen:
    """The node as its own diagnostics describe it."""
    status = diagnostics.status(
        f"{NAME}: perception", NodeState(lifecycle=lifecycle, model="m", device="cpu")
    )
    return NodeSeen(
        name=NAME,
        present=True,
        status={one.key: one.value for one in status.values},
        message=status.message,
        **values,
    )


def test_a_node_that_does_not_run_is_a_warning():
    (finding,) = check_node(NodeSeen(name=NAME, present=False))
    assert finding.status is Status.WARNING
    assert "perception.launch.py" in finding.remedy


def test_a_node_that_says_nothing_fails():
    findings = names(check_node(NodeSeen(name=NAME, present=True)))
    assert findings["node"].status is Status.FAILED


def test_an_active_node():
    findings = names(check_node(node_with(Diagnostics(), "active")))
    assert {finding.status for finding in findings.values()} == {Status.OK}
    assert "active: m on cpu" in findings["node"].what


@pytest.mark.parametrize(
    ("state", "said"),
    [("unconfigured", "configure"), ("inactive", "activate"), ("finalized", "start it again")],
)
def test_another_state_has_its_next_step(state: str, said: str):
    finding = names(check_node(node_with(Diagnostics(), state)))["node"]
    assert finding.status is Status.WARNING
    assert said in finding.remedy


def test_refusals_are_shown_with_the_last_reason():
    diagnostics = Diagnostics()
    diagnostics.count("received.image")
    diagnostics.count_refused("image_step", "image.step is 3")
    diagnostics.count_refused("image_step", "image.step is 3")
    diagnostics.count_refused("intent_empty", "intent is empty")
    finding = names(check_node(node_with(diagnostics, "active")))["refused"]
    assert finding.status is Status.WARNING
    assert "image_step 2, intent_empty 1" in finding.what
    assert "0.0 s ago: intent_empty: intent is empty" in finding.what
    assert "received" not in finding.what


def test_connections_that_do_not_match(seen: Any):
    link = Link(
        topic="/target_mask",
        publishers=(Endpoint(node=NAME, qos=seen.reliable),),
        subscriptions=(
            Endpoint(node="/planner", qos=seen.latched),
            Endpoint(node="/rviz", qos=seen.best_effort),
        ),
    )
    bad = NodeSeen(name=NAME, present=True, links=[link])
    (finding,) = check_links(bad)
    assert finding.status is Status.FAILED
    assert "from /perception_node to /planner" in finding.what
    # The same between two others is not this node's business.
    elsewhere = NodeSeen(name="/other/perception_node", present=True, links=[link])
    (finding,) = check_links(elsewhere)
    assert finding.status is Status.OK
