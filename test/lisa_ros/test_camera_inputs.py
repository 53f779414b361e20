"""Camera messages over DDS into the node, in every form that cameras send."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import (
    DurabilityPolicy,
    QoSProfile,
    ReliabilityPolicy,
    qos_profile_sensor_data,
)
from ros_domain import free_domain
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import String

from lisa_model.rectification import rectify_color
from lisa_ros import model_loader
from lisa_ros.camera_inputs import CameraInputs
from lisa_ros.compressed import rgb_to_compressed
from lisa_ros.compressed_depth import Quantization, depth_to_compressed
from lisa_ros.conversion import array_to_image, depth_to_metres, image_to_rgb
from lisa_ros.diagnostics import Diagnostics
from lisa_ros.frame import colour_pixels, depth_pixels
from lisa_ros.lens import lens_model
from lisa_ros.msg import InstanceMasks, Targets
from lisa_ros.parameters import PARAMETERS, Settings
from lisa_ros.perception_node import PerceptionNode
from lisa_ros.transport import FASTDDS_TRANSPORT_DEFAULT, FASTDDS_TRANSPORT_VARIABLE
from lisa_ros.validation import COLOUR_ENCODINGS, DEPTH_ENCODINGS, ENCODINGS

pytestmark = pytest.mark.ros

DEFAULTS = {spec.name: spec.default for spec in PARAMETERS}
COLOUR = "/camera/color/image_raw"
DEPTH = "/camera/depth/image_raw"
INFO = "/camera/color/camera_info"
DEPTH_INFO = "/camera/depth/camera_info"
RELIABLE = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)


class Robot:
    """A domain of its own with a camera's publishers, and one thread for all that is in it."""

    def __init__(self) -> None:
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=free_domain())
        self.executor = SingleThreadedExecutor(context=self.context)
        self.node = rclpy.create_node("robot", context=self.context)
        self.executor.add_node(self.node)
        self.log: list[str] = []

    def add(self, node: Any) -> Any:
        self.executor.add_node(node)
        return node

    def until(self, condition: Callable[[], Any], timeout: float = 15.0) -> None:
        end = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < end, "timed out"
            self.executor.spin_once(timeout_sec=0.02)

    def send(self, publisher: Any, msg: Any, arrived: Callable[[], Any]) -> None:
        """Publish until it has arrived: best effort may lose a message."""
        end = time.monotonic() + 15
        while not arrived():
            assert time.monotonic() < end, f"not received: {publisher.topic_name}"
            publisher.publish(msg)
            again = time.monotonic() + 0.5
            while not arrived() and time.monotonic() < again:
                self.executor.spin_once(timeout_sec=0.02)

    def publisher(self, kind: Any, topic: str, qos: QoSProfile = qos_profile_sensor_data) -> Any:
        return self.node.create_publisher(kind, topic, qos)

    def close(self) -> None:
        self.executor.shutdown(timeout_sec=5)
        self.context.try_shutdown()


class Listener:
    """A node with nothing but CameraInputs."""

    def __init__(self, robot: Robot, *arguments: str, **values: Any) -> None:
        cli = ["--ros-args", *arguments] if arguments else []
        self.node = robot.add(
            rclpy.create_node("listener", context=robot.context, cli_args=cli or None)
        )
        self.got: dict[str, list[Any]] = {
            name: [] for name in ("image", "depth", "camera_info", "depth_camera_info")
        }
        self.diagnostics = Diagnostics()
        self.inputs = CameraInputs(
            node=self.node,
            settings=Settings.from_values(DEFAULTS | values),
            add=lambda stream, msg: self.got[stream].append(msg),
            diagnostics=self.diagnostics,
            guard=lambda callback: callback,
        )
        self.inputs.open()

    def receive(self, robot: Robot, publisher: Any, msg: Any, stream: str) -> Any:
        """Return the message as it arrives when it is published."""
        self.got[stream].clear()
        robot.send(publisher, msg, lambda: self.got[stream])
        return self.got[stream][-1]


@pytest.fixture
def robot(monkeypatch: pytest.MonkeyPatch) -> Iterator[Robot]:
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    monkeypatch.setenv(FASTDDS_TRANSPORT_VARIABLE, FASTDDS_TRANSPORT_DEFAULT)
    made = Robot()
    yield made
    made.close()


def pixels_of(encoding: str) -> np.ndarray:
    layout = ENCODINGS[encoding]
    rng = np.random.default_rng(sorted(ENCODINGS).index(encoding))
    shape = (48, 64) if layout.channels == 1 else (48, 64, layout.channels)
    return rng.integers(1, 256, shape).astype(layout.dtype)


def test_raw_images_arrive_as_they_were_sent(robot: Robot, make: Any):
    listener = Listener(robot)
    for encodings, topic, stream, convert in (
        (COLOUR_ENCODINGS, COLOUR, "image", image_to_rgb),
        (DEPTH_ENCODINGS, DEPTH, "depth", depth_to_metres),
    ):
        publisher = robot.publisher(Image, topic)
        for encoding in encodings:
            sent = array_to_image(pixels_of(encoding), encoding, make.header(2.5))
            got = listener.receive(robot, publisher, sent, stream)
            assert got == sent
            np.testing.assert_array_equal(convert(got), convert(sent))
    sent = make.info(2.5, d=[0.1, 0.2, 0.0, 0.0, 0.3], distortion_model="plumb_bob")
    assert listener.receive(robot, robot.publisher(CameraInfo, INFO), sent, "camera_info") == sent
    assert listener.inputs.transports() == dict.fromkeys(("image", "depth", "camera_info"), "raw")


def test_compressed_images_arrive_as_they_were_sent(robot: Robot, make: Any):
    listener = Listener(robot, colour_transport="compressed", depth_transport="compressedDepth")
    rgb = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    smooth = np.broadcast_to(np.arange(64, dtype=np.uint8)[:, None] * 3, (48, 64, 3)).copy()
    publisher = robot.publisher(CompressedImage, f"{COLOUR}/compressed")
    got = listener.receive(
        robot, publisher, rgb_to_compressed(rgb, make.header(2.5), codec="png"), "image"
    )
    np.testing.assert_array_equal(colour_pixels(got).get(), rgb)
    assert got.header == make.header(2.5)
    got = listener.receive(robot, publisher, rgb_to_compressed(smooth, make.header()), "image")
    assert np.abs(colour_pixels(got).get().astype(int) - smooth).max() <= 6
    publisher = robot.publisher(CompressedImage, f"{DEPTH}/compressedDepth")
    millimetres = np.random.default_rng(0).integers(400, 4000, (48, 64)).astype(np.uint16)
    for codec in ("png", "rvl"):
        sent = depth_to_compressed(millimetres, make.header(), codec=codec)  # type: ignore[arg-type]
        got = listener.receive(robot, publisher, sent, "depth")
        np.testing.assert_allclose(depth_pixels(got).get(), millimetres / 1000, rtol=1e-6)
        metres = (millimetres / 1000).astype(np.float32)
        sent = depth_to_compressed(metres, make.header(), codec=codec)  # type: ignore[arg-type]
        got = listener.receive(robot, publisher, sent, "depth")
        # One step of the inverse depth q = a / z + b is z^2 / a.
        a, _ = Quantization().depth_param
        assert (np.abs(depth_pixels(got).get() - metres) <= metres**2 / a * 1.1).all()


def test_auto_takes_what_is_published(robot: Robot, make: Any):
    listener = Listener(robot)
    assert listener.inputs.transports()["image"] == "raw"
    compressed = robot.publisher(CompressedImage, f"{COLOUR}/compressed")
    packed = rgb_to_compressed(image_to_rgb(make.image()), make.header())
    assert listener.receive(robot, compressed, packed, "image") == packed
    assert listener.inputs.transports() == {
        "image": "compressed",
        "depth": "raw",
        "camera_info": "raw",
    }
    # A choice that works is kept, and left when its publisher goes.
    raw = robot.publisher(Image, COLOUR)
    listener.receive(robot, compressed, packed, "image")
    robot.until(lambda: listener.node.count_publishers(COLOUR) == 1)
    for _ in range(4):
        listener.inputs.refresh()
    assert listener.inputs.transports()["image"] == "compressed"
    robot.node.destroy_publisher(compressed)
    assert listener.receive(robot, raw, make.image(), "image") == make.image()
    assert listener.node.count_subscribers(f"{COLOUR}/compressed") == 0


def test_raw_is_preferred(robot: Robot, make: Any):
    raw = robot.publisher(Image, DEPTH)
    compressed = robot.publisher(CompressedImage, f"{DEPTH}/compressedDepth")
    listener = Listener(robot)
    assert listener.receive(robot, raw, make.depth(), "depth") == make.depth()
    for _ in range(4):
        listener.inputs.refresh()
    assert compressed.get_subscription_count() == 0


def test_a_remapped_base_moves_the_compressed_topic(robot: Robot, make: Any):
    listener = Listener(
        robot, "-r", "camera/color/image_raw:=/front/rgb", colour_transport="compressed"
    )
    assert listener.inputs.topic_of("image") == "/front/rgb/compressed"
    packed = rgb_to_compressed(image_to_rgb(make.image()), make.header())
    publisher = robot.publisher(CompressedImage, "/front/rgb/compressed")
    assert listener.receive(robot, publisher, packed, "image") == packed


def test_best_effort_fits_every_publisher(robot: Robot, make: Any):
    listener = Listener(robot)
    for qos in (qos_profile_sensor_data, RELIABLE, LATCHED):
        publisher = robot.publisher(Image, COLOUR, qos)
        listener.receive(robot, publisher, make.image(), "image")
        robot.node.destroy_publisher(publisher)
    assert listener.diagnostics.value("refused.image_qos") == 0


def test_an_incompatible_publisher_is_counted_with_the_remedy(robot: Robot, make: Any):
    listener = Listener(robot, camera_qos="reliable")
    robot.publisher(Image, COLOUR, qos_profile_sensor_data)
    robot.until(lambda: listener.diagnostics.value("refused.image_qos") == 1)
    with listener.diagnostics._lock:
        said = listener.diagnostics._last_error
    assert f"{COLOUR}: " in said
    assert "RELIABILITY" in said
    assert "set the parameter camera_qos to best_effort" in said
    reliable = robot.publisher(Image, COLOUR, RELIABLE)
    assert listener.receive(robot, reliable, make.image(), "image") == make.image()


def test_a_camera_info_that_was_published_once_is_received(robot: Robot, make: Any):
    latched = robot.publisher(CameraInfo, INFO, LATCHED)
    latched.publish(make.info(5.0))
    listener = Listener(robot)
    robot.until(lambda: listener.got["camera_info"])
    (got,) = listener.got["camera_info"]
    assert got == make.info(0.0), "its stamp is that of no image: it holds for all"
    robot.node.destroy_publisher(latched)
    volatile = robot.publisher(CameraInfo, INFO, RELIABLE)
    listener.receive(robot, volatile, make.info(7.0), "camera_info")
    robot.until(
        lambda: listener.receive(robot, volatile, make.info(7.0), "camera_info") == make.info(7.0)
    )


def test_nothing_is_subscribed_that_is_not_needed(robot: Robot, make: Any):
    listener = Listener(robot)
    count = listener.node.count_subscribers
    robot.until(lambda: count(COLOUR) == count(DEPTH) == count(INFO) == 1)
    assert count(DEPTH_INFO) == 0
    for _ in range(2):
        listener.inputs.close()
    robot.until(lambda: count(COLOUR) == count(DEPTH) == count(INFO) == 0)
    listener.inputs.open()
    publisher = robot.publisher(Image, COLOUR)
    assert listener.receive(robot, publisher, make.image(), "image") == make.image()
    listener.inputs.close()


class Perception:
    """An active PerceptionNode, and what it publishes."""

    def __init__(self, robot: Robot, namespace: str = "", **values: Any) -> None:
        self.robot = robot
        self.prefix = f"/{namespace}" if namespace else ""
        self.node = robot.add(
            PerceptionNode(
                context=robot.context,
                namespace=namespace,
                parameter_overrides=[
                    Parameter(name, value=value)
                    for name, value in ({"max_frame_age_s": 30.0} | values).items()
                ],
            )
        )
        self.masks: list[Any] = []
        self.targets: list[Any] = []
        robot.node.create_subscription(
            InstanceMasks, f"{self.prefix}/instance_masks", self.masks.append, 10
        )
        robot.node.create_subscription(Targets, f"{self.prefix}/targets", self.targets.append, 10)
        self.intent = robot.publisher(String, f"{self.prefix}/intent", RELIABLE)
        self.node.trigger_configure()
        self.node.trigger_activate()
        robot.until(lambda: self.intent.get_subscription_count() == 1)

    def count(self, name: str) -> int:
        return self.node.diagnostics.value(name)

    def camera(self, colour: Any = Image, depth: Any = Image) -> dict[str, Any]:
        create = self.robot.publisher
        suffix = {Image: "", CompressedImage: "/compressed"}[colour]
        depth_suffix = {Image: "", CompressedImage: "/compressedDepth"}[depth]
        return {
            "image": create(colour, f"{self.prefix}{COLOUR}{suffix}"),
            "depth": create(depth, f"{self.prefix}{DEPTH}{depth_suffix}"),
            "camera_info": create(CameraInfo, f"{self.prefix}{INFO}"),
            "depth_camera_info": create(CameraInfo, f"{self.prefix}{DEPTH_INFO}"),
        }

    def frame(self, camera: dict[str, Any], **messages: Any) -> None:
        for stream, msg in messages.items():
            name = f"received.{stream}"
            before = self.count(name)
            self.robot.send(
                camera[stream], msg, lambda name=name, before=before: self.count(name) > before
            )

    def ask(self, intent: str = "find it") -> tuple[Any, Any]:
        number = len(self.targets) + 1
        self.intent.publish(String(data=intent))
        self.robot.until(lambda: len(self.targets) >= number and len(self.masks) >= number)
        return self.masks[-1], self.targets[-1]


@pytest.fixture
def perceive(
    robot: Robot, fake: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Perception]]:
    monkeypatch.setattr(model_loader, "load_segmenter", lambda *_: fake)
    made: list[Perception] = []

    def start(namespace: str = "", **values: Any) -> Perception:
        made.append(Perception(robot, namespace, **values))
        return made[-1]

    yield start
    for one in made:
        assert one.node.release()


def test_a_camera_that_sends_compressed_unregistered_distorted_images(
    perceive: Callable[..., Perception], make: Any
):
    node = perceive(rectify=True, depth_to_colour="0.1 0 0 0 0 0 1")
    camera = node.camera(CompressedImage, CompressedImage)
    info = make.info(1.0, d=[-0.8, 0.0, 0.0, 0.0, 0.0], distortion_model="plumb_bob")
    rgb = image_to_rgb(make.image())
    depth_header = make.header(1.0, "depth_optical_frame")
    node.frame(
        camera,
        camera_info=info,
        depth_camera_info=make.info(
            1.0, size=(24, 32), k=[25.0, 0, 15.5, 0, 25.0, 11.5, 0, 0, 1], header=depth_header
        ),
        image=rgb_to_compressed(rgb, make.header(1.0), codec="png"),
        depth=depth_to_compressed(np.full((24, 32), 1500, np.uint16), depth_header),
    )
    masks, targets = node.ask()
    (target,) = targets.targets
    assert target.has_3d, target.reason_text
    assert target.point.z == pytest.approx(1.5)
    assert targets.header == make.header(1.0)
    seen = rectify_color(rgb, lens_model(info))
    red = (seen[..., 0] > 200) & (seen[..., 1] < 50)
    mask = np.frombuffer(masks.instances[0].mask.data, np.uint8).reshape(make.size) > 0
    np.testing.assert_array_equal(mask, red)
    assert red.sum() != 400, "the lens has to matter"
    assert (masks.width, masks.height) == (64, 48)


def test_a_damaged_message_is_refused_and_the_frame_before_is_used(
    perceive: Callable[..., Perception], make: Any
):
    node = perceive(colour_transport="compressed")
    camera = node.camera(CompressedImage)
    rgb = image_to_rgb(make.image())
    good = rgb_to_compressed(rgb, make.header(1.0), codec="png")
    bad = rgb_to_compressed(rgb, make.header(1.1), codec="png")
    bad.data[45:90] = make.bytes(45)
    node.frame(camera, camera_info=make.info(0.0), image=good, depth=make.depth(1.0))
    node.frame(camera, image=bad)
    assert node.count("refused.image_data") == 0, "not decoded before it is used"
    node.frame(camera, depth=make.depth(1.1))
    masks, targets = node.ask()
    assert node.count("refused.image_data") >= 1
    assert masks.header == make.header(1.0)
    assert targets.targets[0].has_3d


def test_two_cameras_in_namespaces_do_not_mix(perceive: Callable[..., Perception], make: Any):
    nodes = {name: perceive(name) for name in ("left", "right")}
    for metres, node in zip((1.0, 2.0), nodes.values(), strict=True):
        header = make.header(metres, f"{node.prefix[1:]}_optical_frame")
        node.frame(
            node.camera(),
            camera_info=make.info(header=header),
            image=make.image(header=header),
            depth=make.depth(metres=metres, header=header),
        )
    for metres, (name, node) in zip((1.0, 2.0), nodes.items(), strict=True):
        _, targets = node.ask(f"find it {name}")
        assert targets.intent == f"find it {name}"
        assert targets.header.frame_id == f"{name}_optical_frame"
        assert targets.targets[0].point.z == pytest.approx(metres)
    assert [len(node.targets) for node in nodes.values()] == [1, 1]


def test_simulated_time_that_stands_still_and_starts_over(
    perceive: Callable[..., Perception], robot: Robot, make: Any
):
    """No /clock at all, then stamps of a recording that is played twice."""
    reports: list[Any] = []
    robot.node.create_subscription(DiagnosticArray, "/diagnostics", reports.append, 10)
    node = perceive(use_sim_time=True)
    camera = node.camera()
    for stamp, metres in ((100.0, 1.0), (103.0, 1.2), (100.0, 1.4)):
        node.frame(
            camera,
            image=make.image(stamp),
            depth=make.depth(stamp, metres=metres),
            camera_info=make.info(stamp),
        )
        _, targets = node.ask()
        assert targets.header == make.header(stamp)
        assert targets.targets[0].point.z == pytest.approx(metres)
    assert node.count("clock_jump") == 1
    reports.clear()
    robot.until(lambda: reports)
    values = {entry.key: entry.value for entry in reports[-1].status[0].values}
    assert values["clock_jump"] == "1"
    assert float(values["newest_frame_age_s"]) < 30


def test_a_callback_that_raises_does_not_end_the_node(
    perceive: Callable[..., Perception], make: Any, monkeypatch: pytest.MonkeyPatch
):
    node = perceive()
    camera = node.camera()

    def fail(*_: Any) -> None:
        raise RuntimeError("a mistake")

    with monkeypatch.context() as broken:
        broken.setattr(node.node._engine._intake, "_check", fail)
        node.frame(camera, image=make.image())
        node.robot.until(lambda: node.count("refused.internal_error") >= 1)
    node.frame(camera, camera_info=make.info(2.0), image=make.image(2.0), depth=make.depth(2.0))
    assert node.ask()[1].targets[0].has_3d
