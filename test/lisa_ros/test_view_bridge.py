"""`lisa view` with real nodes over DDS and a real client over a WebSocket."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from live_node import Domain, domain, live_node
from rclpy.qos import qos_profile_sensor_data
from rclpy.serialization import deserialize_message, serialize_message
from ros_domain import free_domain
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import String

from lisa_model.cli import build_parser
from lisa_model.errors import LisaError
from lisa_ros import view_bridge
from lisa_ros.conversion import array_to_image
from lisa_ros.view_bridge import ViewBridge, ViewConfig, load_foxglove
from lisa_ros.view_graph import OfferedTopic, message_class
from lisa_ros.view_layout import topics_in

pytest.importorskip("foxglove", reason="needs the extra view")
connect = pytest.importorskip("websockets.sync.client", reason="needs websockets").connect

pytestmark = pytest.mark.ros

COLOUR = "/camera/color/image_raw"


class Client:
    """What Foxglove does: looks at topics and publishes intents.

    Args:
        port: of the server.
        keep: whether payloads are kept in ``got``.
    """

    def __init__(self, port: int, *, keep: bool = True) -> None:
        self._connecting = connect(
            f"ws://127.0.0.1:{port}",
            subprotocols=["foxglove.sdk.v1"],
            max_size=None,
            close_timeout=0.5,
        )
        self._keep = keep
        self.socket: Any = None
        self.channels: dict[int, dict[str, Any]] = {}
        self.got: list[tuple[str, int, bytes]] = []
        self.problems: list[str] = []
        self.info: dict[str, Any] = {}

    def __enter__(self) -> Client:
        self.socket = self._connecting.__enter__()
        return self

    def __exit__(self, *args: Any) -> None:
        self._connecting.__exit__(*args)

    def listen(self, seconds: float) -> None:
        """Take what comes for a while."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                self._take(self.socket.recv(timeout=left))
            except TimeoutError:
                return

    def until(self, condition: Any, timeout_s: float = 15.0) -> None:
        end = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end, f"timed out; {self.problems}"
            self.listen(0.05)

    def _take(self, message: str | bytes) -> None:
        if isinstance(message, str):
            values = json.loads(message)
            if values["op"] == "serverInfo":
                self.info = values
            elif values["op"] == "advertise":
                self.channels.update({one["id"]: one for one in values["channels"]})
            elif values["op"] == "status":
                self.problems.append(values["message"])
            return
        # Message data: opcode 1, subscription, log time [ns], payload. Subscriptions have the
        # channels' own numbers here.
        opcode, number, log_time = struct.unpack_from("<BIQ", message)
        assert opcode == 1
        payload = message[13:] if self._keep else b""
        self.got.append((self.channels[number]["topic"], log_time, payload))

    def number(self, topic: str) -> int:
        self.until(lambda: topic in {one["topic"] for one in self.channels.values()})
        return next(key for key, one in self.channels.items() if one["topic"] == topic)

    def subscribe(self, *topics: str) -> None:
        numbers = [self.number(topic) for topic in topics]
        wanted = [{"id": number, "channelId": number} for number in numbers]
        self._send({"op": "subscribe", "subscriptions": wanted})

    def unsubscribe(self, *topics: str) -> None:
        self._send({"op": "unsubscribe", "subscriptionIds": [self.number(t) for t in topics]})

    def publish(self, topic: str, payload: bytes, encoding: str = "json", channel: int = 5) -> None:
        one = {
            "id": channel,
            "topic": topic,
            "encoding": encoding,
            "schemaName": "std_msgs/msg/String",
        }
        self._send({"op": "advertise", "channels": [one]})
        self.socket.send(struct.pack("<BI", 1, channel) + payload)
        self._send({"op": "unadvertise", "channelIds": [channel]})

    def say(self, intent: str) -> None:
        self.publish("/intent", json.dumps({"data": intent}).encode())

    def messages(self, topic: str) -> list[bytes]:
        return [payload for name, _, payload in self.got if name == topic]

    def _send(self, values: dict[str, Any]) -> None:
        self.socket.send(json.dumps(values))


class View:
    """The bridge, the perception node, and a robot that has a camera and hears intents."""

    def __init__(self, made: Domain, bridge: ViewBridge, make: Any) -> None:
        self.made, self.bridge, self.make = made, bridge, make
        robot = made.probe
        self.camera = robot.create_publisher(Image, COLOUR, qos_profile_sensor_data)
        self.depth = robot.create_publisher(
            Image, "/camera/depth/image_raw", qos_profile_sensor_data
        )
        self.info = robot.create_publisher(
            CameraInfo, "/camera/color/camera_info", qos_profile_sensor_data
        )
        self.intents: list[str] = []
        robot.create_subscription(String, "/intent", lambda msg: self.intents.append(msg.data), 10)
        self.frames = 0

    def film(self) -> None:
        """Publish a frame."""
        self.frames += 1
        stamp = float(self.frames)
        self.info.publish(self.make.info(stamp))
        self.depth.publish(self.make.depth(stamp))
        self.camera.publish(self.make.image(stamp))


@pytest.fixture
def view(make: Any, fake: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[View]:
    with domain() as made, live_node(made, fake, monkeypatch):
        bridge = made.add(ViewBridge(ViewConfig(port=0, max_hz=20.0), context=made.context))
        yield View(made, bridge, make)
        made.executor.remove_node(bridge)
        bridge.close()


def test_a_client_sees_image_mask_cloud_and_answer_of_the_intent_it_said(view: View):
    shown = (
        *(COLOUR, "/target_mask", "/overlay", "/targets", "/target_cloud", "/markers"),
        *("/answer", "/diagnostics"),
    )
    with Client(view.bridge.port) as client:
        client.subscribe(*shown)
        assert client.info["capabilities"] == ["clientPublish"]
        view.made.until(lambda: view.made.probe.count_subscribers("/overlay") == 1)

        def film_until_shown() -> bool:
            view.film()
            client.listen(0.05)
            return bool(client.messages(COLOUR))

        view.made.until(film_until_shown)
        client.say("the red box")
        client.until(lambda: view.intents == ["the red box"])

        def all_shown() -> bool:
            view.film()
            client.listen(0.05)
            return all(client.messages(topic) for topic in shown)

        view.made.until(all_shown)
        answer = deserialize_message(client.messages("/answer")[0], String)
        assert answer.data == "It is the red box."
        mask = deserialize_message(client.messages("/target_mask")[0], Image)
        pixels = np.frombuffer(mask.data, np.uint8).reshape(mask.height, mask.width)
        assert (pixels[10:30, 20:40] == 255).all()
        assert np.count_nonzero(pixels) == 400
        targets = deserialize_message(
            client.messages("/targets")[0], message_class("lisa_ros/msg/Targets")
        )
        assert targets.intent == "the red box"
        assert targets.targets[0].has_3d
        for payload in client.messages(COLOUR):
            image = deserialize_message(payload, Image)
            assert image == view.make.image(float(image.header.stamp.sec))
        assert client.problems == []


def test_the_definitions_are_enough_to_read_the_messages(view: View):
    """As a viewer does that knows nothing but what it is sent."""
    with Client(view.bridge.port) as client:
        client.subscribe("/diagnostics")
        client.until(lambda: client.messages("/diagnostics"))
        client.number("/targets")
        for channel in client.channels.values():
            assert (channel["encoding"], channel["schemaEncoding"]) == ("cdr", "ros2msg")
        (channel,) = [one for one in client.channels.values() if one["topic"] == "/diagnostics"]
        types = get_typestore(Stores.EMPTY)
        types.register(get_types_from_msg(channel["schema"], channel["schemaName"]))
        read = types.deserialize_cdr(client.messages("/diagnostics")[0], channel["schemaName"])
        assert read.status[0].name == "/perception_node: perception"


def test_a_topic_is_subscribed_to_only_while_a_client_looks(view: View):
    def subscribers() -> int:
        return view.made.probe.count_subscribers("/overlay")

    assert not any(view.bridge.topics().values())
    with Client(view.bridge.port) as client:
        client.subscribe("/overlay")
        view.made.until(lambda: subscribers() == 1)
        with Client(view.bridge.port) as other:
            other.subscribe("/overlay")
            client.unsubscribe("/overlay")
            client.listen(0.3)
            assert subscribers() == 1
        view.made.until(lambda: subscribers() == 0)
        client.subscribe("/overlay")
        view.made.until(lambda: subscribers() == 1)
        client.socket.socket.close()  # without a goodbye
    view.made.until(lambda: subscribers() == 0)
    with Client(view.bridge.port) as client:
        client.say("still alive")
        client.until(lambda: view.intents == ["still alive"])


def test_what_is_no_intent_is_refused_and_said_to_the_client(view: View):
    with Client(view.bridge.port) as client:
        client.number("/answer")
        view.made.until(lambda: view.made.probe.count_publishers("/intent") == 1)
        for topic, payload, encoding, said in (
            ("/intent", b'{"data": "  "}', "json", "only white space"),
            ("/intent", b"no json", "json", "no JSON"),
            ("/intent", b'{"data": "x"}', "protobuf", "Publish with one of json, cdr"),
            (COLOUR, b'{"data": "x"}', "json", "Only /intent can be published to"),
        ):
            client.publish(topic, payload, encoding)
            client.until(lambda said=said: any(said in one for one in client.problems))
        assert view.intents == []
        client.publish("/intent", serialize_message(String(data="as CDR")), "cdr")
        client.until(lambda: view.intents == ["as CDR"])


def test_it_is_said_when_nobody_hears_the_intent():
    with domain() as made:
        bridge = made.add(ViewBridge(ViewConfig(port=0), context=made.context))
        with Client(bridge.port) as client:
            client.say("is anybody there")
            client.until(lambda: any("nobody listens" in one for one in client.problems))
        made.executor.remove_node(bridge)
        bridge.close()


def test_a_topic_of_an_unknown_type_is_left_out_and_the_others_are_shown(
    monkeypatch: pytest.MonkeyPatch,
):
    """Such as the node's detections, where vision_msgs is installed."""
    topics = [
        OfferedTopic(name="/detections", kind="vision_msgs/msg/Detection3DArray", camera=False),
        OfferedTopic(name="/answer", kind="std_msgs/msg/String", camera=False),
    ]
    monkeypatch.setattr(view_bridge, "topics_of_node", lambda *_: topics)
    monkeypatch.setattr(view_bridge, "message_class", lambda _: String)
    with domain() as made:
        bridge = ViewBridge(ViewConfig(port=0), context=made.context)
        assert bridge.topics() == {"/answer": False}
        bridge.close()


def test_images_are_throttled_and_only_the_newest_is_sent(view: View):
    period = 1.0 / 20.0
    with Client(view.bridge.port) as client:
        client.subscribe(COLOUR)
        view.made.until(lambda: view.camera.get_subscription_count() == 2)
        client.until(lambda: view.film() or client.messages(COLOUR))
        client.got.clear()
        start = time.monotonic()
        while time.monotonic() - start < 1.0:
            view.film()
            client.listen(0.005)
        client.listen(0.2)
        sent = client.messages(COLOUR)
        # The robot films at about 200 Hz.
        assert view.frames > 60
        assert 5 <= len(sent) <= 1.2 / period + 2
        stamps = [deserialize_message(one, Image).header.stamp.sec for one in sent]
        assert stamps == sorted(set(stamps))
        assert stamps[-1] == view.frames


def test_a_client_that_does_not_read_costs_no_memory_and_no_time(view: View):
    picture = array_to_image(np.zeros((480, 640, 3), np.uint8), "rgb8", view.make.header())
    with Client(view.bridge.port) as lazy, Client(view.bridge.port, keep=False) as client:
        for one in (lazy, client):
            one.subscribe(COLOUR)
        view.made.until(lambda: view.camera.get_subscription_count() == 2)

        def film(seconds: float) -> None:
            start = time.monotonic()
            while time.monotonic() - start < seconds:
                view.camera.publish(picture)
                client.listen(0.03)

        film(2.0)  # fills the backlog, of 0.9 MB each
        before, seen = resident_bytes(), len(client.messages(COLOUR))
        film(3.0)
        sent = len(client.messages(COLOUR)) - seen
        assert sent > 2 * view_bridge.CLIENT_BACKLOG
        assert resident_bytes() - before < sent * len(picture.data) / 3
        client.say("and now")
        client.until(lambda: view.intents == ["and now"])


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def test_without_publishing_there_is_no_intent_box():
    with domain() as made:
        bridge = made.add(ViewBridge(ViewConfig(port=0, publish=False), context=made.context))
        with Client(bridge.port) as client:
            client.listen(0.3)
            assert client.info["capabilities"] == []
            client.say("not allowed")
            client.until(lambda: client.problems)
        made.executor.remove_node(bridge)
        bridge.close()


def test_a_taken_port_is_named():
    with domain() as made:
        bridge = made.add(ViewBridge(ViewConfig(port=0), context=made.context))
        assert bridge.url == f"ws://localhost:{bridge.port}"
        with pytest.raises(OSError, match=f"--port {bridge.port}"):
            ViewBridge(ViewConfig(port=bridge.port), context=made.context)
        made.executor.remove_node(bridge)
        bridge.close()


@pytest.mark.parametrize(
    ("values", "said"),
    [({"port": 70_000}, "--port"), ({"max_hz": 0.0}, "--max-hz"), ({"max_hz": 1e9}, "--max-hz")],
)
def test_arguments_out_of_range_are_named(values: dict[str, Any], said: str):
    with pytest.raises(ValueError, match=said):
        ViewConfig(**values)


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    def fail(name: str, *args: Any) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(LisaError, match=r"extra 'view'.*lisa_ros\[view\]"):
        load_foxglove()


def test_the_commands_defaults_are_the_nodes():
    args = build_parser().parse_args(["view"])
    config = ViewConfig()
    for name in ("host", "port", "max_hz", "namespace", "node", "intent", "publish"):
        assert getattr(args, name) == getattr(config, name)


def test_the_command_serves_until_it_is_interrupted(tmp_path: Path):
    layout = tmp_path / "layout.json"
    command = [sys.executable, "-m", "lisa_model.cli", "view", "--no-open", "--port", "0"]
    environment = os.environ | {"ROS_DOMAIN_ID": str(free_domain())}
    with subprocess.Popen(
        [*command, "--namespace", "robot1", "--write-layout", str(layout)],
        env=environment,
        cwd=Path(__file__).resolve().parents[2],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        found = None
        while found is None:
            line = process.stdout.readline()
            assert line, "it ended"
            found = re.search(r"ws://localhost:(\d+)", line)
        with Client(int(found[1])) as client:
            client.publish("/robot1/intent", b'{"data": "hello"}')
            client.until(
                lambda: any("nobody listens to /robot1/intent" in p for p in client.problems)
            )
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert "/robot1/overlay" in topics_in(json.loads(layout.read_text()))
