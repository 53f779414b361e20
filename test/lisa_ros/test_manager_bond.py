from __future__ import annotations

import sys
from types import ModuleType
from typing import Any, ClassVar

import pytest

from lisa_ros.manager_bond import BondUnavailableError, ManagerBond


class Node:
    def get_name(self) -> str:
        return "perception_node"


class Bond:
    made: ClassVar[list[Bond]] = []

    def __init__(self, node: Any, topic: str, bond_id: str) -> None:
        self.topic, self.id = topic, bond_id
        self.heartbeat_period = self.heartbeat_timeout = 0.0
        self.calls: list[str] = []
        Bond.made.append(self)

    def __getattr__(self, name: str) -> Any:
        return lambda: self.calls.append(name)


@pytest.fixture
def bondpy(monkeypatch: pytest.MonkeyPatch) -> type[Bond]:
    module = ModuleType("bondpy.bondpy")
    module.Bond = Bond  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "bondpy", ModuleType("bondpy"))
    monkeypatch.setitem(sys.modules, "bondpy.bondpy", module)
    Bond.made = []
    return Bond


def test_it_is_the_bond_that_nav2s_manager_opens(bondpy: type[Bond]):
    bond = ManagerBond(Node(), 0.1)
    (made,) = bondpy.made
    assert (made.topic, made.id) == ("bond", "perception_node")
    assert (made.heartbeat_period, made.heartbeat_timeout) == (0.1, 4.0)
    assert made.calls == ["start"]
    bond.end()
    bond.end()
    assert made.calls == ["start", "break_bond", "shutdown"]


def test_without_a_period_nothing_is_needed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "bondpy", None)
    ManagerBond(Node(), 0.0).end()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "bondpy", None)
    with pytest.raises(BondUnavailableError, match=r"bond_heartbeat_period is 0\.1.*apt install"):
        ManagerBond(Node(), 0.1)
