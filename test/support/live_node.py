"""The real perception node in a domain of its own, with what an outsider sees of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import rclpy
from rclpy.action import get_action_server_names_and_types_by_node
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn
from ros_domain import free_domain

from lisa_ros import model_loader
from lisa_ros.perception_node import PerceptionNode


@dataclass
class Domain:
    """One DDS domain; all nodes in it are spun by one thread.

    Attributes:
        probe: a node that looks on.
    """

    context: Any
    executor: SingleThreadedExecutor
    probe: Any
    nodes: list[Any] = field(default_factory=list)

    def add(self, node: Any) -> Any:
        """Spin a node too."""
        self.nodes.append(node)
        self.executor.add_node(node)
        return node

    def until(self, condition: Callable[[], Any], timeout_s: float = 20.0) -> None:
        """Wait for a condition."""
        end = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end, "timed out"
            time.sleep(0.02)

    def topics(self, kind: str, name: str) -> set[str]:
        """Return names in the graph of a node: kind is publisher, subscriber, service or client."""
        graph = getattr(self.probe, f"get_{kind}_names_and_types_by_node")
        return {one for one, _ in graph(name, "/")}

    def actions(self, name: str) -> set[str]:
        """Return the actions that a node serves."""
        return {one for one, _ in get_action_server_names_and_types_by_node(self.probe, name, "/")}


@contextmanager
def domain() -> Iterator[Domain]:
    """Make a domain of its own and spin what is added to it."""
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=free_domain())
    executor = SingleThreadedExecutor(context=context)
    probe = rclpy.create_node("probe", context=context)
    made = Domain(context, executor, probe)
    made.add(probe)
    spinning = threading.Thread(target=_spin, args=(executor,), daemon=True)
    spinning.start()
    try:
        yield made
    finally:
        executor.shutdown(timeout_sec=5)
        spinning.join(10)
        context.try_shutdown()


def _spin(executor: SingleThreadedExecutor) -> None:
    try:
        executor.spin()
    except Exception:
        if executor.context.ok():
            raise


@contextmanager
def live_node(
    made: Domain, segmenter: Any, monkeypatch: Any, *arguments: str
) -> Iterator[PerceptionNode]:
    """Run the perception node, active, with a stand-in for the model.

    Args:
        made: where.
        segmenter: the stand-in.
        monkeypatch: pytest's.
        arguments: behind ``--ros-args``.
    """
    monkeypatch.setattr(model_loader, "load_segmenter", lambda settings: segmenter)
    cli = ["--ros-args", *arguments] if arguments else None
    node = PerceptionNode(context=made.context, cli_args=cli)
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    assert node.trigger_activate() == TransitionCallbackReturn.SUCCESS
    made.add(node)
    try:
        yield node
    finally:
        made.executor.remove_node(node)
        node.release()
        node.destroy_node()
