"""What is recorded is what was said, and any MCAP reader understands it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rclpy
from ament_index_python.packages import get_package_share_directory
from geometry_msgs.msg import Point, PointStamped
from rclpy.executors import SingleThreadedExecutor
from rclpy.serialization import deserialize_message
from ros_domain import free_domain
from rosbags.highlevel import AnyReader
from std_msgs.msg import String

from lisa_ros.bag_writer import McapFile, definition, message_types
from lisa_ros.conversion import mask_to_image
from lisa_ros.msg import (
    FollowedTarget,
    FollowState,
    InstanceMask,
    InstanceMasks,
    Target3D,
    Targets,
)
from lisa_ros.qos import RESULT_OUTPUT
from lisa_ros.record import TOPICS, Recorder, type_name
from lisa_ros.transport import FASTDDS_TRANSPORT_DEFAULT, FASTDDS_TRANSPORT_VARIABLE


@pytest.fixture
def context(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "SUBNET")
    monkeypatch.setenv(FASTDDS_TRANSPORT_VARIABLE, FASTDDS_TRANSPORT_DEFAULT)
    rclpy.init(domain_id=free_domain())
    yield
    rclpy.try_shutdown()


def results(make: Any) -> dict[str, Any]:
    import numpy as np

    header = make.header(7.25)
    mask = mask_to_image(np.eye(8, dtype=bool), header)
    return {
        "intent": String(data="change the TV channel"),
        "target_mask": mask,
        "instance_masks": InstanceMasks(
            header=header, intent="x", instances=[InstanceMask(id=3, mask=mask, score=0.5)]
        ),
        "targets": Targets(
            header=header,
            best=0,
            targets=[Target3D(header=header, id=3, has_3d=True, point=Point(x=0.1, y=0.2, z=1.5))],
        ),
        "target_point": PointStamped(header=header, point=Point(x=0.1, y=0.2, z=1.5)),
        "follow_state": FollowState(
            header=header,
            following=True,
            targets=[FollowedTarget(id=3, state=FollowedTarget.STATE_LOST)],
        ),
        "answer": String(data="It is this: ü."),
    }


@pytest.mark.ros
def test_results_over_dds_into_mcap(make: Any, tmp_path: Path, context: None):
    path = tmp_path / "new" / "out.mcap"
    file = McapFile(path)
    recorder = Recorder(file, namespace="robot1")
    speaker = rclpy.create_node("speaker", namespace="robot1")
    publishers = {
        topic: speaker.create_publisher(kind, topic, RESULT_OUTPUT)
        for topic, kind in TOPICS.items()
    }
    executor = SingleThreadedExecutor()
    executor.add_node(recorder)
    end = time.monotonic() + 15
    while not all(one.get_subscription_count() for one in publishers.values()):
        assert time.monotonic() < end
        executor.spin_once(timeout_sec=0.02)
    sent = results(make)
    before = time.time_ns()
    for _ in range(2):
        for topic, message in sent.items():
            publishers[topic].publish(message)
    while sum(file.counts.values()) < 2 * len(sent):
        assert time.monotonic() < end
        executor.spin_once(timeout_sec=0.02)
    file.close()
    assert file.counts == dict.fromkeys((f"/robot1/{topic}" for topic in TOPICS), 2)
    assert os.listdir(path.parent) == ["out.mcap"]

    with AnyReader([path]) as reader:
        assert {one.topic: one.msgtype for one in reader.connections} == {
            f"/robot1/{topic}": type_name(kind) for topic, kind in TOPICS.items()
        }
        found: dict[str, list[Any]] = {topic: [] for topic in TOPICS}
        for connection, time_ns, data in reader.messages():
            assert before <= time_ns <= time.time_ns()
            topic = connection.topic.removeprefix("/robot1/")
            found[topic].append(deserialize_message(bytes(data), TOPICS[topic]))
            # And by the definitions in the file alone, as a program without this package does.
            understood: Any = reader.deserialize(data, connection.msgtype)
            if topic == "targets":
                assert understood.targets[0].point.z == 1.5
                assert understood.targets[0].REASON_NO_DEPTH == "no_depth"
            if topic == "follow_state":
                assert understood.targets[0].state == understood.targets[0].STATE_LOST == "lost"
            if topic == "instance_masks":
                assert bytes(understood.instances[0].mask.data) == bytes(sent["target_mask"].data)
    assert found == {topic: [message] * 2 for topic, message in sent.items()}


def test_definitions_are_those_that_are_installed():
    """Their RIHS01 hashes are what ROS compares types by."""
    folder = Path(get_package_share_directory("lisa_ros")) / "msg"
    typestore = message_types()
    described_files = sorted(folder.glob("*.json"))
    assert {path.stem for path in described_files} == {path.stem for path in folder.glob("*.msg")}
    assert described_files
    for path in described_files:
        name = f"lisa_ros/msg/{path.stem}"
        described = json.loads(path.read_text(encoding="utf-8"))["type_hashes"]
        expected = {one["type_name"]: one["hash_string"] for one in described}
        assert typestore.hash_rihs01(name) == expected[name]


def test_a_type_whose_definition_is_not_known_is_named():
    with pytest.raises(LookupError, match=r"vision_msgs/msg/Detection3DArray is not known"):
        definition(message_types(), "vision_msgs/msg/Detection3DArray")


def test_nothing_is_overwritten(tmp_path: Path):
    path = tmp_path / "out.mcap"
    path.write_bytes(b"mine")
    with pytest.raises(FileExistsError, match=r"out\.mcap exists"):
        McapFile(path)
    assert path.read_bytes() == b"mine"
    path.unlink()
    path.with_name("out.mcap.part").mkdir()
    with pytest.raises(FileExistsError, match="part exists"):
        McapFile(path)
    with pytest.raises(ValueError, match=r"end with \.mcap"):
        McapFile(tmp_path / "out.bag")


def test_an_empty_file_is_a_file(tmp_path: Path):
    path = tmp_path / "out.mcap"
    file = McapFile(path)
    file.add("/answer", "std_msgs/msg/String")
    file.close()
    with AnyReader([path]) as reader:
        assert list(reader.messages()) == []
