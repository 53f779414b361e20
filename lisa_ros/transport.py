"""The DDS transport setting that images need.

Fast DDS sends between processes of one computer through shared memory, of which each process has
512 KB by default: less than an image (640x480 rgb8 has 922 KB), and nearly all best-effort images
are lost.  ``sockets_size=8MB`` gives each process 16 MB, and larger UDP buffers towards other
computers.  ``python -m benchmarks.transport`` measures it.

``DEFAULT``, so that a process without the setting, such as a camera driver, is still heard.
``LARGE_DATA`` is warned of, for what was seen with Fast DDS 2.14: its discovery goes by TCP, and it
and a process without it do not find each other; now and then two processes that both have it get
nothing from each other, or one hangs at its end (closing a TCP channel waits for a lock that the
reading thread holds while the other side is silent); and with messages above the kernel's limit for
socket buffers (212992 bytes on most systems) it starts with neither TCP nor UDP.

It has no effect where ROS 2 is told to stay on this machine (``ROS_AUTOMATIC_DISCOVERY_RANGE=
LOCALHOST`` or ``ROS_LOCALHOST_ONLY=1``): rmw_fastrtps then sets up its own transports, and of three
640x480 streams at 30 Hz 24 to 45 % of the images arrive.  A ROS_DOMAIN_ID of its own keeps a robot
apart without that loss.
"""

from __future__ import annotations

from collections.abc import Mapping

FASTDDS_TRANSPORT_VARIABLE = "FASTDDS_BUILTIN_TRANSPORTS"
FASTDDS_TRANSPORT_DEFAULT = "DEFAULT?sockets_size=8MB"


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
    setting = environment.get(FASTDDS_TRANSPORT_VARIABLE, "")
    remedy = f"Set it to '{FASTDDS_TRANSPORT_DEFAULT}' for the camera driver too"
    if setting in ("", "DEFAULT"):
        return (
            f"{FASTDDS_TRANSPORT_VARIABLE} is {setting or 'not set'}: most best-effort camera "
            f"images may be lost. {remedy}"
        )
    if setting.partition("?")[0] in ("LARGE_DATA", "LARGE_DATAv6"):
        return (
            f"{FASTDDS_TRANSPORT_VARIABLE} is {setting}: processes without it are not found, and "
            f"its TCP connections may hang at start and at the end. {remedy}"
        )
    return ""
