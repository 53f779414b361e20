"""The node's parameters: one table, from which they are declared, checked and documented.

``python3 -m lisa_ros.parameters`` prints config/perception.yaml.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lisa_model.geometry import TargetConfig
from lisa_ros.camera_view import CameraView, parse_depth_to_colour
from lisa_ros.intent import DEFAULT_MAX_CHARS

Value = str | int | float  # bool is an int
_ROS_TYPE_NAMES = {str: "string", bool: "bool", int: "integer", float: "double"}


@dataclass(frozen=True)
class ParameterSpec:
    """One parameter.

    Attributes:
        name, default: as declared; the default's Python type is the parameter's type.
        description: for people, with the unit.
        low, high: inclusive range of a number.
        choices: allowed values of a string; empty for any.
        may_be_empty: whether a string can be "".
        read_only: fixed at start (``--ros-args -p`` or the params file), because the loaded model
            or the subscriptions depend on it.
    """

    name: str
    default: Value
    description: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    may_be_empty: bool = False
    read_only: bool = False


_TARGET = TargetConfig()

PARAMETERS: tuple[ParameterSpec, ...] = (
    ParameterSpec(
        "model",
        "lisa-tiny",
        "Name of the model, or path of a folder of weights: of `lisa convert`, of an official LISA "
        "checkpoint as downloaded, or of your own training.",
        read_only=True,
    ),
    ParameterSpec(
        "device",
        "cpu",
        "Where the model runs: cpu, cuda or cuda:N, as PyTorch names it.",
        read_only=True,
    ),
    ParameterSpec(
        "dtype",
        "float32",
        "Floating-point type of the model. float32 on a CPU; bfloat16 halves the memory on a GPU.",
        choices=("float32", "bfloat16", "float16"),
        read_only=True,
    ),
    ParameterSpec(
        "quantization",
        "none",
        "Of an official LISA checkpoint's language model: 8 or 4 bits a weight save memory.",
        choices=("none", "int8", "int4", "nf4"),
        read_only=True,
    ),
    ParameterSpec(
        "vision_tower",
        "",
        "Path of the CLIP model of an official LISA checkpoint; empty when it lies in the folder "
        "of the model or beside it.",
        may_be_empty=True,
        read_only=True,
    ),
    ParameterSpec(
        "conversation",
        "llava_v1",
        "Prompt template of an official LISA checkpoint; all released v1 models use llava_v1.",
        choices=("llava_v1", "llava_llama_2"),
        read_only=True,
    ),
    ParameterSpec(
        "inference_niceness",
        5,
        "How much the inference threads yield to other programs on a busy CPU, as in nice(1): 0 is "
        "an equal share; higher values keep camera drivers on time. Linux only.",
        low=0,
        high=19,
        read_only=True,
    ),
    ParameterSpec(
        "colour_transport",
        "auto",
        "How colour images come: raw, compressed (topic <base>/compressed, JPEG or PNG), or auto: "
        "raw where it is published, else compressed.",
        choices=("raw", "compressed", "auto"),
        read_only=True,
    ),
    ParameterSpec(
        "depth_transport",
        "auto",
        "How depth images come: raw, compressedDepth (topic <base>/compressedDepth, PNG or RVL), "
        "compressed (16-bit PNG), or auto: raw where it is published, else compressedDepth.",
        choices=("raw", "compressedDepth", "compressed", "auto"),
        read_only=True,
    ),
    ParameterSpec(
        "camera_qos",
        "best_effort",
        "Reliability that is asked of the camera's publishers: best_effort fits all; with reliable "
        "lost packets are sent again, but nothing comes from best-effort publishers.",
        choices=("best_effort", "reliable"),
        read_only=True,
    ),
    ParameterSpec(
        "rectify",
        False,
        "Take the lens distortion out of the images first: masks and boxes then refer to the "
        "rectified image, which has the intrinsics K.",
        read_only=True,
    ),
    ParameterSpec(
        "rectified_input",
        False,
        "The images are rectified already (image_proc's image_rect): P of the camera_info holds, "
        "not K.",
        read_only=True,
    ),
    ParameterSpec(
        "depth_to_colour",
        "",
        "Where the depth camera is, when depth is not registered to colour: 'x y z qx qy qz qw' of "
        "its optical frame in the colour camera's [m], or a row-major 4 x 4 matrix. "
        "camera/depth/camera_info is then needed. Empty: depth is registered.",
        may_be_empty=True,
        read_only=True,
    ),
    ParameterSpec(
        "max_answer_tokens",
        32,
        "The model stops after this many tokens: a limit on the time an answer takes.",
        low=1,
        high=1024,
    ),
    ParameterSpec(
        "score_threshold",
        0.3,
        "Instances with a lower score (0..1) are reported in instance_masks, but are no targets.",
        low=0.0,
        high=1.0,
    ),
    ParameterSpec(
        "max_intent_chars",
        DEFAULT_MAX_CHARS,
        "Longer intents are refused [characters].",
        low=1,
        high=10_000,
    ),
    ParameterSpec(
        "sync_slop_s",
        0.05,
        "Largest difference between the stamps of colour, depth and camera_info of one frame [s].",
        low=0.0,
        high=1.0,
    ),
    ParameterSpec(
        "max_frame_age_s",
        1.0,
        "A frame that arrived longer ago than this is stale: intents are not run on it [s].",
        low=0.05,
        high=60.0,
    ),
    ParameterSpec(
        "frame_timeout_s",
        2.0,
        "An intent waits this long for a frame that is not stale, then it is dropped [s].",
        low=0.0,
        high=60.0,
    ),
    ParameterSpec(
        "min_depth_m",
        _TARGET.min_depth_m,
        "Smaller depths are invalid [m].",
        low=0.0,
        high=100.0,
    ),
    ParameterSpec(
        "max_depth_m",
        _TARGET.max_depth_m,
        "Larger depths are invalid [m].",
        low=0.01,
        high=1000.0,
    ),
    ParameterSpec(
        "min_depth_points",
        _TARGET.min_depth_points,
        "A mask with fewer valid depth pixels gets no 3D position [pixels].",
        low=1,
        high=100_000,
    ),
    ParameterSpec(
        "min_valid_depth_fraction",
        _TARGET.min_valid_depth_fraction,
        "A mask with a smaller share of valid depth (0..1) gets no 3D position.",
        low=0.0,
        high=1.0,
    ),
    ParameterSpec(
        "erosion_px",
        _TARGET.erosion_px,
        "Pixels taken off the mask's edge before depth is read, where depth bleeds. Small masks "
        "are eroded less, so that they never vanish [pixels].",
        low=0,
        high=20,
    ),
    ParameterSpec(
        "target_frame",
        "",
        "Frame that targets, target_point, target_cloud, markers and detections are brought into "
        "by tf2, at the image's stamp, such as base_link. Empty: the camera's own optical frame.",
        may_be_empty=True,
    ),
    ParameterSpec(
        "tf_timeout_s",
        0.2,
        "An answer waits this long for the transform into target_frame, then it has no 3D [s].",
        low=0.0,
        high=10.0,
    ),
)


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
    max_answer_tokens: int
    score_threshold: float
    max_intent_chars: int
    sync_slop_s: float
    max_frame_age_s: float
    frame_timeout_s: float
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
            _check(spec, values[spec.name])
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


def _check(spec: ParameterSpec, value: Any) -> None:
    if type(value) is not type(spec.default):
        raise ValueError(
            f"parameter {spec.name} is {value!r}; must be of type {type(spec.default).__name__}"
        )
    if spec.choices and value not in spec.choices:
        raise ValueError(
            f"parameter {spec.name} is {value!r}; use one of {', '.join(spec.choices)}"
        )
    if isinstance(value, str):
        if not value.strip() and not spec.may_be_empty:
            raise ValueError(f"parameter {spec.name} is empty")
        return
    low = -math.inf if spec.low is None else spec.low
    high = math.inf if spec.high is None else spec.high
    if not low <= value <= high:  # False for NaN too
        raise ValueError(f"parameter {spec.name} is {value}; must be within {low:g}..{high:g}")


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
        "# Written by `python3 -m lisa_ros.parameters` from the table in lisa_ros/parameters.py.",
        "# The key with the wildcard fits the node in any namespace.",
        "/**/perception_node:",
        "  ros__parameters:",
    ]
    for spec in PARAMETERS:
        lines.append(f"    # {spec.description}")
        facts = [_ROS_TYPE_NAMES[type(spec.default)]]
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
