"""The DDS transport setting that images need.

With Fast DDS's default transport, best-effort images between processes are nearly all lost on
Jazzy (640x480 rgb8 at 30 Hz: 2 of 150 arrive).  Plain ``LARGE_DATA`` is not enough either (36 of
90); with larger messages and sockets all of them arrive, in 1 to 2 ms.  Every process that sends or
receives images should have it.

It has no effect where ROS 2 is told to stay on this machine (``ROS_AUTOMATIC_DISCOVERY_RANGE=
LOCALHOST`` or ``ROS_LOCALHOST_ONLY=1``): rmw_fastrtps then sets up its own transports, and of three
640x480 streams at 30 Hz 24 to 45 % of the images arrive.  A ROS_DOMAIN_ID of its own keeps a robot
apart without that loss.
"""

from __future__ import annotations

from collections.abc import Mapping

FASTDDS_TRANSPORT_VARIABLE = "FASTDDS_BUILTIN_TRANSPORTS"
FASTDDS_TRANSPORT_DEFAULT = "LARGE_DATA?max_msg_size=4MB&sockets_size=8MB&non_blocking=true"


def transport_warning(environment: Mapping[str, str]) -> str:
    """Return what in the environment will cost camera images, and the remedy; "" when nothing.

    Args:
        environment: such as os.environ.
    """
    if environment.get("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp") != "rmw_fastrtps_cpp":
        return ""
    reach = environment.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "").upper()
    if reach == "LOCALHOST" or environment.get("ROS_LOCALHOST_ONLY") == "1":
        return (
            "ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST (or ROS_LOCALHOST_ONLY=1) switches "
            f"{FASTDDS_TRANSPORT_VARIABLE} off: more than half of the camera images may be lost. "
            "Unset it, and keep robots apart by ROS_DOMAIN_ID"
        )
    if FASTDDS_TRANSPORT_VARIABLE not in environment:
        return (
            f"{FASTDDS_TRANSPORT_VARIABLE} is not set: most best-effort camera images may be lost. "
            f"Set it to '{FASTDDS_TRANSPORT_DEFAULT}' for the camera driver too"
        )
    return ""
