"""The service ~/segment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.lifecycle import LifecycleNode
from rclpy.task import Future

from lisa_ros.answer import Answer, Outcome
from lisa_ros.asker import Asker
from lisa_ros.conversion import mask_to_image
from lisa_ros.errors import INTERNAL_ERROR, InputError, RequestError
from lisa_ros.frame import REASON_NO_CAMERA_INFO, REASON_NO_DEPTH, Frame
from lisa_ros.results import to_instance_masks, to_targets
from lisa_ros.srv import Segment
from lisa_ros.validation import (
    check_camera_info_fits,
    check_depth_fits,
    validate_camera_info,
    validate_image,
)


class SegmentService:
    """Answers ~/segment without holding up the executor.

    The handler is a coroutine that awaits a future, so even a single-threaded executor goes on with
    images and lifecycle requests meanwhile.  Two details make that work: a reentrant callback group
    (a mutually exclusive one would stay taken while the handler waits), and completing the future
    through ``executor.create_task``, which wakes the executor; ``future.set_result`` from another
    thread does not.

    Args:
        node: owner of the service.
        asker: where requests go.
        publish: publishes answers about the camera's own frames.
    """

    def __init__(
        self, node: LifecycleNode, asker: Asker, publish: Callable[[Answer], None]
    ) -> None:
        self._node = node
        self._asker = asker
        self._publish = publish
        self._service = node.create_service(
            Segment, "~/segment", self._handle, callback_group=ReentrantCallbackGroup()
        )

    async def _handle(self, request: Any, response: Any) -> Any:
        try:
            frame = frame_of_request(request)
        except RequestError as error:
            self._asker.refuse(error)
            return fill_response(response, error)
        executor = self._node.executor
        future = Future()

        def on_done(outcome: Outcome) -> None:
            # On the inference thread: the executor's thread must not do the conversions.
            answer = Segment.Response(error_code=INTERNAL_ERROR, message="see the node's log")
            try:
                if frame is None and isinstance(outcome, Answer):
                    self._publish(outcome)
                answer = fill_response(response, outcome)
            finally:  # a call must be answered, whatever else fails
                executor.create_task(future.set_result, answer)

        self._asker.ask(request.intent, on_done, frame)
        return await future


def frame_of_request(request: Any) -> Frame | None:
    """Return the frame that a request brought along, None when it asks for the camera's.

    Raises:
        InputError: a message in it is malformed, or depth came without camera_info.
    """
    if not request.use_image:
        return None
    validate_image(request.image, "image")
    if not len(request.depth.data):
        return Frame(
            colour=request.image,
            received=0.0,
            missing=REASON_NO_DEPTH,
            missing_text="the request has no depth image",
        )
    validate_image(request.depth, "depth")
    check_depth_fits(request.depth, request.image)
    if request.camera_info.width == 0:
        raise InputError(
            code=REASON_NO_CAMERA_INFO,
            field="camera_info",
            problem="is missing, while depth is given",
            remedy="Send the camera_info of the colour image, or leave depth empty",
        )
    validate_camera_info(request.camera_info)
    check_camera_info_fits(request.camera_info, request.image)
    return Frame(colour=request.image, received=0.0, depth=request.depth, info=request.camera_info)


def fill_response(response: Any, outcome: Outcome) -> Any:
    """Write an outcome into a Segment response, or a FindTarget result, and return it."""
    if isinstance(outcome, RequestError):
        response.success = False
        response.error_code = outcome.code
        response.message = str(outcome)
        return response
    response.success = True
    response.answer = outcome.text
    response.instance_masks = to_instance_masks(outcome)
    response.targets = to_targets(outcome)
    response.target_mask = mask_to_image(outcome.target_mask(), outcome.header)
    return response
