"""The node's result topics."""

from __future__ import annotations

from typing import Any

from geometry_msgs.msg import PointStamped
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import String
from visualization_msgs.msg import MarkerArray

from lisa_ros.answer import Answer
from lisa_ros.conversion import array_to_image, mask_to_image
from lisa_ros.detections import load_vision_msgs, to_detections
from lisa_ros.follow_session import FollowReport
from lisa_ros.log_line import log_line
from lisa_ros.markers import to_markers
from lisa_ros.msg import FollowState, InstanceMasks, Targets
from lisa_ros.overlay import draw_overlay
from lisa_ros.qos import OVERLAY_OUTPUT, RESULT_OUTPUT
from lisa_ros.results import (
    to_follow_state,
    to_instance_masks,
    to_target_cloud,
    to_target_point,
    to_targets,
)


class ResultPublishers:
    """Lifecycle publishers: they are silent unless the node is active.

    What is larger or for people (cloud, detections, markers, overlay) is computed only while
    somebody subscribes.

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
        self._target_cloud = create(PointCloud2, "target_cloud")
        self._markers = create(MarkerArray, "markers")
        self._overlay = create(Image, "overlay", OVERLAY_OUTPUT)
        self._vision_msgs = load_vision_msgs()
        self._detections: Any = None
        if self._vision_msgs is None:
            node.get_logger().info(log_line("no_topic", topic="detections", missing="vision_msgs"))
        else:
            self._detections = create(self._vision_msgs.Detection3DArray, "detections")
        self._follow_state = create(FollowState, "follow_state")
        self._answer = create(String, "answer")

    def publish(self, answer: Answer) -> None:
        """Publish one answer; the text comes last, so that it can be waited for."""
        self._publish_masks(answer)
        self._answer.publish(String(data=answer.text))

    def publish_followed(self, answer: Answer | None, report: FollowReport) -> None:
        """Publish a followed frame; the state comes last, so that it can be waited for."""
        if answer is not None:
            self._publish_masks(answer)
        self._follow_state.publish(to_follow_state(report))

    def _publish_masks(self, answer: Answer) -> None:
        self._target_mask.publish(mask_to_image(answer.target_mask(), answer.header))
        self._instance_masks.publish(to_instance_masks(answer))
        self._targets.publish(to_targets(answer))
        point = to_target_point(answer)
        if point is not None:
            self._target_point.publish(point)
        for publisher, compute in (
            (self._target_cloud, to_target_cloud),
            (self._detections, self._to_detections),
            (self._markers, to_markers),
            (self._overlay, _to_overlay),
        ):
            if publisher is not None and publisher.get_subscription_count() > 0:
                publisher.publish(compute(answer))

    def destroy(self) -> None:
        """Take the topics away."""
        for publisher in (
            self._target_mask,
            self._instance_masks,
            self._targets,
            self._target_point,
            self._target_cloud,
            self._markers,
            self._detections,
            self._overlay,
            self._follow_state,
            self._answer,
        ):
            if publisher is not None:
                self._node.destroy_lifecycle_publisher(publisher)

    def _to_detections(self, answer: Answer) -> Any:
        return to_detections(answer, self._vision_msgs)


def _to_overlay(answer: Answer) -> Image:
    return array_to_image(draw_overlay(answer), "rgb8", answer.header)
