"""The bond to a lifecycle manager: when the node dies, the manager knows within seconds.

Nav2's lifecycle manager opens a bond with each node that it manages, unless its bond_timeout is 0;
a node without one is taken for dead. Same topic, id and timeout as nav2_util's LifecycleNode.
"""

from __future__ import annotations

import importlib
from typing import Any

TOPIC = "bond"
HEARTBEAT_TIMEOUT_S = 4.0


class BondUnavailableError(Exception):
    """A bond is wanted, but bondpy does not import."""


class ManagerBond:
    """A bond that lives while the node is active.

    Args:
        node: whose name is the bond's id.
        heartbeat_period_s: 0 for no bond.

    Raises:
        BondUnavailableError: a bond is wanted, but bondpy is not installed.
    """

    def __init__(self, node: Any, heartbeat_period_s: float) -> None:
        self._bond: Any = None
        if heartbeat_period_s <= 0:
            return
        try:
            bondpy = importlib.import_module("bondpy.bondpy")
        except ImportError as error:
            raise BondUnavailableError(
                f"parameter bond_heartbeat_period is {heartbeat_period_s:g}, but bondpy does not "
                f"import ({error}). Install it (apt install ros-$ROS_DISTRO-bondpy), or set "
                "bond_heartbeat_period to 0 and the lifecycle manager's bond_timeout to 0.0"
            ) from error
        self._bond = bondpy.Bond(node, TOPIC, node.get_name())
        self._bond.heartbeat_period = heartbeat_period_s
        self._bond.heartbeat_timeout = HEARTBEAT_TIMEOUT_S
        self._bond.start()

    def end(self) -> None:
        """Tell the manager that the bond ends on purpose."""
        if self._bond is not None:
            self._bond.break_bond()
            self._bond.shutdown()
            self._bond = None
