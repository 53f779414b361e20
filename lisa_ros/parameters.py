"""The node's parameters as the program uses them; declared, checked and documented by the table.

``python3 -m lisa_ros.parameters`` prints config/perception.yaml.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lisa_model.geometry import TargetConfig
from lisa_ros.camera_view import CameraView, parse_depth_to_colour
from lisa_ros.parameter_table import PARAMETERS, check_value

ROS_TYPE_NAMES = {str: "string", bool: "bool", int: "integer", float: "double"}


@dataclass(frozen=True)
class Settings:
    """The parameters' values as the program uses them; see PARAMETERS for their meaning."""

    model: str
    device: str
    dtype: str
    quantization: str
    vision_tower: str
    conversation: str
    inference_niceness: int
    colour_transport: str
    depth_transport: str
    camera_qos: str
    bond_heartbeat_period: float
    max_answer_tokens: int
    score_threshold: float
    max_intent_chars: int
    sync_slop_s: float
    max_frame_age_s: float
    frame_timeout_s: float
    inference_timeout_s: float
    watchdog_s: float
    follow: bool
    follow_max_hz: float
    follow_reask_s: float
    follow_fixed_frame: str
    target_frame: str
    tf_timeout_s: float
    target: TargetConfig
    view: CameraView

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Settings:
        """Check all values together.

        Args:
            values: one entry for each of PARAMETERS.

        Raises:
            ValueError: naming the parameter, when a value is not allowed or two contradict.
        """
        for spec in PARAMETERS:
            check_value(spec, values[spec.name])
        target = TargetConfig(
            min_depth_m=values["min_depth_m"],
            max_depth_m=values["max_depth_m"],
            erosion_px=values["erosion_px"],
            min_depth_points=values["min_depth_points"],
            min_valid_depth_fraction=values["min_valid_depth_fraction"],
        )
        view = CameraView(
            rectify=values["rectify"],
            rectified_input=values["rectified_input"],
            colour_from_depth=parse_depth_to_colour(values["depth_to_colour"]),
        )
        own = (name for name in cls.__dataclass_fields__ if name not in ("target", "view"))
        return cls(target=target, view=view, **{name: values[name] for name in own})

    @classmethod
    def defaults(cls) -> Settings:
        """Return the default values."""
        return cls.from_values({spec.name: spec.default for spec in PARAMETERS})


def declare_parameters(node: Any) -> None:
    """Declare all parameters on an rclpy node, with descriptors.

    Raises:
        rclpy.exceptions.ParameterException: an override has the wrong type or is out of range.
    """
    # Imported here so that the documentation can be printed without ROS.
    from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor

    for spec in PARAMETERS:
        descriptor = ParameterDescriptor(
            name=spec.name, description=spec.description, read_only=spec.read_only
        )
        if spec.choices:
            descriptor.additional_constraints = f"One of: {', '.join(spec.choices)}"
        if isinstance(spec.default, float) and spec.low is not None and spec.high is not None:
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=float(spec.low), to_value=float(spec.high))
            ]
        elif isinstance(spec.default, int) and spec.low is not None and spec.high is not None:
            descriptor.integer_range = [
                IntegerRange(from_value=int(spec.low), to_value=int(spec.high), step=1)
            ]
        node.declare_parameter(spec.name, spec.default, descriptor)


def render_yaml() -> str:
    """Return config/perception.yaml: every parameter with its default and its documentation."""
    lines = [
        "# Parameters of perception_node, with their defaults.",
        "# Written by `python3 -m lisa_ros.parameters` from lisa_ros/parameter_table.py.",
        "# The key with the wildcard fits the node in any namespace.",
        "/**/perception_node:",
        "  ros__parameters:",
    ]
    for spec in PARAMETERS:
        lines.append(f"    # {spec.description}")
        facts = [ROS_TYPE_NAMES[type(spec.default)]]
        if spec.low is not None and spec.high is not None:
            facts.append(f"{spec.low:g} to {spec.high:g}")
        if spec.choices:
            facts.append(f"one of {', '.join(spec.choices)}")
        facts.append("read-only" if spec.read_only else "can be changed while running")
        lines.append(f"    # ({'; '.join(facts)})")
        shown = spec.default if spec.default != "" else '""'
        if isinstance(shown, bool):
            shown = str(shown).lower()
        lines.append(f"    {spec.name}: {shown}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(render_yaml(), end="")
