"""The node's result topics."""

from __future__ import annotations

from typing import Any

from geometry_msgs.msg import PointStamped
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import Image
from std_msgs.msg import String

from lisa_ros.conversion import array_to_image, mask_to_image
from lisa_ros.msg import InstanceMasks, Targets
from lisa_ros.overlay import draw_overlay
from lisa_ros.pipeline import Answer
from lisa_ros.qos import OVERLAY_OUTPUT, RESULT_OUTPUT
from lisa_ros.results import to_instance_masks, to_target_point, to_targets


class ResultPublishers:
    """Lifecycle publishers: they are silent unless the node is active.

    An answer without a target is published as an all-zero mask and an empty list of targets, so
    that no consumer keeps acting on an old one.  Only /target_point cannot say "none" and stays
    silent.
    """

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node

        def create(message_type: Any, topic: str, qos: Any = RESULT_OUTPUT) -> Any:
            return node.create_lifecycle_publisher(message_type, topic, qos)

        self._target_mask = create(Image, "target_mask")
        self._instance_masks = create(InstanceMasks, "instance_masks")
        self._targets = create(Targets, "targets")
        self._target_point = create(PointStamped, "target_point")
        self._overlay = create(Image, "overlay", OVERLAY_OUTPUT)
        self._answer = create(String, "answer")

    def publish(self, answer: Answer) -> None:
        """Publish one answer; the text comes last, so that it can be waited for."""
        self._target_mask.publish(mask_to_image(answer.target_mask(), answer.header))
        self._instance_masks.publish(to_instance_masks(answer))
        self._targets.publish(to_targets(answer))
        point = to_target_point(answer)
        if point is not None:
            self._target_point.publish(point)
        if self._overlay.get_subscription_count() > 0:
            self._overlay.publish(array_to_image(draw_overlay(answer), "rgb8", answer.header))
        self._answer.publish(String(data=answer.text))

    def destroy(self) -> None:
        """Take the topics away."""
        for publisher in (
            self._target_mask,
            self._instance_masks,
            self._targets,
            self._target_point,
            self._overlay,
            self._answer,
        ):
            self._node.destroy_lifecycle_publisher(publisher)
