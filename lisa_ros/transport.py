"""The DDS transport setting that images need.

With Fast DDS's default transport, best-effort images between processes are nearly all lost on
Jazzy (640x480 rgb8 at 30 Hz: 2 of 150 arrive).  Plain ``LARGE_DATA`` is not enough either (36 of
90); with larger messages and sockets all of them arrive, in 1 to 2 ms.  Every process that sends or
receives images should have it.
"""

FASTDDS_TRANSPORT_VARIABLE = "FASTDDS_BUILTIN_TRANSPORTS"
FASTDDS_TRANSPORT_DEFAULT = "LARGE_DATA?max_msg_size=4MB&sockets_size=8MB&non_blocking=true"
