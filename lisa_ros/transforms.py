"""Where the camera is: transforms of tf2 into the frame that 3D results are wanted in.

tf2_ros is imported when a ``target_frame`` is first set: a robot without it keeps the camera's
frame.
"""

from __future__ import annotations

import importlib
import threading
from typing import Any, Protocol

from builtin_interfaces.msg import Time

from lisa_model.rigid import RigidTransform

# Values of lisa_ros/msg/Target3D's REASON constants, and counters in /diagnostics.
REASON_NO_TF2 = "no_tf2"
REASON_NO_TRANSFORM = "no_transform"
TRANSFORM_REASONS = (REASON_NO_TF2, REASON_NO_TRANSFORM)


class TransformError(Exception):
    """There is no transform.

    Attributes:
        code: REASON_NO_TF2 or REASON_NO_TRANSFORM.
    """

    def __init__(self, *, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class TransformLookup(Protocol):
    """Where transforms come from."""

    def lookup(
        self, target_frame: str, source_frame: str, stamp: Time, timeout_s: float
    ) -> RigidTransform:
        """Return the transform of points of the source frame to the target frame at a time.

        Raises:
            TransformError: it was not there within ``timeout_s``, or cannot be had at all.
        """

    def forget(self) -> None:
        """Drop what was heard: the camera's time has jumped back."""


class Tf2Transforms:
    """Listens to /tf and /tf_static with tf2_ros, once it is told to.

    Args:
        node: takes the subscriptions; has to be spun by another thread than the one that looks up.
    """

    def __init__(self, node: Any) -> None:
        self._node = node
        # The executor's thread listens when a parameter asks for it, the inference thread when it
        # looks up: whichever comes first.
        self._lock = threading.Lock()
        self._buffer: Any = None
        self._listener: Any = None

    def listen(self) -> None:
        """Start listening, unless it was done before: a look-up only finds what came after this.

        Raises:
            TransformError: REASON_NO_TF2.
        """
        with self._lock:
            if self._buffer is None:
                self._listen()

    def _listen(self) -> None:
        try:
            tf2_ros = importlib.import_module("tf2_ros")
        except ImportError as error:
            raise TransformError(
                code=REASON_NO_TF2,
                message="parameter target_frame or follow_fixed_frame is set, but tf2_ros does not "
                f"import ({error}). Install it (apt install ros-$ROS_DISTRO-tf2-ros-py), or set "
                "both to ''",
            ) from error
        self._buffer = tf2_ros.Buffer(node=self._node)
        self._listener = tf2_ros.TransformListener(self._buffer, self._node)

    def lookup(
        self, target_frame: str, source_frame: str, stamp: Time, timeout_s: float
    ) -> RigidTransform:
        """See ``TransformLookup``; stamp zero is the newest transform, as everywhere in tf2."""
        if target_frame == source_frame:
            return RigidTransform.identity()
        self.listen()
        from rclpy.duration import Duration
        from rclpy.time import Time as ClockTime

        try:
            found = self._buffer.lookup_transform(
                target_frame,
                source_frame,
                ClockTime.from_msg(stamp),
                timeout=Duration(seconds=timeout_s),
            ).transform
            rotation, translation = found.rotation, found.translation
            return RigidTransform.from_quaternion(
                (rotation.x, rotation.y, rotation.z, rotation.w),
                (translation.x, translation.y, translation.z),
            )
        except Exception as error:  # tf2's own exceptions have no base class but this
            raise TransformError(
                code=REASON_NO_TRANSFORM,
                message=f"no transform from {source_frame!r} to {target_frame!r} (target_frame or "
                f"follow_fixed_frame) at {stamp.sec}.{stamp.nanosec:09d} within tf_timeout_s = "
                f"{timeout_s:g} s: {error}. "
                "Check the name, that both are in one tree (ros2 run tf2_tools view_frames), and "
                "that the clocks agree",
            ) from error

    def forget(self) -> None:
        """Drop all but static transforms: tf2 takes what a second round sends for too old."""
        buffer = self._buffer
        if buffer is not None:
            buffer.clear()

    def close(self) -> None:
        """Stop listening."""
        if self._buffer is None:
            return
        self._listener.unregister()
        self._node.destroy_service(self._buffer.srv)
        self._buffer = self._listener = None
