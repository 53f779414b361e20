"""perception_node: intents and camera images in, masks and 3D targets out.

Topics (relative, so that a namespace moves them; see README):
    in   camera/color/image_raw, camera/color/camera_info, camera/depth/image_raw, intent
    out  target_mask, instance_masks, targets, target_point, target_cloud, markers, detections,
         answer, overlay, follow_state, /diagnostics
    srv  ~/segment, ~/cancel
    act  ~/find_target
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from functools import partial
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from lisa_ros import model_loader
from lisa_ros.answer import Answer
from lisa_ros.asker import Asker
from lisa_ros.camera_inputs import CameraInputs
from lisa_ros.cancel_service import CancelService
from lisa_ros.diagnostics import Diagnostics, NodeState
from lisa_ros.engine import PerceptionEngine
from lisa_ros.errors import INTERNAL_ERROR, RequestError
from lisa_ros.find_target import FindTargetAction
from lisa_ros.follow_session import FollowReport
from lisa_ros.guarded import guarded
from lisa_ros.intent_topic import IntentTopic
from lisa_ros.live_settings import LiveSettings
from lisa_ros.log_line import log_line
from lisa_ros.manager_bond import BondUnavailableError, ManagerBond
from lisa_ros.publishers import ResultPublishers
from lisa_ros.qos import DIAGNOSTICS_OUTPUT
from lisa_ros.segment_service import SegmentService
from lisa_ros.transforms import Tf2Transforms, TransformError
from lisa_ros.transport import transport_warning

NODE_NAME = "perception_node"
DIAGNOSTICS_PERIOD_S = 1.0
# How late a request may be told that its time is over.
WATCH_PERIOD_S = 0.1
# How long a transition waits for a running inference to end.
STOP_TIMEOUT_S = 60.0
EXIT_TIMEOUT_S = 5.0

SUCCESS = TransitionCallbackReturn.SUCCESS
FAILURE = TransitionCallbackReturn.FAILURE


class PerceptionNode(LifecycleNode):
    """Configure loads the model, activate listens to the camera and answers.

    The intent topic, ~/segment, ~/find_target, ~/cancel and /diagnostics exist in every state, so
    that nobody asks in vain.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(NODE_NAME, **kwargs)
        self.diagnostics = Diagnostics()
        self._guarded = partial(guarded, diagnostics=self.diagnostics, log=self.get_logger())
        self._engine: PerceptionEngine | None = None
        self._results: ResultPublishers | None = None
        self._lifecycle = "unconfigured"
        self._cameras: CameraInputs | None = None
        self._transforms = Tf2Transforms(self)
        self._bond: ManagerBond | None = None
        self._settings = LiveSettings(self, on_change=self._listen_to_transforms)
        # Not a lifecycle publisher: an unconfigured node has most to explain.
        self._diagnostics_publisher = self.create_publisher(
            DiagnosticArray, "/diagnostics", DIAGNOSTICS_OUTPUT
        )
        # Not the node's clock: with use_sim_time that stands still until /clock comes.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        for period, callback in (
            (DIAGNOSTICS_PERIOD_S, self._publish_diagnostics),
            (WATCH_PERIOD_S, self._watch),
        ):
            self.create_timer(period, self._guarded(callback), clock=steady)
        self._asker = Asker(
            engine=lambda: self._engine, diagnostics=self.diagnostics, log=self.get_logger()
        )
        self._ways_in = (
            IntentTopic(
                node=self,
                asker=self._asker,
                publish=self._publish,
                follow=lambda: bool(self.get_parameter("follow").value),
                guard=self._guarded,
            ),
            CancelService(self, self._asker),
            SegmentService(self, self._asker, self._publish),
            FindTargetAction(self, self._asker, self._publish),
        )

    # Transitions

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model and create the result topics; FAILURE leaves the node unconfigured."""
        try:
            settings = self._settings.read()
        except ValueError as error:
            return self._fail_configure(str(error))
        self.get_logger().info(
            log_line("loading", model=settings.model, device=settings.device, dtype=settings.dtype)
        )
        try:
            segmenter = model_loader.load_or_explain(settings)
        except model_loader.ModelNotLoadedError as error:
            return self._fail_configure(str(error))
        self._results = ResultPublishers(self)
        self._engine = PerceptionEngine(
            segmenter=segmenter,
            settings=self._settings.current,
            diagnostics=self.diagnostics,
            log=self.get_logger(),
            transforms=self._transforms,
            on_followed=self._publish_followed,
        )
        self._engine.start()
        self._listen_to_transforms()
        self._lifecycle = "inactive"
        self.get_logger().info(
            log_line("configured", model=segmenter.name, device=segmenter.device)
        )
        return SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Listen to the camera and answer intents."""
        if self._engine is None or not self._engine.running:
            message = "the inference has ended: clean up, then configure again"
            self.get_logger().error(log_line("activate_failed", message=message))
            return FAILURE
        try:
            self._bond = ManagerBond(self, self._settings.current().bond_heartbeat_period)
        except BondUnavailableError as error:
            self.diagnostics.count_refused("bond_unavailable", str(error))
            self.get_logger().error(
                log_line("activate_failed", code="bond_unavailable", message=error)
            )
            return FAILURE
        result = super().on_activate(state)
        self._engine.activate()
        self._subscribe_camera()
        self._lifecycle = "active"
        self.get_logger().info(log_line("activated"))
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop answering; an inference that runs is not published any more."""
        self._end_bond()
        self._unsubscribe_camera()
        if self._engine is not None:
            self._engine.deactivate()
        self._lifecycle = "inactive"
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release the model; waits for a running inference."""
        return SUCCESS if self.release(STOP_TIMEOUT_S) else FAILURE

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything from any state."""
        self.release()
        self._lifecycle = "finalized"
        return SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything; SUCCESS makes the node unconfigured again."""
        error = RequestError(code=INTERNAL_ERROR, message="a transition raised an exception")
        self._asker.refuse(error)
        return SUCCESS if self.release() else FAILURE

    # Callbacks

    def _publish(self, answer: Answer) -> None:
        if self._results is not None:
            self._results.publish(answer)

    def _publish_followed(self, answer: Answer | None, report: FollowReport) -> None:
        # Following ends last when the node is ended by a signal: the context is gone by then.
        if self._results is not None and self.context.ok():
            self._results.publish_followed(answer, report)

    def _watch(self) -> None:
        if self._engine is not None:
            self._engine.watch()

    def _publish_diagnostics(self) -> None:
        state = NodeState(lifecycle=self._lifecycle)
        if (engine := self._engine) is not None:
            state = replace(
                state,
                model=engine.segmenter.name,
                device=str(engine.segmenter.device),
                frame_age_s=engine.frame_age(),
                busy=engine.busy,
                stage=engine.stage,
                following=engine.following,
                hung=str(engine.hung or ""),
            )
        name = f"{self.get_fully_qualified_name()}: perception"
        self._diagnostics_publisher.publish(
            self.diagnostics.message(name, state, self.get_clock().now())
        )

    def _listen_to_transforms(self) -> None:
        # Early: only transforms that arrive from now on can be looked up.
        if self._engine is None:
            return
        settings = self._settings.current()
        if not (settings.target_frame or settings.follow_fixed_frame):
            return
        try:
            self._transforms.listen()
        except TransformError as error:
            self.diagnostics.count_refused(error.code, str(error))
            self.get_logger().error(log_line("no_transforms", code=error.code, message=error))

    # Making and releasing

    def _subscribe_camera(self) -> None:
        # Only while active: an inactive node must not cost the camera's bandwidth.
        assert self._engine is not None
        self._cameras = CameraInputs(
            node=self,
            settings=self._settings.current(),
            add=self._engine.add,
            diagnostics=self.diagnostics,
            guard=self._guarded,
        )
        self._cameras.open()

    def _unsubscribe_camera(self) -> None:
        if self._cameras is not None:
            self._cameras.close()
            self._cameras = None

    def _end_bond(self) -> None:
        if self._bond is not None:
            self._bond.end()
            self._bond = None

    def _fail_configure(self, message: str) -> TransitionCallbackReturn:
        self.diagnostics.count_refused("configure_failed", message)
        self.get_logger().error(log_line("configure_failed", message=message))
        return FAILURE

    def release(self, timeout_s: float = EXIT_TIMEOUT_S) -> bool:
        """Let go of everything; False when an inference still runs after ``timeout_s``."""
        self._end_bond()
        self._unsubscribe_camera()
        if self._engine is not None:
            if not self._engine.stop(timeout_s):
                message = f"an inference runs after {timeout_s:g} s; try again when it has ended"
                self.get_logger().error(log_line("release_failed", message=message))
                return False
            self._engine = None
            model_loader.release_memory()
        self._transforms.close()
        if self._results is not None:
            self._results.destroy()
            self._results = None
        self._lifecycle = "unconfigured"
        return True


def spin(node: PerceptionNode) -> None:
    """Spin until shutdown; rclpy's own exceptions (impossible transitions) do not end the node."""
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    node.get_logger().info(log_line("started", state="unconfigured"))
    while rclpy.ok():
        try:
            executor.spin_once()
        except (KeyboardInterrupt, ExternalShutdownException):
            break
        except Exception as error:
            node.diagnostics.count_refused(INTERNAL_ERROR, repr(error))
            node.get_logger().error(log_line("executor_failed", error=repr(error)))
    executor.shutdown(timeout_sec=1.0)


def main(args: list[str] | None = None) -> None:
    """Run the node until it is told to stop."""
    rclpy.init(args=args)
    node: PerceptionNode | None = None
    try:
        node = PerceptionNode()
        if warning := transport_warning(os.environ):
            node.get_logger().warning(log_line("transport", message=warning))
        spin(node)
    except ParameterException as error:
        sys.exit(f"{NODE_NAME}: wrong parameter: {error}. See config/perception.yaml")
    except KeyboardInterrupt:
        pass
    except Exception:
        if rclpy.ok():  # otherwise it was told to stop while it was starting
            raise
    finally:
        if node is not None:
            node.release()
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
