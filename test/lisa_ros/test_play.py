"""Recordings of every format: written, played over DDS, received, compared."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.serialization import deserialize_message, serialize_message
from recording_support import COLOR_K, PERIOD_NS, lost_frame, make_frame, transform
from ros_domain import free_domain
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_srvs.srv import SetBool

from lisa_model.recordings import (
    RecordedFrame,
    RecordingError,
    SensWriterConfig,
    write_household,
    write_scannet_export,
    write_scannet_frames,
    write_sens,
)
from lisa_ros.compressed import compressed_to_rgb, rgb_to_compressed
from lisa_ros.conversion import depth_to_metres, image_to_rgb
from lisa_ros.matching import stamp_ns
from lisa_ros.play import Player
from lisa_ros.play_sources import (
    COLOR_TOPIC,
    DEPTH_TOPIC,
    INFO_TOPIC,
    SourceConfig,
    frame_messages,
    open_source,
    read_stamp,
    write_stamp,
)
from lisa_ros.scene_player import CAMERA_OUTPUT
from lisa_ros.transport import FASTDDS_TRANSPORT_DEFAULT, FASTDDS_TRANSPORT_VARIABLE
from lisa_ros.validation import validate_camera_info

TOPICS = {COLOR_TOPIC: Image, INFO_TOPIC: CameraInfo, DEPTH_TOPIC: Image}
NAMESPACE = "robot1"
RATE_HZ = 1e9 / PERIOD_NS
FRAMES = 4


@pytest.fixture(scope="module", autouse=True)
def domain() -> Iterator[int]:
    """A domain and transport of this module's own."""
    wanted = {
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET",
        FASTDDS_TRANSPORT_VARIABLE: FASTDDS_TRANSPORT_DEFAULT,
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    number = free_domain()
    rclpy.init(domain_id=number)
    yield number
    rclpy.try_shutdown()
    for name, value in before.items():
        if value is None:
            os.environ.pop(name)
        else:
            os.environ[name] = value


class Listener:
    """Receives on a thread of its own, as another program does."""

    def __init__(self, topics: dict[str, Any], namespace: str = NAMESPACE) -> None:
        self.node = rclpy.create_node("listener", namespace=namespace)
        self.got: dict[str, list[Any]] = {topic: [] for topic in topics}
        self.arrived: list[float] = []
        for topic, kind in topics.items():
            self.node.create_subscription(kind, topic, self._receive(topic), CAMERA_OUTPUT)
        self.clock: list[int] = []
        self.node.create_subscription(Clock, "/clock", self._on_clock, 100)
        self.pause = self.node.create_client(SetBool, "play/pause")
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.thread = threading.Thread(target=self._spin)
        self.running = True
        self.thread.start()

    def _receive(self, topic: str) -> Callable[[Any], None]:
        def receive(msg: Any) -> None:
            self.got[topic].append(msg)
            if topic.endswith(COLOR_TOPIC):
                self.arrived.append(time.monotonic())

        return receive

    def _on_clock(self, msg: Clock) -> None:
        self.clock.append(msg.clock.sec * 1_000_000_000 + msg.clock.nanosec)

    def _spin(self) -> None:
        while self.running:
            self.executor.spin_once(timeout_sec=0.05)

    def call_pause(self, value: bool) -> str:
        assert self.pause.wait_for_service(10)
        return until(self.pause.call_async(SetBool.Request(data=value))).message

    def close(self) -> None:
        self.running = False
        self.thread.join()
        self.executor.shutdown()
        self.node.destroy_node()


def until(future: Any, timeout: float = 10.0) -> Any:
    end = time.monotonic() + timeout
    while not future.done():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.005)
    return future.result()


def wait(condition: Callable[[], Any], timeout: float = 15.0) -> None:
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.005)


class Played:
    """A player on a thread, started paused, and a listener that it has found."""

    def __init__(self, path: Path, topics: dict[str, Any], config: SourceConfig, **options: Any):
        options = {"namespace": NAMESPACE, "clock": True} | options
        self.listener = Listener(topics, options["namespace"])
        self.player = Player(open_source(path, config), start_paused=True, **options)
        self.error: Exception | None = None
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.player)
        self._stop = False
        self.thread = threading.Thread(target=self._play)
        self.thread.start()

    def wait_for_listener(self) -> None:
        publishers = self.player._publishers_by_topic
        wanted = [publishers[topic] for topic in self.listener.got]
        wait(lambda: all(one.get_subscription_count() for one in wanted))

    def _spin(self, timeout_s: float) -> None:
        if self._stop:
            raise KeyboardInterrupt
        self._executor.spin_once(timeout_sec=timeout_s)

    def _play(self) -> None:
        try:
            self.player.play(self._spin)
        except KeyboardInterrupt:
            pass
        except Exception as error:
            self.error = error

    def finish(self) -> Listener:
        """Play to the end; return the listener with all that was played."""
        self.listener.call_pause(False)
        self.thread.join(60)
        assert not self.thread.is_alive()
        self.close()
        return self.listener

    def close(self) -> None:
        self._stop = True
        self.thread.join()
        # All is acknowledged, but may still wait in the listener's queues.
        time.sleep(0.3)
        self.listener.close()
        self._executor.shutdown()
        self.player.destroy_node()


@pytest.fixture
def play() -> Iterator[Callable[..., Played]]:
    started: list[Played] = []

    def start(path: Path, topics: Any = None, config: Any = None, **options: Any) -> Played:
        config = config or SourceConfig(rate_hz=RATE_HZ)
        started.append(Played(path, topics or TOPICS, config, **options))
        started[-1].wait_for_listener()
        return started[-1]

    yield start
    for one in started:
        if one.listener.thread.is_alive():
            one.close()


def compare(got: dict[str, list[Any]], written: list[RecordedFrame], jpeg: bool = False) -> None:
    for topic in TOPICS:
        assert len(got[topic]) == len(written), topic
    for frame, color, info, depth in zip(
        written, got[COLOR_TOPIC], got[INFO_TOPIC], got[DEPTH_TOPIC], strict=True
    ):
        difference = np.abs(image_to_rgb(color).astype(int) - frame.color)
        assert difference.max() <= (8 if jpeg else 0)
        expected_mm = frame.registered_depth_mm()
        assert depth.encoding == "16UC1"
        # The files hold matrices as float32, so a pixel at an edge may land beside itself.
        near = np.abs(depth_to_metres(depth) - expected_mm / 1000.0) < 0.002
        assert near.mean() > 0.995
        assert np.count_nonzero(expected_mm) > 2000
        k = validate_camera_info(info)
        assert (k.width, k.height) == (COLOR_K.width, COLOR_K.height)
        assert (k.fx, k.fy, k.cx, k.cy) == pytest.approx((70.0, 70.0, 39.5, 29.5), abs=1e-4)
        assert stamp_ns(color) == stamp_ns(depth) == stamp_ns(info) == frame.stamp_ns
        headers = {one.header.frame_id for one in (color, info, depth)}
        assert headers == {"camera_color_optical_frame"}


def in_real_time(arrived: list[float]) -> None:
    """Check that frames came neither at once nor much too late; a busy machine delays some."""
    length_s = (FRAMES - 1) * PERIOD_NS / 1e9
    assert length_s - 0.05 < arrived[-1] - arrived[0] < length_s + 3
    assert np.diff(arrived).min() > 0.01


MOVED = transform(0.02, (0.03, 0.0, 0.0))


def written_frames(**change: Any) -> list[RecordedFrame]:
    return [make_frame(number, **change) for number in range(FRAMES)]


@pytest.mark.ros
@pytest.mark.parametrize(
    ("name", "write", "change", "jpeg"),
    [
        (
            "scan.sens",
            lambda path, frames: write_sens(path, frames, SensWriterConfig(color="png")),
            {"color_from_depth": MOVED},
            False,
        ),
        (
            "scan",
            lambda path, frames: write_scannet_export(path, frames, color="png", rate_hz=RATE_HZ),
            {"color_from_depth": MOVED},
            False,
        ),
        (
            "scene0000_00",
            lambda path, frames: write_scannet_frames(path, frames, color="png", rate_hz=RATE_HZ),
            {},
            False,
        ),
        ("frames", write_household, {"registered": True}, True),
    ],
    ids=["sens", "export", "frames_25k", "household"],
)
def test_each_format_over_dds(
    tmp_path: Path,
    play: Callable[..., Played],
    name: str,
    write: Any,
    change: dict[str, Any],
    jpeg: bool,
):
    frames = written_frames(**change)
    write(tmp_path / name, frames)
    listener = play(tmp_path / name).finish()
    compare(listener.got, frames, jpeg)
    in_real_time(listener.arrived)
    # /clock rises from the first frame to the last, also between frames.
    assert listener.clock == sorted(listener.clock)
    assert {frame.stamp_ns for frame in frames} <= set(listener.clock)
    assert len(set(listener.clock)) > 2 * FRAMES


def write_bag(
    folder: Path, plugin: StoragePlugin, messages: list[tuple[str, int, Any]]
) -> dict[str, list[Any]]:
    """Write (topic, time, message); return what was written by topic."""
    typestore = get_typestore(Stores.ROS2_JAZZY)
    written: dict[str, list[Any]] = {}
    with Writer(folder, version=9, storage_plugin=plugin) as writer:
        connections = {}
        for topic, time_ns, message in messages:
            if topic not in connections:
                kind = f"{type(message).__module__.split('.')[0]}/msg/{type(message).__name__}"
                connections[topic] = writer.add_connection(topic, kind, typestore=typestore)
            data = serialize_message(message)
            written.setdefault(topic, []).append(deserialize_message(data, type(message)))
            writer.write(connections[topic], time_ns, data)
    return written


def bag_messages() -> list[tuple[str, int, Any]]:
    found: list[tuple[str, int, Any]] = []
    for frame in written_frames(registered=True):
        for topic, message in frame_messages(frame, "camera").items():
            write_stamp(message, frame.stamp_ns)
            found.append((f"/old/{topic}", frame.stamp_ns + 2_000_000, message))
        compressed = rgb_to_compressed(frame.color, found[-1][2].header, codec="png")
        found.append(("/old/compressed", frame.stamp_ns + 2_000_000, compressed))
        found.append(("/old/clock", frame.stamp_ns, Clock()))  # of no camera: is not played
    return found


@pytest.mark.ros
@pytest.mark.parametrize("plugin", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
def test_a_rosbag2_over_dds(tmp_path: Path, play: Callable[..., Played], plugin: StoragePlugin):
    messages = bag_messages()
    written = write_bag(tmp_path / "bag", plugin, messages)
    remaps = {f"/old/{topic}": topic for topic in TOPICS}
    topics = {**TOPICS, "/old/compressed": CompressedImage}
    listener = play(tmp_path / "bag", topics, SourceConfig(remaps=remaps)).finish()
    for topic in topics:
        old = topic if topic.startswith("/") else f"/old/{topic}"
        assert listener.got[topic] == written[old]
    last = listener.got["/old/compressed"][-1]
    np.testing.assert_array_equal(compressed_to_rgb(last), make_frame(FRAMES - 1).color)
    in_real_time(listener.arrived)


@pytest.mark.ros
def test_a_single_mcap_and_chosen_topics(tmp_path: Path, play: Callable[..., Played]):
    written = write_bag(tmp_path / "bag", StoragePlugin.MCAP, bag_messages())
    (file,) = (tmp_path / "bag").glob("*.mcap")
    topic = f"/old/{INFO_TOPIC}"
    listener = play(file, {topic: CameraInfo}, SourceConfig(topics=(topic,))).finish()
    assert listener.got[topic] == written[topic]


@pytest.mark.ros
@pytest.mark.parametrize("bag", [False, True])
def test_without_a_clock_stamps_are_those_of_playing(
    tmp_path: Path, play: Callable[..., Played], bag: bool
):
    config = SourceConfig(rate_hz=RATE_HZ)
    if bag:
        write_bag(tmp_path / "it", StoragePlugin.MCAP, bag_messages())
        config = SourceConfig(remaps={f"/old/{topic}": topic for topic in TOPICS})
    else:
        write_household(tmp_path / "it", written_frames(registered=True))
    before = time.time_ns()
    listener = play(tmp_path / "it", None, config, clock=False, rate=2.0).finish()
    stamps = [stamp_ns(one) for one in listener.got[COLOR_TOPIC]]
    assert stamps == [stamp_ns(one) for one in listener.got[DEPTH_TOPIC]]
    assert before - 10_000_000 <= stamps[0] <= stamps[-1] <= time.time_ns()
    steps = np.diff(stamps) - PERIOD_NS / 2
    assert steps.min() > -10  # a busy machine may delay some
    assert np.abs(steps).min() < 10
    assert listener.clock == []


@pytest.mark.ros
def test_pause_and_loop(tmp_path: Path, play: Callable[..., Played]):
    write_household(tmp_path / "frames", written_frames(registered=True))
    played = play(tmp_path / "frames", loop=True, rate=4.0)
    got = played.listener.got[COLOR_TOPIC]
    time.sleep(0.3)
    assert got == []  # started paused
    assert played.listener.call_pause(False) == "playing"
    wait(lambda: len(got) > 3 * FRAMES)
    assert played.listener.call_pause(True) == "paused"
    time.sleep(0.3)
    count = len(got)
    time.sleep(0.3)
    assert len(got) == count
    played.listener.call_pause(False)
    wait(lambda: len(got) > count + FRAMES)
    played.close()
    stamps = [stamp_ns(one) for one in got]
    # Rising without a gap, through the loops and the pause.
    assert set(np.diff(stamps).tolist()) == {PERIOD_NS}
    assert played.listener.clock == sorted(played.listener.clock)
    np.testing.assert_array_equal(image_to_rgb(got[0]), image_to_rgb(got[FRAMES]))


@pytest.mark.ros
def test_lost_tracking_is_told(tmp_path: Path, play: Callable[..., Played]):
    write_sens(tmp_path / "scan.sens", [make_frame(0), lost_frame(1), make_frame(2)])
    played = play(tmp_path / "scan.sens")
    source = played.player._source
    got = played.finish().got[COLOR_TOPIC]
    assert len(got) == 2
    assert source.summary() == "1 frames left out: their pose is not finite"


@pytest.mark.ros
def test_damage_is_met_after_what_is_good(tmp_path: Path, play: Callable[..., Played]):
    write_household(tmp_path / "frames", written_frames(registered=True))
    (tmp_path / "frames" / "000002.depth.png").write_bytes(b"damaged")
    played = play(tmp_path / "frames")
    got = played.finish().got[COLOR_TOPIC]
    assert len(got) == 2
    assert isinstance(played.error, RecordingError)
    assert "000002" in str(played.error)


# Without DDS


def test_sources_that_cannot_be_played_are_named(tmp_path: Path):
    write_bag(tmp_path / "other", StoragePlugin.MCAP, [("/clock", 1, Clock())])
    with pytest.raises(RecordingError, match=r"no topic of Image.*it has /clock"):
        open_source(tmp_path / "other", SourceConfig())
    with pytest.raises(FileNotFoundError, match="nowhere"):
        open_source(tmp_path / "nowhere.mcap", SourceConfig())
    with pytest.raises(RecordingError, match="ROS 1"):
        open_source(tmp_path / "old.bag", SourceConfig())
    for content in (b"", b"damaged", b"\x89MCAP0\r\n" + bytes(50)):
        (tmp_path / "bad.mcap").write_bytes(content)
        with pytest.raises(RecordingError, match="cannot be read as rosbag2"):
            open_source(tmp_path / "bad.mcap", SourceConfig())
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "metadata.yaml").write_text("{")
    with pytest.raises(RecordingError, match="cannot be read as rosbag2"):
        open_source(tmp_path / "bad", SourceConfig())


def test_a_bag_cut_off_is_named(tmp_path: Path):
    write_bag(tmp_path / "bag", StoragePlugin.MCAP, bag_messages())
    (file,) = (tmp_path / "bag").glob("*.mcap")
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(RecordingError, match="cannot be read as rosbag2"):
        list(open_source(tmp_path / "bag", SourceConfig()).events())


def test_topics_that_are_not_there_are_named(tmp_path: Path):
    write_household(tmp_path / "frames", [make_frame(0, registered=True)])
    path = tmp_path / "frames"
    for config, message in (
        (SourceConfig(topics=("/depth",)), r"topic: there is no /depth; there are camera/color"),
        (SourceConfig(remaps={"/depth": "/x"}), "remap: there is no /depth"),
        (SourceConfig(remaps={INFO_TOPIC: DEPTH_TOPIC}), "different types"),
    ):
        with pytest.raises(ValueError, match=message):
            open_source(path, config)
    source = open_source(path, SourceConfig(topics=(COLOR_TOPIC,), remaps={COLOR_TOPIC: "/x"}))
    assert source.topics == {"/x": Image}
    assert [one.topic for event in source.events() for one in event.messages] == ["/x"]


def test_stamps_that_ros_cannot_hold_are_refused(tmp_path: Path):
    write_household(tmp_path / "frames", written_frames(registered=True))
    source = open_source(tmp_path / "frames", SourceConfig(rate_hz=1e-10))
    events = source.events()
    next(events)
    with pytest.raises(RecordingError, match="larger --frame-rate"):
        next(events)


def test_stamps_in_bytes(make: Any):
    data = serialize_message(make.image(7.25))
    assert read_stamp(data) == 7_250_000_000
    assert write_stamp(data, 7_250_000_000) == data
    changed = write_stamp(data, 9_000_000_001)
    assert read_stamp(changed) == 9_000_000_001
    assert changed[12:] == data[12:]
    for wrong in (b"", data[:11], b"\x00\x07" + data[2:], b"\x01" + data[1:]):
        assert read_stamp(wrong) is None
    big = b"\x00\x00" + data[2:4] + data[7:3:-1] + data[11:7:-1] + data[12:]
    assert read_stamp(big) == 7_250_000_000
    assert read_stamp(write_stamp(big, 5_000_000_003)) == 5_000_000_003
