"""The table of the node's parameters: their types, defaults, ranges and documentation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from lisa_model.geometry import TargetConfig
from lisa_ros.intent import DEFAULT_MAX_CHARS

Value = str | int | float  # bool is an int


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
        "bond_heartbeat_period",
        0.0,
        "Seconds between heartbeats of the bond to a lifecycle manager, as in Nav2 (0.1 there); "
        "needs bondpy. 0: no bond.",
        low=0.0,
        high=3.0,
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
        "inference_timeout_s",
        0.0,
        "A request without an answer after so long is given up, also midway [s]. 0: never.",
        low=0.0,
        high=3600.0,
    ),
    ParameterSpec(
        "watchdog_s",
        120.0,
        "An inference that comes on by no stage and no token for so long counts as hung: its "
        "request fails, new ones are refused, and diagnostics report an error until it comes back "
        "[s]. 0: never. Must be above the longest stage of the model on this device.",
        low=0.0,
        high=3600.0,
    ),
    ParameterSpec(
        "follow",
        False,
        "Follow the targets of intents from the topic in the frames that come after. The action "
        "has a field of its own for this.",
    ),
    ParameterSpec(
        "follow_max_hz",
        0.0,
        "At most so many frames a second are followed, to leave the device to others [Hz]. 0: as "
        "many as it can.",
        low=0.0,
        high=120.0,
    ),
    ParameterSpec(
        "follow_reask_s",
        10.0,
        "While following, the language model is asked again after so long [s]. 0: only when a "
        "target is lost.",
        low=0.0,
        high=3600.0,
    ),
    ParameterSpec(
        "follow_fixed_frame",
        "",
        "Positions of followed targets are smoothed in this frame, in which resting things rest, "
        "such as odom or map; needs tf2. Empty: they are not smoothed.",
        may_be_empty=True,
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


def check_value(spec: ParameterSpec, value: Any) -> None:
    """Check one value.

    Raises:
        ValueError: naming the parameter and what is allowed.
    """
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
