"""What waits to be sent to viewers: the newest messages of a topic, and no more than a few."""

from __future__ import annotations

import threading
from collections import deque

# Of these only the newest counts; anything else is small, and a dropped line of a log is missed.
LARGE_TYPES = frozenset(
    {
        "sensor_msgs/msg/CameraInfo",
        "sensor_msgs/msg/CompressedImage",
        "sensor_msgs/msg/Image",
        "sensor_msgs/msg/PointCloud2",
        "lisa_ros/msg/InstanceMasks",
    }
)
MAX_SMALL_MESSAGES = 50


class WaitingMessages:
    """Messages of one topic between two flushes; when full, the oldest is dropped.

    Thread-safe.

    Args:
        kind: message type, such as ``sensor_msgs/msg/Image``.

    Attributes:
        dropped: how many messages were never sent.
    """

    def __init__(self, kind: str) -> None:
        limit = 1 if kind in LARGE_TYPES else MAX_SMALL_MESSAGES
        self._waiting: deque[tuple[int, bytes]] = deque(maxlen=limit)
        self._lock = threading.Lock()
        self.dropped = 0

    def put(self, time_ns: int, data: bytes) -> None:
        """Add a message (CDR) with the time of its arrival."""
        with self._lock:
            self.dropped += len(self._waiting) == self._waiting.maxlen
            self._waiting.append((time_ns, data))

    def take(self) -> list[tuple[int, bytes]]:
        """Return what waits, oldest first, and forget it."""
        with self._lock:
            taken = list(self._waiting)
            self._waiting.clear()
        return taken
