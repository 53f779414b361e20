"""Judges a running perception node."""

from __future__ import annotations

from lisa_ros.doctor.camera import incompatibility
from lisa_ros.doctor.observed import NodeSeen
from lisa_ros.doctor.report import Finding, failed, ok, warning

_NEXT = {
    "unconfigured": "ros2 lifecycle set {node} configure, then activate; its log says why if it "
    "fails",
    "inactive": "ros2 lifecycle set {node} activate",
}


def check_node(node: NodeSeen) -> list[Finding]:
    """Judge the node: whether it runs, its state, what it refused, its connections."""
    if not node.present:
        return [
            warning(
                "node",
                f"{node.name} is not running (or not seen from here)",
                "ros2 launch lisa_ros perception.launch.py; in a namespace: --ns; else see "
                "domain and loopback above",
            )
        ]
    if node.status is None:
        findings = [
            failed(
                "node",
                f"{node.name} is there, but reports nothing in /diagnostics",
                "It hangs, or runs in another container: look at its log, start it again",
            )
        ]
    else:
        findings = _check_status(node)
    return findings + check_links(node)


def _check_status(node: NodeSeen) -> list[Finding]:
    assert node.status is not None
    state = node.status.get("state", "unknown")
    model = f"{node.status.get('model') or 'no model'} on {node.status.get('device') or 'nothing'}"
    if state == "active":
        findings = [ok("node", f"{node.name} is active: {model}; {node.message}")]
    else:
        remedy = _NEXT.get(state, "Look at its log, start it again").format(node=node.name)
        findings = [warning("node", f"{node.name} is {state}", remedy)]
    refused = {
        key.removeprefix("refused."): value
        for key, value in node.status.items()
        if key.startswith("refused.") and value != "0"
    }
    if refused:
        counts = ", ".join(f"{code} {count}" for code, count in sorted(refused.items()))
        last = node.status.get("last_error", "")
        age = node.status.get("last_error_age_s", "")
        findings.append(
            warning(
                "refused",
                f"{counts}; the last, {age} s ago: {last}",
                "The last sentence names the remedy; codes: docs/cameras.md",
            )
        )
    else:
        findings.append(ok("refused", "nothing was refused"))
    return findings


def check_links(node: NodeSeen) -> list[Finding]:
    """Find publishers and subscriptions of the node's topics that do not match."""
    findings = []
    joined = 0
    for link in node.links:
        for publisher in link.publishers:
            for subscription in link.subscriptions:
                if node.name not in (publisher.node, subscription.node):
                    continue
                joined += 1
                reason = incompatibility(publisher.qos, subscription.qos)
                if reason:
                    findings.append(
                        failed(
                            "QoS",
                            f"{link.topic}: nothing goes from {publisher.node} to "
                            f"{subscription.node}: {reason}",
                            "Ask for less (best_effort, volatile) at the subscription, or offer "
                            "more at the publisher; of the camera: parameter camera_qos",
                        )
                    )
    return findings or [ok("QoS", f"all {joined} connections of the node match")]
