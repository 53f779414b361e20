"""The table of the node's topics, services and actions; a test compares it with the live node.

Names as in the code: relative ones move with the namespace, ``~`` is the node's own name.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from lisa_ros.camera_inputs import (
    COLOUR_INFO_TOPIC,
    COLOUR_TOPIC,
    DEPTH_INFO_TOPIC,
    DEPTH_TOPIC,
)


class Direction(StrEnum):
    """Which way a topic goes, seen from the node."""

    IN = "in"
    OUT = "out"


@dataclass(frozen=True, kw_only=True)
class TopicSpec:
    """One topic.

    Attributes:
        name: as the node names it.
        kind: message type, with ``/msg/``.
        direction: which way.
        qos: name of the profile in lisa_ros.qos; "" where ROS itself sets it.
        what: for people.
        when: when messages come (out), or when it is listened to (in).
        optional: what has to be installed or set for it to exist; "" when it always does.
    """

    name: str
    kind: str
    direction: Direction
    qos: str
    what: str
    when: str = ""
    optional: str = ""


@dataclass(frozen=True, kw_only=True)
class ServiceSpec:
    """One service or action.

    Attributes:
        name, kind, what, optional: as of a topic.
        own: whether it is this package's; ROS 2 defines the others.
    """

    name: str
    kind: str
    what: str
    own: bool = False
    optional: str = ""


def _topic(
    direction: Direction,
    name: str,
    kind: str,
    qos: str,
    when: str,
    what: str,
    optional: str = "",
) -> TopicSpec:
    return TopicSpec(
        name=name,
        kind=kind,
        direction=direction,
        qos=qos,
        what=what,
        when=when,
        optional=optional,
    )


_in = partial(_topic, Direction.IN)
_out = partial(_topic, Direction.OUT)
_IMAGE = "sensor_msgs/msg/Image"
_COMPRESSED = "sensor_msgs/msg/CompressedImage"
_INFO = "sensor_msgs/msg/CameraInfo"
_TF = "tf2_msgs/msg/TFMessage"
_BOND = "with bondpy, while bond_heartbeat_period is above 0"
_TF2 = "with tf2_ros, once target_frame or follow_fixed_frame is set"
_ALWAYS = "while active"
_ANSWER = "each answer, each followed frame"
_WATCHED = "the same, while somebody subscribes"

TOPICS: tuple[TopicSpec, ...] = (
    _in(
        COLOUR_TOPIC,
        _IMAGE,
        "CAMERA_INPUT",
        "colour_transport raw, or auto",
        "Colour images.",
    ),
    _in(
        f"{COLOUR_TOPIC}/compressed",
        _COMPRESSED,
        "CAMERA_INPUT",
        "colour_transport compressed, or auto without a raw publisher",
        "Colour images as JPEG or PNG.",
    ),
    _in(COLOUR_INFO_TOPIC, _INFO, "CAMERA_INPUT", _ALWAYS, "Intrinsics of the colour camera."),
    _in(
        DEPTH_TOPIC,
        _IMAGE,
        "CAMERA_INPUT",
        "depth_transport raw, or auto",
        "Depth, 16UC1 in mm or 32FC1 in m; 0, NaN and inf are invalid.",
    ),
    _in(
        f"{DEPTH_TOPIC}/compressedDepth",
        _COMPRESSED,
        "CAMERA_INPUT",
        "depth_transport compressedDepth, or auto without a raw publisher",
        "Depth as PNG or RVL.",
    ),
    _in(
        f"{DEPTH_TOPIC}/compressed",
        _COMPRESSED,
        "CAMERA_INPUT",
        "depth_transport compressed",
        "Depth as PNG with 16 bits.",
    ),
    _in(
        DEPTH_INFO_TOPIC,
        _INFO,
        "CAMERA_INPUT",
        "depth_to_colour is set",
        "Intrinsics of a depth camera that is not registered to colour.",
    ),
    _in("intent", "std_msgs/msg/String", "INTENT_INPUT", "in every state", "What is wanted."),
    _in("/tf", _TF, "", "configured", "Transforms.", _TF2),
    _in("/tf_static", _TF, "", "configured", "Transforms that stay.", _TF2),
    _in(
        "/clock",
        "rosgraph_msgs/msg/Clock",
        "",
        "in every state",
        "Simulated time.",
        "with use_sim_time",
    ),
    _in("bond", "bond/msg/Status", "", _ALWAYS, "The lifecycle manager's heartbeat.", _BOND),
    _out("target_mask", _IMAGE, "RESULT_OUTPUT", _ANSWER, "All targets joined: mono8, 0 or 255."),
    _out(
        "instance_masks",
        "lisa_ros/msg/InstanceMasks",
        "RESULT_OUTPUT",
        _ANSWER,
        "Each object's mask, box, area and score, also below score_threshold.",
    ),
    _out(
        "targets",
        "lisa_ros/msg/Targets",
        "RESULT_OUTPUT",
        _ANSWER,
        "Per target: position, covariance, oriented box, normal, or why there is no 3D.",
    ),
    _out(
        "target_point",
        "geometry_msgs/msg/PointStamped",
        "RESULT_OUTPUT",
        "the same, when a target has a position",
        "The best target's position [m].",
    ),
    _out(
        "target_cloud",
        "sensor_msgs/msg/PointCloud2",
        "RESULT_OUTPUT",
        _WATCHED,
        "The best target's points.",
    ),
    _out(
        "markers",
        "visualization_msgs/msg/MarkerArray",
        "RESULT_OUTPUT",
        _WATCHED,
        "Box, point, normal and label, for RViz.",
    ),
    _out(
        "detections",
        "vision_msgs/msg/Detection3DArray",
        "RESULT_OUTPUT",
        _WATCHED,
        "The targets as detections.",
        "where vision_msgs is installed",
    ),
    _out("overlay", _IMAGE, "OVERLAY_OUTPUT", _WATCHED, "The result drawn on the image, rgb8."),
    _out(
        "follow_state",
        "lisa_ros/msg/FollowState",
        "RESULT_OUTPUT",
        "each followed frame; start and end of following",
        "What follow mode does, and each followed target's state.",
    ),
    _out(
        "answer",
        "std_msgs/msg/String",
        "RESULT_OUTPUT",
        "each answer, after the topics above",
        "What the model wrote.",
    ),
    _out(
        "/diagnostics",
        "diagnostic_msgs/msg/DiagnosticArray",
        "DIAGNOSTICS_OUTPUT",
        "once a second, in every state",
        "State, counters, last error, timings.",
    ),
    _out(
        "~/transition_event",
        "lifecycle_msgs/msg/TransitionEvent",
        "",
        "each transition",
        "Of every lifecycle node.",
    ),
    _out("/rosout", "rcl_interfaces/msg/Log", "", "each line of the log", "Of every node."),
    _out(
        "/parameter_events",
        "rcl_interfaces/msg/ParameterEvent",
        "",
        "each change of a parameter",
        "Of every node.",
    ),
    _out("bond", "bond/msg/Status", "", _ALWAYS, "The node's own heartbeat.", _BOND),
)


def _ros(name: str, kind: str, what: str, optional: str = "") -> ServiceSpec:
    return ServiceSpec(name=name, kind=kind, what=what, optional=optional)


SERVICES: tuple[ServiceSpec, ...] = (
    ServiceSpec(
        name="~/segment",
        kind="lisa_ros/srv/Segment",
        what="An intent about the newest frame, or about an image sent along; the whole result.",
        own=True,
    ),
    ServiceSpec(
        name="~/cancel",
        kind="std_srvs/srv/Trigger",
        what="Ends all requests, running and waiting, and following.",
        own=True,
    ),
    _ros("~/change_state", "lifecycle_msgs/srv/ChangeState", "configure, activate, ..."),
    _ros("~/get_state", "lifecycle_msgs/srv/GetState", "The lifecycle state."),
    _ros("~/get_available_states", "lifecycle_msgs/srv/GetAvailableStates", "All states."),
    _ros(
        "~/get_available_transitions",
        "lifecycle_msgs/srv/GetAvailableTransitions",
        "Transitions from the present state.",
    ),
    _ros(
        "~/get_transition_graph",
        "lifecycle_msgs/srv/GetAvailableTransitions",
        "All transitions.",
    ),
    _ros("~/describe_parameters", "rcl_interfaces/srv/DescribeParameters", "Text and ranges."),
    _ros("~/get_parameter_types", "rcl_interfaces/srv/GetParameterTypes", "Types."),
    _ros("~/get_parameters", "rcl_interfaces/srv/GetParameters", "Values."),
    _ros("~/list_parameters", "rcl_interfaces/srv/ListParameters", "Names."),
    _ros("~/set_parameters", "rcl_interfaces/srv/SetParameters", "Sets one by one."),
    _ros(
        "~/set_parameters_atomically",
        "rcl_interfaces/srv/SetParametersAtomically",
        "Sets all or none: for values that depend on each other.",
    ),
    _ros(
        "~/get_type_description",
        "type_description_interfaces/srv/GetTypeDescription",
        "Definitions of message types.",
    ),
    _ros("tf2_frames", "tf2_msgs/srv/FrameGraph", "The transform tree as tf2 sees it.", _TF2),
)

ACTIONS: tuple[ServiceSpec, ...] = (
    ServiceSpec(
        name="~/find_target",
        kind="lisa_ros/action/FindTarget",
        what="An intent about the newest frame, with feedback, deadline and cancelling.",
        own=True,
    ),
)


def full_name(name: str, node: str = "perception_node", namespace: str = "/") -> str:
    """Return a name of the table as the graph has it.

    Args:
        name: as in the table.
        node: the node's name.
        namespace: the node's.
    """
    prefix = namespace.rstrip("/")
    if name.startswith("~"):
        return f"{prefix}/{node}{name[1:]}"
    return name if name.startswith("/") else f"{prefix}/{name}"
