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
from collections.abc import Callable
from functools import wraps
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from std_msgs.msg import String
from std_srvs.srv import Trigger

from lisa_ros import model_loader
from lisa_ros.camera_inputs import CameraInputs
from lisa_ros.control import Control, OnStage
from lisa_ros.diagnostics import Diagnostics, NodeState
from lisa_ros.engine import Outcome, PerceptionEngine
from lisa_ros.errors import INTERNAL_ERROR, NOT_ACTIVE, RequestError
from lisa_ros.find_target import FindTargetAction
from lisa_ros.follow_session import FollowReport
from lisa_ros.frame import Frame
from lisa_ros.log_line import log_line
from lisa_ros.manager_bond import BondUnavailableError, ManagerBond
from lisa_ros.memory import is_out_of_memory, smaller_settings
from lisa_ros.parameters import PARAMETERS, Settings, declare_parameters
from lisa_ros.pipeline import Answer
from lisa_ros.publishers import ResultPublishers
from lisa_ros.qos import DIAGNOSTICS_OUTPUT, INTENT_INPUT
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
        declare_parameters(self)
        self.diagnostics = Diagnostics()
        self._settings: Settings | None = None
        self._engine: PerceptionEngine | None = None
        self._results: ResultPublishers | None = None
        self._lifecycle = "unconfigured"
        self._cameras: CameraInputs | None = None
        self._transforms = Tf2Transforms(self)
        self._bond: ManagerBond | None = None
        self.add_on_set_parameters_callback(self._check_parameters)
        self.add_post_set_parameters_callback(self._apply_parameters)
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
        self.create_subscription(String, "intent", self._guarded(self._on_intent), INTENT_INPUT)
        self.create_service(Trigger, "~/cancel", self._on_cancel)
        self._service = SegmentService(self, self, self._publish)
        self._action = FindTargetAction(self, self, self._publish)

    # Transitions

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model and create the result topics; FAILURE leaves the node unconfigured."""
        try:
            settings = Settings.from_values(self._values())
        except ValueError as error:
            return self._fail_configure(str(error))
        self._settings = settings
        what = f"model {settings.model!r} on {settings.device} as {settings.dtype}"
        self.get_logger().info(f"loading {what}")
        try:
            segmenter = model_loader.load_segmenter(settings)
        except Exception as error:  # every cause of a failed load must leave the node alive
            hint = f". Set {smaller_settings(settings)}" if is_out_of_memory(error) else ""
            problem = f"{type(error).__name__}: {error}{hint}"
        else:
            problem = ""
        if problem:
            # Not within the handler: the exception holds the half-loaded model.
            model_loader.release_memory()
            return self._fail_configure(f"cannot load {what}: {problem}")
        self._results = ResultPublishers(self)
        self._engine = PerceptionEngine(
            segmenter=segmenter,
            settings=self._current_settings,
            diagnostics=self.diagnostics,
            log=self.get_logger(),
            transforms=self._transforms,
            on_followed=self._publish_followed,
        )
        self._engine.start()
        self._listen_to_transforms()
        self._lifecycle = "inactive"
        self.get_logger().info(f"configured: {segmenter.name} on {segmenter.device}")
        return SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Listen to the camera and answer intents."""
        if self._engine is None or not self._engine.running:
            self.get_logger().error("cannot activate: the inference has ended; clean up first")
            return FAILURE
        try:
            self._bond = ManagerBond(self, self._current_settings().bond_heartbeat_period)
        except BondUnavailableError as error:
            self.diagnostics.count_refused("bond_unavailable", str(error))
            self.get_logger().error(f"cannot activate: {error}")
            return FAILURE
        result = super().on_activate(state)
        self._engine.activate()
        self._subscribe_camera()
        self._lifecycle = "active"
        self.get_logger().info("active: waiting for intents")
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
        self.refuse(RequestError(code=INTERNAL_ERROR, message="a transition raised an exception"))
        return SUCCESS if self.release() else FAILURE

    # ControlledAsker: what the topic, the service and the action have in common

    def ask(
        self,
        text: str,
        on_done: Callable[[Outcome], None],
        frame: Frame | None = None,
        *,
        follow: bool = False,
        deadline_s: float = 0.0,
        on_stage: OnStage | None = None,
    ) -> Control | None:
        """Ask for an answer; see PerceptionEngine.ask. None when the node is not configured."""
        if self._engine is None:
            error = RequestError(
                code=NOT_ACTIVE,
                message="the node is not configured; configure and activate it, then ask again",
            )
            self.refuse(error)
            on_done(error)
            return None
        return self._engine.ask(
            text, on_done, frame, follow=follow, deadline_s=deadline_s, on_stage=on_stage
        )

    def cancel_request(self, control: Control) -> bool:
        """End one request; False when it has ended already."""
        return self._engine is not None and self._engine.cancel_request(control)

    def refuse(self, error: RequestError) -> None:
        """Count and log a refused request."""
        self.diagnostics.count_refused(error.code, str(error))
        self.get_logger().warning(log_line("refused", code=error.code, message=str(error)))

    # Callbacks

    def _on_intent(self, msg: String) -> None:
        follow = self._settings is not None and self._settings.follow
        self.ask(msg.data, self._on_topic_answer, follow=follow)

    def _on_topic_answer(self, outcome: Outcome) -> None:
        if isinstance(outcome, Answer):
            self._publish(outcome)

    def _publish(self, answer: Answer) -> None:
        if self._results is not None:
            self._results.publish(answer)

    def _publish_followed(self, answer: Answer | None, report: FollowReport) -> None:
        # Following ends last when the node is ended by a signal: the context is gone by then.
        if self._results is not None and self.context.ok():
            self._results.publish_followed(answer, report)

    def _on_cancel(self, _: Any, response: Any) -> Any:
        requests, followed = self._engine.cancel() if self._engine else (0, "")
        ended = [f"{requests} request(s)"] if requests else []
        ended += [f'following of "{followed}"'] if followed else []
        response.success = bool(ended)
        response.message = f"cancelled {' and '.join(ended)}" if ended else "nothing to cancel"
        return response

    def _watch(self) -> None:
        if self._engine is not None:
            self._engine.watch()

    def _publish_diagnostics(self) -> None:
        engine = self._engine
        state = NodeState(
            lifecycle=self._lifecycle,
            model=engine.segmenter.name if engine else "",
            device=str(engine.segmenter.device) if engine else "",
            frame_age_s=engine.frame_age() if engine else None,
            busy=engine.busy if engine else False,
            stage=engine.stage if engine else "",
            following=engine.following if engine else "",
            hung=str(engine.hung) if engine and engine.hung else "",
        )
        name = f"{self.get_fully_qualified_name()}: perception"
        self._diagnostics_publisher.publish(
            self.diagnostics.message(name, state, self.get_clock().now())
        )

    def _guarded(self, callback: Callable[..., None]) -> Callable[..., None]:
        """Return the callback such that an exception in it does not end the executor's spin."""

        @wraps(callback)
        def guarded(*args: Any) -> None:
            try:
                callback(*args)
            except Exception as error:
                self.diagnostics.count_refused(INTERNAL_ERROR, repr(error))
                self.get_logger().error(f"error in {callback.__name__}: {error!r}")

        return guarded

    # Parameters

    def _current_settings(self) -> Settings:
        assert self._settings is not None, "set by on_configure, before the engine"
        return self._settings

    def _values(self) -> dict[str, Any]:
        return {spec.name: self.get_parameter(spec.name).value for spec in PARAMETERS}

    def _check_parameters(self, changed: list[Parameter]) -> SetParametersResult:
        values = self._values() | {one.name: one.value for one in changed}
        try:
            Settings.from_values(values)
        except ValueError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _apply_parameters(self, changed: list[Parameter]) -> None:
        self._settings = Settings.from_values(self._values())
        self._listen_to_transforms()

    def _listen_to_transforms(self) -> None:
        # Early: only transforms that arrive from now on can be looked up.
        if self._engine is None:
            return
        settings = self._current_settings()
        if not (settings.target_frame or settings.follow_fixed_frame):
            return
        try:
            self._transforms.listen()
        except TransformError as error:
            self.diagnostics.count_refused(error.code, str(error))
            self.get_logger().error(f"{error.code}: {error}")

    # Making and releasing

    def _subscribe_camera(self) -> None:
        # Only while active: an inactive node must not cost the camera's bandwidth.
        assert self._engine is not None
        self._cameras = CameraInputs(
            node=self,
            settings=self._current_settings(),
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
        self.get_logger().error(f"configure failed: {message}")
        return FAILURE

    def release(self, timeout_s: float = EXIT_TIMEOUT_S) -> bool:
        """Let go of everything; False when an inference still runs after ``timeout_s``."""
        self._end_bond()
        self._unsubscribe_camera()
        if self._engine is not None:
            if not self._engine.stop(timeout_s):
                self.get_logger().error(
                    f"an inference still runs after {timeout_s:g} s; try again when it has ended"
                )
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
    node.get_logger().info("unconfigured: waiting to be configured and activated")
    while rclpy.ok():
        try:
            executor.spin_once()
        except (KeyboardInterrupt, ExternalShutdownException):
            break
        except Exception as error:
            node.diagnostics.count_refused(INTERNAL_ERROR, repr(error))
            node.get_logger().error(f"error in the executor: {error!r}")
    executor.shutdown(timeout_sec=1.0)


def main(args: list[str] | None = None) -> None:
    """Run the node until it is told to stop."""
    rclpy.init(args=args)
    node: PerceptionNode | None = None
    try:
        node = PerceptionNode()
        if warning := transport_warning(os.environ):
            node.get_logger().warning(warning)
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
