"""Start perception_node and bring it to active by itself.

    ros2 launch lisa_ros perception.launch.py
    ros2 launch lisa_ros perception.launch.py device:=cuda dtype:=bfloat16 namespace:=robot1

Arguments that are left empty take the value of the params file.  Topic names are relative: with a
namespace they move along, unless they are given with a leading slash.
"""

from launch import LaunchContext, LaunchDescription
from launch.action import Action
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
)
from launch.events import matches_action
from launch.substitutions import EnvironmentVariable, LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import LifecycleNode
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from launch_ros.substitutions import FindPackageShare
from lifecycle_msgs.msg import Transition

from lisa_ros.transport import FASTDDS_TRANSPORT_DEFAULT, FASTDDS_TRANSPORT_VARIABLE

# Launch arguments that override a parameter of the same name.
PARAMETER_ARGUMENTS = {
    "model": "Name of the model, or path of a folder of weights",
    "device": "Where the model runs: cpu, cuda, cuda:N",
    "dtype": "float32, bfloat16 or float16",
    "quantization": "Of an official LISA checkpoint: none, int8, int4 or nf4",
    "vision_tower": "Folder of the CLIP model of an official LISA checkpoint",
    "colour_transport": "raw, compressed or auto",
    "depth_transport": "raw, compressedDepth, compressed or auto",
    "camera_qos": "best_effort or reliable",
    "rectify": "true: take the lens distortion out of the images",
    "depth_to_colour": "Of unregistered depth: 'x y z qx qy qz qw' of its camera [m]",
    "target_frame": "Frame that 3D results are brought into by tf2",
    "follow": "true: follow the targets of intents from the topic",
}
# Launch arguments that remap a topic: argument, topic of the node, description.
TOPIC_ARGUMENTS = (
    ("color_topic", "camera/color/image_raw", "Colour images"),
    ("camera_info_topic", "camera/color/camera_info", "Intrinsics of the colour camera"),
    ("depth_topic", "camera/depth/image_raw", "Depth (16UC1 mm, 32FC1 m), registered to colour"),
    ("depth_camera_info_topic", "camera/depth/camera_info", "Intrinsics of unregistered depth"),
    ("intent_topic", "intent", "Intents (std_msgs/String)"),
)


def make_node(context: LaunchContext) -> list[Action]:
    """Return the node and the events that configure and activate it."""
    overrides = {}
    for name in PARAMETER_ARGUMENTS:
        value = LaunchConfiguration(name).perform(context)
        if value:
            overrides[name] = value
    parameters = [LaunchConfiguration("params_file")]
    if overrides:
        parameters.append(overrides)
    enclave = LaunchConfiguration("enclave").perform(context)
    node = LifecycleNode(
        package="lisa_ros",
        executable="perception_node",
        name="perception_node",
        namespace=LaunchConfiguration("namespace"),
        parameters=parameters,
        remappings=[
            (topic, LaunchConfiguration(argument)) for argument, topic, _ in TOPIC_ARGUMENTS
        ],
        ros_arguments=["--enclave", enclave] if enclave else None,
        output="screen",
        emulate_tty=True,
    )

    def change(transition: int) -> EmitEvent:
        return EmitEvent(
            event=ChangeState(lifecycle_node_matcher=matches_action(node), transition_id=transition)
        )

    activate_when_configured = RegisterEventHandler(
        OnStateTransition(
            target_lifecycle_node=node,
            start_state="configuring",
            goal_state="inactive",
            entities=[change(Transition.TRANSITION_ACTIVATE)],
        )
    )
    return [activate_when_configured, node, change(Transition.TRANSITION_CONFIGURE)]


def generate_launch_description() -> LaunchDescription:
    """Return the launch description."""
    params_file = PathJoinSubstitution([FindPackageShare("lisa_ros"), "config", "perception.yaml"])
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "params_file", default_value=params_file, description="Parameters of the node"
            ),
            DeclareLaunchArgument(
                "namespace", default_value="", description="Namespace of the node and its topics"
            ),
            DeclareLaunchArgument(
                "enclave", default_value="", description="Of SROS2 security; see docs/security.md"
            ),
            *(
                DeclareLaunchArgument(
                    name, default_value="", description=f"{text}; empty: as in params_file"
                )
                for name, text in PARAMETER_ARGUMENTS.items()
            ),
            *(
                DeclareLaunchArgument(argument, default_value=topic, description=text)
                for argument, topic, text in TOPIC_ARGUMENTS
            ),
            # What the user has set is kept; lisa_ros/transport.py says why it is needed.
            SetEnvironmentVariable(
                FASTDDS_TRANSPORT_VARIABLE,
                EnvironmentVariable(
                    FASTDDS_TRANSPORT_VARIABLE, default_value=FASTDDS_TRANSPORT_DEFAULT
                ),
            ),
            OpaqueFunction(function=make_node),
        ]
    )
