"""Play a shipped RGB-D scene as if it came from a camera, and start the perception node on it.

    ros2 launch lisa_ros demo.launch.py scene:=living_room_remote
    ros2 topic pub --once /intent std_msgs/String "{data: change the TV channel}"
    ros2 run lisa_ros demo_client --intent "change the TV channel"   # says it and scores

The images' transport is set here; a camera driver of your own needs it too, see README.md.
"""

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    IncludeLaunchDescription,
    SetEnvironmentVariable,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import EnvironmentVariable, LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from lisa_ros.transport import FASTDDS_TRANSPORT_DEFAULT, FASTDDS_TRANSPORT_VARIABLE

# Arguments that are handed on to perception.launch.py.
PERCEPTION_ARGUMENTS = {
    "model": "Name or folder of the model; empty: as in params_file",
    "device": "Where the model runs: cpu, cuda, cuda:N; empty: as in params_file",
    "dtype": "float32, bfloat16 or float16; empty: as in params_file",
}


def generate_launch_description() -> LaunchDescription:
    """Return the launch description."""
    share = FindPackageShare("lisa_ros")
    params_file = PathJoinSubstitution([share, "config", "perception.yaml"])
    perception = PathJoinSubstitution([share, "launch", "perception.launch.py"])
    handed_on = ("params_file", *PERCEPTION_ARGUMENTS)
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "scene",
                default_value="living_room_remote",
                description="Name of an installed scene, or the path of a scene's .json",
            ),
            DeclareLaunchArgument(
                "rate", default_value="10.0", description="Camera frames per second [Hz]"
            ),
            DeclareLaunchArgument(
                "params_file",
                default_value=params_file,
                description="Parameters of the perception node",
            ),
            *(
                DeclareLaunchArgument(name, default_value="", description=text)
                for name, text in PERCEPTION_ARGUMENTS.items()
            ),
            # Before the player starts, which sends the images; what the user has set is kept.
            SetEnvironmentVariable(
                FASTDDS_TRANSPORT_VARIABLE,
                EnvironmentVariable(
                    FASTDDS_TRANSPORT_VARIABLE, default_value=FASTDDS_TRANSPORT_DEFAULT
                ),
            ),
            Node(
                package="lisa_ros",
                executable="scene_player",
                name="scene_player",
                parameters=[
                    {
                        # Typed: a scene called 7 is a name, a rate of 10 a floating-point number.
                        "scene": ParameterValue(LaunchConfiguration("scene"), value_type=str),
                        "rate": ParameterValue(LaunchConfiguration("rate"), value_type=float),
                    }
                ],
                output="screen",
            ),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(perception),
                launch_arguments={name: LaunchConfiguration(name) for name in handed_on}.items(),
            ),
        ]
    )
