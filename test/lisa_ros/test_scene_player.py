"""The scene player: codecs, drop-outs of depth and a clock that jumps."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("lisa_ros.msg", reason="the interfaces are not built (make build)")

from demo_support import HEIGHT, RED_DEPTH_M, WIDTH, true_mask, write_scene
from live_node import Domain, domain
from rclpy.exceptions import ParameterException
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from lisa_ros.frame import colour_pixels, depth_pixels
from lisa_ros.scene_player import (
    CAMERA_OUTPUT,
    COLOR_TOPIC,
    DEPTH_TOPIC,
    INFO_TOPIC,
    ScenePlayer,
)

pytestmark = pytest.mark.ros


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    return write_scene(tmp_path)


def start(made: Domain, scene: Path, **values: Any) -> ScenePlayer:
    given = {"scene": str(scene), "rate": 30.0, **values}
    overrides = [Parameter(name, value=value) for name, value in given.items()]
    return made.add(ScenePlayer(context=made.context, parameter_overrides=overrides))


def listen(made: Domain, kind: Any, topic: str) -> list[Any]:
    got: list[Any] = []
    made.probe.create_subscription(kind, topic, got.append, CAMERA_OUTPUT)
    return got


def seconds(message: Any) -> float:
    return message.header.stamp.sec + message.header.stamp.nanosec * 1e-9


@pytest.mark.parametrize(
    ("colour", "depth"), [("raw", "raw"), ("jpeg", "png"), ("png", "rvl"), ("raw", "rvl")]
)
def test_streams_come_as_they_are_wanted(scene: Path, colour: str, depth: str) -> None:
    with domain() as made:
        start(made, scene, colour_codec=colour, depth_codec=depth)
        colours = (
            listen(made, Image, COLOR_TOPIC)
            if colour == "raw"
            else listen(made, CompressedImage, f"{COLOR_TOPIC}/compressed")
        )
        depths = (
            listen(made, Image, DEPTH_TOPIC)
            if depth == "raw"
            else listen(made, CompressedImage, f"{DEPTH_TOPIC}/compressedDepth")
        )
        infos = listen(made, CameraInfo, INFO_TOPIC)
        made.until(lambda: len(colours) > 2 and len(depths) > 2 and len(infos) > 2)
        topics = made.topics("publisher", "scene_player")
        assert (COLOR_TOPIC in topics) == (colour == "raw")
        assert (DEPTH_TOPIC in topics) == (depth == "raw")
    rgb = colour_pixels(colours[0]).get()
    assert rgb.shape == (HEIGHT, WIDTH, 3)
    np.testing.assert_allclose(rgb[true_mask()].mean(axis=0), (220, 30, 30), atol=8)
    metres = depth_pixels(depths[0]).get()
    np.testing.assert_allclose(metres[true_mask()], RED_DEPTH_M, atol=1e-3)
    stamps = {seconds(one) for one in infos}
    assert stamps & {seconds(one) for one in colours} & {seconds(one) for one in depths}


@pytest.mark.parametrize("depth", ["raw", "png", "rvl"])
def test_depth_drops_out_and_comes_back(scene: Path, depth: str) -> None:
    kind, topic = (
        (Image, DEPTH_TOPIC)
        if depth == "raw"
        else (CompressedImage, f"{DEPTH_TOPIC}/compressedDepth")
    )
    with domain() as made:
        player = start(made, scene, depth_codec=depth)
        depths, infos = listen(made, kind, topic), listen(made, CameraInfo, INFO_TOPIC)

        def shows(valid: bool) -> Callable[[], bool]:
            def look() -> bool:
                metres = depth_pixels(depths[-1]).get()
                return bool((np.nan_to_num(metres) > 0).any()) == valid

            return look

        def drop(what: str) -> None:
            result = player.set_parameters([Parameter("depth_dropout", value=what)])
            assert result[0].successful, result[0].reason

        made.until(lambda: bool(depths))
        assert shows(True)()
        for what in ("zeros", "nan"):
            drop(what)
            made.until(shows(False))
            drop("none")
            made.until(shows(True))
        drop("missing")
        time.sleep(0.2)  # what was on its way
        number, others = len(depths), len(infos)
        made.until(lambda: len(infos) > others + 5)
        assert len(depths) == number


def test_stamps_jump_by_the_offset(scene: Path) -> None:
    with domain() as made:
        player = start(made, scene)
        infos = listen(made, CameraInfo, INFO_TOPIC)
        made.until(lambda: bool(infos))
        assert seconds(infos[-1]) == pytest.approx(time.time(), abs=5.0)
        for offset in (-300.0, 1000.0):
            player.set_parameters([Parameter("stamp_offset_s", value=offset)])
            made.until(lambda offset=offset: abs(seconds(infos[-1]) - time.time() - offset) < 5.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("colour_codec", "rvl"),
        ("depth_codec", "jpeg"),
        ("depth_dropout", "some"),
        ("stamp_offset_s", 1e9),
        ("rate", 0.0),
    ],
)
def test_a_value_that_is_not_allowed_is_named(scene: Path, name: str, value: Any) -> None:
    with domain() as made, pytest.raises(ParameterException, match=name):
        start(made, scene, **{name: value})


def test_what_is_fixed_at_the_start_stays(scene: Path) -> None:
    with domain() as made:
        player = start(made, scene)
        for name, value in (("colour_codec", "png"), ("depth_dropout", "some")):
            result = player.set_parameters([Parameter(name, value=value)])[0]
            assert not result.successful
            assert result.reason
