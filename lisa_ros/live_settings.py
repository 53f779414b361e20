"""The node's parameters while it runs: each change is checked as a whole, then counts at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.parameter import Parameter

from lisa_ros.parameters import PARAMETERS, Settings, declare_parameters


class LiveSettings:
    """Declares the parameters of a node and holds their values as Settings.

    Args:
        node: owner of the parameters.
        on_change: called after a change, on the executor's thread.

    Raises:
        rclpy.exceptions.ParameterException: an override has the wrong type or is out of range.
    """

    def __init__(self, node: Any, on_change: Callable[[], None]) -> None:
        declare_parameters(node)
        self._node = node
        self._on_change = on_change
        self._settings: Settings | None = None
        node.add_on_set_parameters_callback(self._check)
        node.add_post_set_parameters_callback(self._apply)

    def read(self) -> Settings:
        """Take over the values of the parameters as they are now, and return them.

        Raises:
            ValueError: naming the parameter, when two of them contradict.
        """
        self._settings = Settings.from_values(self._values())
        return self._settings

    def current(self) -> Settings:
        """Return the values as they are now; any thread may ask, once ``read`` has succeeded."""
        assert self._settings is not None, "read() comes first"
        return self._settings

    def _values(self) -> dict[str, Any]:
        return {spec.name: self._node.get_parameter(spec.name).value for spec in PARAMETERS}

    def _check(self, changed: list[Parameter]) -> SetParametersResult:
        values = self._values() | {one.name: one.value for one in changed}
        try:
            Settings.from_values(values)
        except ValueError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _apply(self, changed: list[Parameter]) -> None:
        self.read()
        self._on_change()
